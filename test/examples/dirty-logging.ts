/**
 * Dirty logging, as for the migration of L1: which pages were written since the last harvest (spec 6, 10)?
 *
 * A nested guest writes to L1's memory without L1: the host finds these writes through the rmap.
 */
import { GuestTable, Vm } from 'nested-rmap'

const vm = new Vm()
const memslot = vm.addMemslot({ baseGfn: 0, npages: 32 })
const table = vm.setGuestTable(7, new GuestTable())
for (let page = 0; page < 8; page++) table.map({ gpa: page * 0x10000, to: (8 + page) * 0x10000 })

vm.setLogDirty(memslot, true) // flushes the memslot: from now on the host maps base pages only
vm.fault({ lpid: 7, gpa: 0x00000, access: 'write' })
vm.fault({ lpid: 7, gpa: 0x20000, access: 'write' })
console.log(vm.harvestDirty(memslot)) // => [ 8, 10 ]
console.log(vm.harvestDirty(memslot)) // => []

// The leaf's changed bit is cleared now. At the next write the hardware cannot set it: L0 does.
console.log(vm.setRc({ lpid: 7, gpa: 0x20000, access: 'write' }).outcome) // => set
console.log(vm.harvestDirty(memslot)) // => [ 10 ]

// A page that is dirty when the host takes it away is in the next harvest.
vm.setRc({ lpid: 7, gpa: 0x00000, access: 'write' })
vm.unmap(8)
console.log(vm.harvestDirty(memslot)) // => [ 8 ]
