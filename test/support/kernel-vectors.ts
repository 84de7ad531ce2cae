/**
 * Reads vectors (operations on an L1, with the results of Linux's own code: test/data/kernel/) and runs the operations on
 * the model. A line is `operation = result | changes`; numbers are in hex unless stated otherwise.
 *
 *     h+GPA/SHIFT:WORD  h=...  h-GPA/SHIFT   a host leaf was created, changed, cleared (SHIFT decimal)
 *     g+N  g-N                               the nested guest with shadow LPID N (decimal) was created, freed
 *     sN+GPA/SHIFT:WORD  ...                 a shadow leaf of it
 *     rGFN=-  rGFN=s,LPID:GPA  rGFN=Ln,...   an rmap slot: empty, one entry in its word, a list of n (decimal) entries: the
 *                                            newest 8, and a hash of all if there are more
 *     cNODES,PAGES,STEPS,SEQ,L1,L2,WRONG     nodes, table pages, scan steps, mmuSeq, TLB flushes, in decimal
 */
import {
  GuestTable,
  Vm,
  type Access,
  type FaultResult,
  type LeafShift,
  type NestedGuest,
  type PageShift,
  type PendingFault,
  type PendingUnmap,
  type RadixTable,
  type SetRcResult,
  type VmMemslot,
  type VmOptions,
} from '../../src/index'
import { HostProcess } from './host-process'

/** A line whose result on the model differs from that of Linux. */
export interface Divergence {
  readonly line: number
  readonly linux: string
  readonly model: string
}

/** Runs all lines of a file. `afterEach` is called after each operation, with the line of the model. */
export function runVectors(
  text: string,
  afterEach: (vm: Vm, line: string) => void = () => {},
): { operations: number; divergences: Divergence[] } {
  const divergences: Divergence[] = []
  let machine: VectorMachine | undefined
  let operations = 0
  text.split('\n').forEach((linux, at) => {
    if (linux.startsWith('# options ')) machine = new VectorMachine(JSON.parse(linux.slice(10)) as VmOptions)
    if (linux === '' || linux.startsWith('#')) return
    if (machine === undefined) throw new Error(`line ${at + 1}: an operation before the options`)
    const operation = linux.slice(0, linux.indexOf(' = '))
    const model = `${operation} = ${machine.run(operation)} | ${machine.changes()}`
    operations++
    if (model !== linux) divergences.push({ line: at + 1, linux, model })
    afterEach(machine.vm, model)
  })
  return { operations, divergences }
}

const ACCESS: Record<string, Access> = { r: 'read', w: 'write', x: 'execute' }
const NONE = 0xff
const hex = (n: number | bigint): string => n.toString(16)

type Slot = { readonly memslot: VmMemslot; readonly hva: number; lists: Map<number, string> }
type Leaves = Map<number, string>
/** The words of an operation after its name: as numbers and as text. */
type Words = { readonly n: readonly number[]; readonly text: readonly string[] }

/** The model of one sequence, and the objects that operations refer to by number. */
class VectorMachine {
  readonly vm: Vm
  readonly #host: HostProcess
  readonly #slots: (Slot | undefined)[] = []
  readonly #tables: GuestTable[] = []
  readonly #held: (NestedGuest | undefined)[] = []
  readonly #faults = new Map<string, PendingFault>()
  readonly #unmaps: PendingUnmap[] = []
  #hostLeaves: Leaves = new Map()
  #guests = new Map<number, Leaves>()

  constructor(options: VmOptions) {
    this.#host = new HostProcess(options.pageShift as PageShift)
    this.vm = new Vm({ ...options, backing: (gfn, write) => this.#backing(gfn, write) })
  }

  /** Runs an operation. Returns its result as the files write it. */
  run(operation: string): string {
    const [name, ...text] = operation.split(' ')
    const n = text.map((word) => (/^[0-9a-f]+$/.test(word) ? Number(`0x${word}`) : NaN))
    const run = this.#operations[name!]
    if (run === undefined) throw new Error(`unknown operation: ${operation}`)
    return run({ n, text }) ?? 'ok'
  }

  readonly #operations: Record<string, (words: Words) => string | void> = {
    slot: ({ n: [id, baseGfn, npages, flags, hva] }) => {
      const logDirty = (flags! & 1) !== 0
      const memslot = this.vm.addMemslot({ baseGfn: baseGfn!, npages: npages!, logDirty, readOnly: (flags! & 2) !== 0 })
      this.#slots[id!] = { memslot, hva: hva!, lists: new Map() }
    },
    rmslot: ({ n: [id] }) =>
      this.#onSlot(id, (memslot) => {
        this.vm.removeMemslot(memslot)
        this.#slots[id!] = undefined
      }),
    invslot: ({ n: [id] }) => this.#onSlot(id, (memslot) => this.vm.invalidateMemslot(memslot)),
    mvslot: ({ n: [id, baseGfn] }) => this.#onSlot(id, (memslot) => this.vm.moveMemslot(memslot, baseGfn!)),
    flush: ({ n: [id] }) => this.#onSlot(id, (memslot) => this.vm.flushMemslot(memslot)),
    log: ({ n: [id, on] }) =>
      this.#onSlot(id, (memslot) =>
        memslot.logDirty === (on === 1) ? 'skip' : this.vm.setLogDirty(memslot, on === 1),
      ),
    harvest: ({ n: [id] }) =>
      this.#onSlot(id, (memslot) =>
        memslot.logDirty ? ['dirty', ...this.vm.harvestDirty(memslot).map(hex)].join(' ') : 'skip',
      ),

    back: ({ n: [hva, shift, frame, writable, attributes], text }) => {
      const leaf = { frame: frame!, writable: writable === 1, attributes: attributes! }
      this.#host.map(hva!, shift as LeafShift, text[2] === 'f'.repeat(16) ? undefined : leaf)
    },
    backw: ({ n: [hva] }) => {
      const leaf = this.#host.find(hva!)
      if (leaf === undefined) return 'skip'
      this.#host.replace(leaf, {})
    },
    split: ({ n: [hva, shift] }) => {
      const leaf = this.#host.find(hva!)
      if (leaf === undefined || leaf.shift <= shift! || this.#host.copies.size > 0) return 'skip'
      this.#host.split(leaf, shift as LeafShift)
    },
    cow: ({ n: [hva, frame] }) => {
      const leaf = this.#host.find(hva!)
      if (leaf === undefined || leaf.writable || this.#host.copies.has(leaf.base)) return 'skip'
      this.#host.copies.set(leaf.base, frame!)
    },

    table: ({ n: [id, pageShift, rootBits] }) => {
      this.#tables[id!] = new GuestTable({ pageShift: pageShift as PageShift, rootBits: rootBits! })
    },
    ptbl: ({ n: [lpid, id] }) =>
      unlessBeyond('skip', () => void this.vm.setGuestTable(lpid!, id === NONE ? undefined : this.#tables[id!])),
    gmap: ({ n: [id, gpa, shift], text }) =>
      this.#tables[id!]!.write(gpa!, shift as LeafShift, BigInt(`0x${text[3]!}`)),
    gunmap: ({ n: [id, gpa] }) => void this.#tables[id!]!.unmap(gpa!),
    gprot: ({ n: [id, gpa, flags] }) => void this.#tables[id!]!.protect(gpa!, flags!),
    ptsize: ({ n: [field] }) => {
      if (field! > 4) return 'H_PARAMETER'
      this.vm.setPartitionTable(field!)
      return 'H_SUCCESS'
    },
    enter: ({ n: [lpid, handle] }) => {
      if (this.#held[handle!] !== undefined) return 'skip'
      return unlessBeyond('none', () => {
        this.#held[handle!] = this.vm.enter(lpid!)
        return `shadow ${this.#held[handle!]!.shadowLpid}`
      })
    },
    leave: ({ n: [handle] }) =>
      this.#onGuest(handle, (guest) => {
        this.#held[handle!] = undefined
        this.vm.leave(guest)
      }),

    fault: ({ n: [lpid, gpa], text }) =>
      unlessBeyond('none', () => resultText(this.vm.fault({ lpid: lpid!, gpa: gpa!, access: ACCESS[text[2]!]! }))),
    setrc: ({ n: [lpid, gpa], text }) =>
      unlessBeyond('none', () => resultText(this.vm.setRc({ lpid: lpid!, gpa: gpa!, access: ACCESS[text[2]!]! }))),
    hfault: ({ n: [handle, gpa], text }) =>
      this.#onGuest(handle, (guest) => resultText(this.vm.fault({ guest, gpa: gpa!, access: ACCESS[text[2]!]! }))),
    hsetrc: ({ n: [handle, gpa], text }) =>
      this.#onGuest(handle, (guest) => resultText(this.vm.setRc({ guest, gpa: gpa!, access: ACCESS[text[2]!]! }))),
    bfault: ({ n: [, lpid, gpa], text }) =>
      unlessBeyond('none', () => {
        const begun = this.vm.beginFault({ lpid: lpid!, gpa: gpa!, access: ACCESS[text[3]!]! })
        if (begun.outcome !== 'pending') return resultText(begun)
        this.#faults.set(text[0]!, begun)
        return 'pending'
      }),
    commit: ({ text: [id] }) => {
      const pending = this.#faults.get(id!)
      this.#faults.delete(id!)
      return pending === undefined ? 'skip' : resultText(pending.commit())
    },

    unmap: ({ n: [gfn, npages] }) => this.#unmap((visitor) => this.vm.unmap(gfn!, { npages: npages!, visitor })),
    ubegin: ({ n: [gfn, npages] }) =>
      this.#unmap((visitor) => this.#unmaps.push(this.vm.beginUnmap(gfn!, { npages: npages!, visitor }))),
    uend: () => {
      const pending = this.#unmaps.pop()
      return pending === undefined ? 'skip' : pending.end()
    },
    age: ({ n: [gfn] }) => (this.vm.age(gfn!) ? '1' : '0'),
    testage: ({ n: [gfn] }) => (this.vm.testAge(gfn!) ? '1' : '0'),
    tlbie: ({ text }) => {
      const [instr, rs, rb] = text.map((word) => BigInt(`0x${word}`))
      return this.vm.tlbInvalidate({ instr: instr!, rs: rs!, rb: rb! })
    },
    rpt: ({ text }) => {
      const [lpid, target, type, pageSizes, start, end] = text.map((word) => BigInt(`0x${word}`))
      return this.vm.rptInvalidate({
        lpid: lpid!,
        target: target!,
        type: type!,
        pageSizes: pageSizes!,
        start: start!,
        end: end!,
      })
    },
    release: () => this.vm.releaseAll(),
    pagelimit: () => 'ok', // the options have both limits
    nodelimit: () => 'ok',
  }

  /** The changes since the last call. */
  changes(): string {
    const { vm } = this
    const host = leavesOf(vm.host)
    const out = differences('h', this.#hostLeaves, host)
    this.#hostLeaves = host

    const known = new Set([...vm.guests, ...this.#held.filter((guest) => guest !== undefined)])
    const guests = new Map([...known].map((guest) => [guest.shadowLpid, leavesOf(guest.shadow)]))
    for (const lpid of [...new Set([...this.#guests.keys(), ...guests.keys()])].sort((a, b) => a - b)) {
      const [before, now] = [this.#guests.get(lpid), guests.get(lpid)]
      if (before === undefined) out.push(`g+${lpid}`)
      out.push(...differences(`s${lpid}`, before ?? new Map(), now ?? new Map()))
      if (now === undefined) out.push(`g-${lpid}`)
    }
    this.#guests = guests

    for (const slot of this.#slots) if (slot !== undefined) out.push(...listChanges(slot))
    const { nodes, tablePages, scanSteps, flushes } = vm.counters
    const { l1, l2, wrongPartition } = flushes
    return [...out, `c${[nodes.inUse, tablePages, scanSteps, vm.mmuSeq, l1, l2, wrongPartition].join(',')}`].join(' ')
  }

  #backing(gfn: number, write: boolean): ReturnType<HostProcess['backing']> {
    const slot = this.#slots.find((one) => one?.memslot.rmap.contains(gfn))!
    const hva = slot.hva + (gfn - slot.memslot.baseGfn) * 2 ** this.#host.pageShift
    const leaf = this.#host.find(hva)
    const copy = leaf === undefined ? undefined : this.#host.copies.get(leaf.base)
    if (leaf !== undefined && write && !leaf.writable && copy !== undefined) {
      const pages = 2 ** (leaf.shift - this.#host.pageShift)
      this.#host.copies.delete(leaf.base)
      this.vm.unmap(gfn - Math.floor((hva - leaf.base) / 2 ** this.#host.pageShift), { npages: pages })
      this.#host.replace(leaf, { frame: copy })
    }
    return this.#host.backing(hva)
  }

  #onSlot(id: number | undefined, run: (memslot: VmMemslot) => string | void): string | void {
    const slot = this.#slots[id!]
    return slot === undefined ? 'skip' : run(slot.memslot)
  }

  #onGuest(handle: number | undefined, run: (guest: NestedGuest) => string | void): string | void {
    const guest = this.#held[handle!]
    return guest === undefined ? 'skip' : run(guest)
  }

  /** The entries that an unmap visited: the first 16, `!` cleared, `~` stale. */
  #unmap(run: (visitor: NonNullable<NonNullable<Parameters<Vm['unmap']>[1]>['visitor']>) => unknown): string {
    const met: string[] = []
    run({ entry: (_, { lpid, gpa }, fate) => met.push(` ${hex(lpid)}:${hex(gpa)}${fate === 'cleared' ? '!' : '~'}`) })
    return `ok [${met.length}${met.slice(0, 16).join('')}]`
  }
}

/** An LPID beyond the partition table does not exist: the model throws an error, Linux returns its own result. */
function unlessBeyond(text: string, run: () => string | void): string | void {
  try {
    return run()
  } catch (error) {
    if (error instanceof RangeError && error.message.startsWith('lpid')) return text
    throw error
  }
}

function resultText(result: FaultResult | SetRcResult): string {
  switch (result.outcome) {
    case 'mapped': {
      const mixes = result.warning?.split(';').some((warning) => /LPID.*OR-ed/.test(warning)) ?? false
      const { change, gpa, shift, gfn, insert = '-' } = result
      return `mapped ${change} ${hex(gpa)} ${shift} ${hex(gfn)} ${insert}${mixes ? ' mixed' : ''}`
    }
    case 'forward-to-l1':
      return `forward ${result.reason}`
    case 'mmio':
      return `mmio ${hex(BigInt(result.l1Gpa))}`
    case 'retry':
      return result.reason.endsWith('leaf') ? `retry ${result.reason}` : 'retry'
    default:
      return result.outcome
  }
}

const leavesOf = (table: RadixTable): Leaves =>
  new Map(Array.from(table.leaves(), ({ gpa, shift, word }) => [gpa, `/${shift}:${hex(word)}`]))

function differences(name: string, before: Leaves, now: Leaves): string[] {
  const out: string[] = []
  for (const gpa of [...new Set([...before.keys(), ...now.keys()])].sort((a, b) => a - b)) {
    const [was, is] = [before.get(gpa), now.get(gpa)]
    if (was === is) continue
    const at = hex(gpa)
    const [oldSize, newSize] = [was?.split(':')[0], is?.split(':')[0]]
    if (oldSize === newSize) {
      out.push(`${name}=${at}${is!}`)
      continue
    }
    const cleared = was === undefined ? [] : [{ size: oldSize!, text: `${name}-${at}${oldSize!}` }]
    const made = is === undefined ? [] : [{ size: newSize!, text: `${name}+${at}${is}` }]
    const both = [...cleared, ...made].sort((a, b) => Number(a.size.slice(1)) - Number(b.size.slice(1)))
    out.push(...both.map(({ text }) => text))
  }
  return out
}

function listChanges(slot: Slot): string[] {
  const { memslot, lists: before } = slot
  slot.lists = new Map()
  for (let index = 0; index < memslot.npages; index++) {
    if (!memslot.rmap.isEmptyAt(index)) slot.lists.set(index, listText(memslot, memslot.baseGfn + index))
  }
  return [...new Set([...before.keys(), ...slot.lists.keys()])]
    .sort((a, b) => a - b)
    .filter((index) => before.get(index) !== slot.lists.get(index))
    .map((index) => `r${hex(memslot.baseGfn + index)}=${slot.lists.get(index) ?? '-'}`)
}

function listText(memslot: VmMemslot, gfn: number): string {
  const entries = memslot.entries(gfn)
  const shown = entries.slice(0, 8).map(({ lpid, gpa }) => `,${hex(lpid)}:${hex(gpa)}`)
  return `${(memslot.word(gfn) & 1n) === 1n ? 's' : `L${entries.length}`}${shown.join('')}${entries.length > 8 ? hashText(entries) : ''}`
}

function hashText(entries: readonly { lpid: number; gpa: number }[]): string {
  let hash = 0
  for (const { lpid, gpa } of entries) {
    hash = Math.imul(hash, 16777619) ^ (gpa | 0)
    hash = Math.imul(hash, 16777619) ^ ((lpid << 20) | Math.floor(gpa / 2 ** 32))
  }
  return `,#${(hash >>> 0).toString(16).padStart(8, '0')}`
}
