/**
 * A race: a nested guest faults, and before L0 creates its shadow leaf the host takes the page away (spec 7).
 *
 * The fault samples mmuSeq (KVM: mmu_invalidate_seq) before it reads the host table. When it wants to create the leaf the
 * number has changed, so it gives up and the guest faults again. No leaf ever maps the page that was taken away.
 */
import { GuestTable, Vm } from 'nested-rmap'

const vm = new Vm()
vm.addMemslot({ baseGfn: 0, npages: 16 })
vm.setGuestTable(5, new GuestTable()).map({ gpa: 0x10000, to: 0x30000 })

const fault = vm.beginFault({ lpid: 5, gpa: 0x10000, access: 'write' })
console.log(fault.outcome, vm.mmuSeq) // => pending 0

const unmap = vm.beginUnmap(3) // the host has cleared its leaf, but the invalidation is still in progress
console.log(vm.fault({ lpid: 5, gpa: 0x10000, access: 'read' }).outcome) // => retry
unmap.end()
console.log(vm.mmuSeq) // => 1

if (fault.outcome !== 'pending') throw new Error('the fault has ended already')
const result = fault.commit()
console.log(result.outcome, result.reason) // => retry mmu-seq
console.log(vm.entries(3).length) // => 0

console.log(vm.fault({ lpid: 5, gpa: 0x10000, access: 'write' }).outcome) // => mapped
console.log(vm.entries(3).length, vm.check().length) // => 1 0
