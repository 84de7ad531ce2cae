/**
 * Reverse maps that one would write without this package. Each has the methods of Memslot that the workloads use.
 */

import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'

/** The entry as a BigInt. */
export const bigintEntry = {
  pack: (lpid, gpa) => (BigInt(lpid) << 52n) | (BigInt(gpa) & 0x000ffffffffff000n),
  unpack: (word) => ({ lpid: Number(word >> 52n), gpa: Number(word & 0x000ffffffffff000n) }),
}

/** Shadow tables as `Map<gpa, hpa>`, and the walk over them. */
export const mapShadows = {
  newShadow: () => new Map(),
  setLeaf: (shadow, gpa, hpa) => shadow.set(gpa, hpa),
  walker(rmap, guests) {
    const met = [0, 0, 0, 0]
    const page = (gfn, hpa) => {
      rmap.takeAll(gfn, (lpid, gpa) => {
        const shadow = guests.get(lpid)?.shadow
        const leaf = shadow?.get(gpa)
        if (shadow === undefined) met[1]++
        else if (leaf === undefined) met[2]++
        else if (leaf !== hpa) met[3]++
        else {
          shadow.delete(gpa)
          met[0]++
        }
      })
    }
    return { page, met: () => met }
  },
}

/** A complete L1 of maps: guest tables, host table, shadow tables, and an rmap. */
export class MapL1 {
  #guests = new Map() // LPID -> gpa -> gfn
  #shadows = new Map() // LPID -> gpa -> hpa
  #host = new Map() // gfn -> hpa
  #next = 1
  #rmap

  constructor(Rmap, npages) {
    this.#rmap = new Rmap({ baseGfn: 0, npages })
  }

  map(lpid, gpa, gfn) {
    let guest = this.#guests.get(lpid)
    if (guest === undefined) {
      this.#guests.set(lpid, (guest = new Map()))
      this.#shadows.set(lpid, new Map())
    }
    guest.set(gpa, gfn)
  }

  fault(lpid, gpa) {
    const shadow = this.#shadows.get(lpid)
    if (shadow.has(gpa)) return false
    const gfn = this.#guests.get(lpid).get(gpa)
    let hpa = this.#host.get(gfn)
    if (hpa === undefined) this.#host.set(gfn, (hpa = this.#next++ * 65536))
    shadow.set(gpa, hpa)
    return this.#rmap.insert(gfn, lpid, gpa) === 'duplicate'
  }

  flush(lpid) {
    this.#shadows.get(lpid).clear()
  }

  entries(gfn, visit) {
    this.#rmap.takeAll(gfn, visit)
  }
}

/** `Map<gfn, Set<bigint>>`. The order of a Set is oldest first. */
export class MapOfSets {
  #slots = new Map()

  insert(gfn, lpid, gpa) {
    const entry = (BigInt(lpid) << 52n) | (BigInt(gpa) & 0x000ffffffffff000n)
    const set = this.#slots.get(gfn)
    if (set === undefined) {
      this.#slots.set(gfn, new Set([entry]))
      return 'empty'
    }
    if (set.has(entry)) return 'duplicate'
    set.add(entry)
    return set.size === 2 ? 'second' : 'list'
  }

  takeAll(gfn, visit) {
    const set = this.#slots.get(gfn)
    if (set === undefined) return 0
    this.#slots.delete(gfn)
    for (const entry of [...set].reverse()) visit(Number(entry >> 52n), Number(entry & 0x000ffffffffff000n))
    return set.size
  }
}

/** `Map<gfn, number[]>`: LPID and frame fill 52 bits, so an entry is an exact number. */
export class MapOfArrays {
  #slots = new Map()

  insert(gfn, lpid, gpa) {
    const entry = lpid * 2 ** 40 + Math.floor(gpa / 4096)
    const list = this.#slots.get(gfn)
    if (list === undefined) {
      this.#slots.set(gfn, [entry])
      return 'empty'
    }
    if (list.includes(entry)) return 'duplicate'
    return list.push(entry) === 2 ? 'second' : 'list'
  }

  takeAll(gfn, visit) {
    const list = this.#slots.get(gfn)
    if (list === undefined) return 0
    this.#slots.delete(gfn)
    for (let i = list.length - 1; i >= 0; i--) {
      const lpid = Math.floor(list[i] / 2 ** 40)
      visit(lpid, (list[i] - lpid * 2 ** 40) * 4096)
    }
    return list.length
  }
}

/** An array of linked lists of objects with BigInts. */
export class LinkedObjects {
  #heads

  constructor({ npages }) {
    this.#heads = new Array(npages).fill(null)
  }

  insert(gfn, lpid, gpa) {
    const entry = (BigInt(lpid) << 52n) | (BigInt(gpa) & 0x000ffffffffff000n)
    const head = this.#heads[gfn]
    for (let node = head; node !== null; node = node.next) if (node.entry === entry) return 'duplicate'
    this.#heads[gfn] = { next: head, entry }
    return head === null ? 'empty' : head.next === null ? 'second' : 'list'
  }

  takeAll(gfn, visit) {
    let node = this.#heads[gfn]
    this.#heads[gfn] = null
    let count = 0
    for (; node !== null; node = node.next, count++) {
      visit(Number(node.entry >> 52n), Number(node.entry & 0x000ffffffffff000n))
    }
    return count
  }
}

/** Reads a recording with readline, regular expressions and BigInt: it keeps the entries but checks nothing. */
export async function readWithRegExp(bytes) {
  const slots = new Map()
  let events = 0
  let duplicates = 0
  let taken = 0
  for await (const line of createInterface({ input: Readable.from([bytes]) })) {
    const [, name, rest] = /^\s*.{1,16}-\d+\s+\[\d+\]\s+\S+\s+[\d.]+: (\w+): \(.*?\) (.*)$/.exec(line) ?? []
    if (name === undefined) continue
    events++
    const fields = {}
    for (const [, key, value] of rest.matchAll(/(\w+)=(\S+)/g)) fields[key] = BigInt(value)
    if (name === 'rmap_insert') {
      const set = slots.get(fields.rmapp)
      if (set === undefined) slots.set(fields.rmapp, new Set([fields.new]))
      else if (set.has(fields.new)) duplicates++
      else set.add(fields.new)
    } else if (name === 'rmap_take') {
      taken += slots.get(fields.slotp).size
      slots.delete(fields.slotp)
    }
  }
  return [events, duplicates, taken, 0]
}
