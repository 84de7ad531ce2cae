/**
 * LPID reuse: L1 drops a nested guest and gives its LPID to a new one. The old guest's rmap entries stay (spec 9).
 *
 * They are stale, which is legal: an invalidation clears a shadow leaf only if it maps exactly the page taken away.
 */
import { GuestTable, Vm } from 'nested-rmap'

const vm = new Vm()
vm.addMemslot({ baseGfn: 0, npages: 16 })

const old = vm.setGuestTable(9, new GuestTable())
old.map({ gpa: 0x10000, to: 0x40000 })
old.map({ gpa: 0x20000, to: 0x40000 })
vm.fault({ lpid: 9, gpa: 0x10000, access: 'read' })
vm.fault({ lpid: 9, gpa: 0x20000, access: 'read' })

// L1 clears its partition table entry and flushes: the nested guest is dropped, its entries stay.
vm.setGuestTable(9, undefined)
vm.tlbie({ kind: 'lpid', lpid: 9, ric: 2 })
console.log(vm.guest(9), vm.entries(4).length) // => undefined 2

// A new nested guest with LPID 9 maps one of the addresses to the same page, and the other one to another page.
const reused = vm.setGuestTable(9, new GuestTable())
reused.map({ gpa: 0x10000, to: 0x40000 })
reused.map({ gpa: 0x20000, to: 0x50000 })
const first = vm.fault({ lpid: 9, gpa: 0x10000, access: 'read' })
const second = vm.fault({ lpid: 9, gpa: 0x20000, access: 'read' })
console.log('insert' in first && first.insert, 'insert' in second && second.insert) // => duplicate empty

// The host takes gfn 4 away. The leaf of one entry maps that page; the leaf of the other entry maps another page now.
vm.unmap(4, { visitor: { entry: (gfn, { gpa }, fate) => console.log(gfn, gpa.toString(16), fate) } })
// => 4 20000 other-frame
// => 4 10000 cleared
console.log(vm.entries(4).length, vm.entries(5).length, vm.check().length) // => 0 1 0
