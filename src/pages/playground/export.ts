/** Writes a sequence as a TypeScript program that runs the same operations with the library. */
import { hex } from '../shared/text'
import type { Step } from './history'
import { FIRST_HPA, guestFlags } from './machine'
import { MEMORY_BYTES, type Settings } from './ops'

/** The parts of a step that a program needs. */
type Done = Pick<Step, 'op' | 'outcome' | 'refusal'>

/** The program. It exports `vm`, in its state after the steps. */
export function toTypeScript(
  settings: Settings,
  steps: readonly Done[],
  title = 'A sequence from the playground',
): string {
  const { pageShift, placement, hostPages, allowLpidZero } = settings
  const options = [`pageShift: ${pageShift}`, `placement: '${placement}'`]
  if (allowLpidZero) options.push('allowLpidZero: true')
  if (hostPages === '2m') {
    options.push(`backing: (gfn) => ({ hpa: ${hex(FIRST_HPA)} + gfn * ${hex(2 ** pageShift)}, shift: 21 })`)
  }
  const begun = { faults: 0, unmaps: 0 }
  const body = steps.map((step) =>
    step.refusal === undefined
      ? statement(step, settings, begun)
      : `// not possible: ${step.op.kind}: ${step.refusal.replaceAll('\n', ' ')}`,
  )
  const usesTables = steps.some(({ op, refusal }) => op.kind === 'guest' && refusal === undefined)
  return `// ${title.replaceAll('\n', ' ')}. Save as play.ts, npm install nested-rmap, and run it (npx tsx play.ts).
import { ${usesTables ? 'GuestTable, ' : ''}Vm } from 'nested-rmap'
import { drawMemslot } from 'nested-rmap/view'

export const vm = new Vm({ ${options.join(', ')} })
const memslot = vm.addMemslot({ baseGfn: 0, npages: ${MEMORY_BYTES / 2 ** pageShift} })
${usesTables ? 'const tableOf = (lpid: number) => vm.guestTable(lpid) as GuestTable\n' : ''}
${body.join('\n')}

console.log(drawMemslot(memslot))
console.log(vm.check()) // the invariants that the state breaks
`
}

function statement({ op, outcome }: Done, { pageShift }: Settings, begun: { faults: number; unmaps: number }): string {
  switch (op.kind) {
    case 'guest':
      return `vm.setGuestTable(${op.lpid}, new GuestTable({ pageShift: ${pageShift} }))\nvm.leave(vm.enter(${op.lpid}))`
    case 'map':
      return `tableOf(${op.lpid}).map({ gpa: ${hex(op.gpa)}, to: ${hex(op.to)}, shift: ${op.shift}, flags: ${hex(guestFlags(op.allow))} })`
    case 'unmap-guest':
      return `tableOf(${op.lpid}).unmap(${hex(op.gpa)})`
    case 'protect':
      return `tableOf(${op.lpid}).protect(${hex(op.gpa)}, ${hex(guestFlags(op.allow))})`
    case 'tlbie-page':
      return `vm.tlbie({ kind: 'page', lpid: ${op.lpid}, gpa: ${hex(op.gpa)}, shift: ${op.shift} })`
    case 'tlbie':
      return `vm.tlbie({ kind: 'lpid', lpid: ${op.lpid}, ric: ${op.ric} })`
    case 'drop':
      return `vm.setGuestTable(${op.lpid}, undefined)\nvm.tlbie({ kind: 'lpid', lpid: ${op.lpid}, ric: 2 })`
    case 'fault':
      return `vm.fault({ lpid: ${op.lpid}, gpa: ${hex(op.gpa)}, access: '${op.access}' })`
    case 'begin-fault':
      return (
        (outcome?.fault?.outcome === 'pending' ? `const fault${++begun.faults} = ` : '') +
        `vm.beginFault({ lpid: ${op.lpid}, gpa: ${hex(op.gpa)}, access: '${op.access}' })`
      )
    case 'commit-fault':
      return `if (fault${op.n}.outcome === 'pending') fault${op.n}.commit()`
    case 'unmap':
      return `vm.unmap(${hex(op.gfn)})`
    case 'begin-unmap':
      return `const unmap${++begun.unmaps} = vm.beginUnmap(${hex(op.gfn)})`
    case 'end-unmap':
      return `unmap${op.n}.end()`
    case 'age':
      return `vm.age(${hex(op.gfn)})`
    case 'log':
      return `vm.setLogDirty(memslot, ${op.on})`
    case 'harvest':
      return 'vm.harvestDirty(memslot)'
  }
}
