/**
 * A race in two halves: a nested guest faults, and before its shadow leaf is made the host takes the page away (spec 7).
 *
 * The fault has sampled mmuSeq (KVM: mmu_invalidate_seq) before it read the host table. The number has moved when the
 * fault comes back, so it gives up, and the guest faults again: no leaf ever maps the page that was taken away.
 */
import { GuestTable, Vm } from 'nested-rmap'

const vm = new Vm()
vm.addMemslot({ baseGfn: 0, npages: 16 })
vm.setGuestTable(5, new GuestTable()).map({ gpa: 0x10000, to: 0x30000 })

const fault = vm.beginFault({ lpid: 5, gpa: 0x10000, access: 'write' })
console.log(fault.outcome, vm.mmuSeq) // => pending 0

const unmap = vm.beginUnmap(3) // the host has taken the page away, but is not done yet
console.log(vm.fault({ lpid: 5, gpa: 0x10000, access: 'read' }).outcome) // => retry
unmap.end()
console.log(vm.mmuSeq) // => 1

if (fault.outcome !== 'pending') throw new Error('the fault has ended already')
const result = fault.commit()
console.log(result.outcome, result.reason) // => retry mmu-seq
console.log(vm.entries(3).length) // => 0

console.log(vm.fault({ lpid: 5, gpa: 0x10000, access: 'write' }).outcome) // => mapped
console.log(vm.entries(3).length, vm.check().length) // => 1 0
