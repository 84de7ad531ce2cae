/**
 * Designs of other reverse maps: one class for each, with the entries of one gfn. All count the entries that they compare
 * and the nodes that they allocate, and compute their bytes in the kernel's layout. An entry is a number: LPID and frame
 * have 52 bits. Our own code, written from the documentation of the designs.
 *
 *     insert(entry)   adds it; false if it is present (if the design checks)
 *     has(entry)      finds the duplicate, as a repeated fault does
 *     remove(entry)   removes one entry; undefined if the design cannot
 *     removeAll()     removes all entries; returns how many
 */

/** A heap of nodes of `size` numbers each; node 0 is none. Freed nodes are used first. */
class Heap {
  words
  allocations = 0
  inUse = 0
  #size
  #free = 0
  #end

  constructor(size) {
    this.#size = size
    this.#end = size
    this.words = new Float64Array(size * 64)
  }

  allocate() {
    this.allocations++
    this.inUse++
    const node = this.#free
    if (node !== 0) {
      this.#free = this.words[node]
      return node
    }
    const fresh = this.#end
    if (fresh + this.#size > this.words.length) {
      const words = new Float64Array(this.words.length * 2)
      words.set(this.words)
      this.words = words
    }
    this.#end += this.#size
    return fresh
  }

  free(node) {
    this.words[node] = this.#free
    this.#free = node
    this.inUse--
  }
}

/**
 * The nested rmap of Book3S HV: nodes of 16 bytes, `next` and `entry`; the oldest entry is in the last `next`, here
 * negative. With the scan for duplicates, as in Linux, or without it for comparison.
 */
export class NestedList {
  compares = 0
  #heap = new Heap(2)
  #head = 0 // 0: empty; negative: the only entry; else a node
  #scans

  constructor(scans) {
    this.#scans = scans
  }

  insert(entry) {
    if (this.#head === 0) {
      this.#head = -entry
      return true
    }
    if (this.#scans && this.has(entry)) return false
    const node = this.#heap.allocate()
    this.#heap.words[node] = this.#head
    this.#heap.words[node + 1] = entry
    this.#head = node
    return true
  }

  has(entry) {
    const { words } = this.#heap
    let next = this.#head
    for (; next > 0; next = words[next]) {
      this.compares++
      if (words[next + 1] === entry) return true
    }
    this.compares++
    return next === -entry
  }

  remove() {
    return undefined // Linux never removes a single entry: a stale one stays
  }

  removeAll() {
    let count = 1
    let next = this.#head
    this.#head = 0
    for (; next > 0; count++) {
      const node = next
      next = this.#heap.words[node]
      this.#heap.free(node)
    }
    return count
  }

  get allocations() {
    return this.#heap.allocations
  }

  get bytes() {
    return this.#heap.inUse * 16
  }
}

/**
 * x86's reverse map: a word with one pointer, or a chain of descriptors of 128 bytes: next descriptor, two counts, 14
 * pointers. Only the first descriptor can have free places. The entries are pointers to shadow leaves, so none is added
 * twice and there is no scan. An entry is removed with its leaf, and the newest entry moves to its place.
 */
export class Descriptors {
  static #MORE = 0
  static #COUNT = 1
  static #FIRST = 2
  static #ROOM = 14
  compares = 0
  #heap = new Heap(16)
  #head = 0

  insert(entry) {
    if (this.#head === 0) {
      this.#head = -entry
      return true
    }
    const only = this.#head < 0 ? -this.#head : 0
    if (only !== 0 || this.#heap.words[this.#head + Descriptors.#COUNT] === Descriptors.#ROOM) {
      const node = this.#heap.allocate()
      this.#heap.words[node + Descriptors.#MORE] = only === 0 ? this.#head : 0
      this.#heap.words[node + Descriptors.#COUNT] = 0
      this.#head = node
      if (only !== 0) this.#push(only)
    }
    this.#push(entry)
    return true
  }

  #push(entry) {
    const { words } = this.#heap
    words[this.#head + Descriptors.#FIRST + words[this.#head + Descriptors.#COUNT]++] = entry
  }

  has(entry) {
    return this.#find(entry) !== 0
  }

  #find(entry) {
    const { words } = this.#heap
    for (let node = this.#head; node > 0; node = words[node + Descriptors.#MORE]) {
      const first = node + Descriptors.#FIRST
      for (let at = first + words[node + Descriptors.#COUNT] - 1; at >= first; at--) {
        this.compares++
        if (words[at] === entry) return at
      }
    }
    return 0
  }

  remove(entry) {
    const { words } = this.#heap
    if (this.#head === -entry) {
      this.compares++
      this.#head = 0
      return true
    }
    const at = this.#find(entry)
    if (at === 0) return false
    const head = this.#head
    const newest = head + Descriptors.#FIRST + --words[head + Descriptors.#COUNT]
    words[at] = words[newest]
    if (newest === head + Descriptors.#FIRST) {
      this.#head = words[head + Descriptors.#MORE]
      this.#heap.free(head)
    }
    return true
  }

  removeAll() {
    const { words } = this.#heap
    let count = this.#head < 0 ? 1 : 0
    for (let node = this.#head; node > 0;) {
      const more = words[node + Descriptors.#MORE]
      count += words[node + Descriptors.#COUNT]
      this.#heap.free(node)
      node = more
    }
    this.#head = 0
    return count
  }

  get allocations() {
    return this.#heap.allocations
  }

  get bytes() {
    return this.#heap.inUse * 128
  }
}

/**
 * A sorted tree with nodes of 256 bytes, each with up to 16 entries or children, similar to a maple tree (proposed for
 * arm64's nested stage 2). A full node is split in half on the way down; an empty leaf stays.
 */
export class SortedTree {
  static #FANOUT = 16
  compares = 0
  allocations = 0
  #nodes = 0
  #root = this.#make(true)
  #size = 0

  #make(isLeaf) {
    this.allocations++
    this.#nodes++
    return { isLeaf, keys: [], children: [] }
  }

  /** The index of the first larger key. */
  #placeIn(node, entry) {
    let low = 0
    let high = node.keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      this.compares++
      if (node.keys[middle] <= entry) low = middle + 1
      else high = middle
    }
    return low
  }

  #leafOf(entry) {
    let node = this.#root
    while (!node.isLeaf) node = node.children[this.#placeIn(node, entry)]
    return node
  }

  insert(entry) {
    if (this.#isFull(this.#root)) {
      const old = this.#root
      this.#root = this.#make(false)
      this.#root.children.push(old)
      this.#split(this.#root, 0)
    }
    let node = this.#root
    while (!node.isLeaf) {
      let at = this.#placeIn(node, entry)
      if (this.#isFull(node.children[at])) {
        this.#split(node, at)
        this.compares++
        if (node.keys[at] <= entry) at++
      }
      node = node.children[at]
    }
    const at = this.#placeIn(node, entry)
    if (node.keys[at - 1] === entry) return false
    node.keys.splice(at, 0, entry)
    this.#size++
    return true
  }

  #isFull(node) {
    return (node.isLeaf ? node.keys : node.children).length === SortedTree.#FANOUT
  }

  #split(parent, at) {
    const left = parent.children[at]
    const right = this.#make(left.isLeaf)
    const half = SortedTree.#FANOUT / 2
    if (left.isLeaf) {
      right.keys = left.keys.splice(half)
      parent.keys.splice(at, 0, right.keys[0])
    } else {
      right.children = left.children.splice(half)
      right.keys = left.keys.splice(half)
      parent.keys.splice(at, 0, left.keys.pop())
    }
    parent.children.splice(at + 1, 0, right)
  }

  has(entry) {
    const leaf = this.#leafOf(entry)
    return leaf.keys[this.#placeIn(leaf, entry) - 1] === entry
  }

  remove(entry) {
    const leaf = this.#leafOf(entry)
    const at = this.#placeIn(leaf, entry) - 1
    if (leaf.keys[at] !== entry) return false
    leaf.keys.splice(at, 1)
    this.#size--
    return true
  }

  removeAll() {
    const count = this.#size
    this.#nodes = 0
    this.#root = this.#make(true)
    this.#size = 0
    return count
  }

  get bytes() {
    return this.#nodes * 256
  }
}
