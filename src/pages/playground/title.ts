/** The title of an operation, in a few words: for the headings, the list of steps and the buttons. */
import { LEAF_SIZES, hex } from '../shared/text'
import { permissionText, type Op } from './ops'
import type { StateView } from './view'

/** The title of an operation. @param before the L1 before it; undefined: not known */
export function titleOf(op: Op, before?: StateView): string {
  switch (op.kind) {
    case 'guest':
      return `L1 adds a nested guest: LPID ${op.lpid}`
    case 'map':
      return `L1 maps ${hex(op.gpa)} of LPID ${op.lpid} to gpa ${hex(op.to)} (${LEAF_SIZES[op.shift]}, ${permissionText(op.allow) || 'no access'})`
    case 'unmap-guest':
      return `L1 unmaps ${hex(op.gpa)} in its table for LPID ${op.lpid}`
    case 'protect':
      return `L1 sets the permissions of ${hex(op.gpa)} of LPID ${op.lpid} to ${permissionText(op.allow) || 'none'}`
    case 'tlbie-page':
      return `L1: tlbie of the ${LEAF_SIZES[op.shift]} page at ${hex(op.gpa)} of LPID ${op.lpid}`
    case 'tlbie':
      return `L1: tlbie of all of LPID ${op.lpid}, RIC ${op.ric}`
    case 'drop':
      return `L1 drops its nested guest LPID ${op.lpid}`
    case 'fault':
      return `LPID ${op.lpid} ${ACCESS[op.access]} ${hex(op.gpa)}`
    case 'begin-fault':
      return `LPID ${op.lpid} ${ACCESS[op.access]} ${hex(op.gpa)}: first half of the fault`
    case 'commit-fault': {
      const begun = before?.faults.find(({ n }) => n === op.n)
      return `Second half of fault ${op.n}${begun === undefined ? '' : ` (LPID ${begun.lpid}, ${hex(begun.gpa)})`}`
    }
    case 'unmap':
      return `The host takes gfn ${hex(op.gfn)} away`
    case 'begin-unmap':
      return `The host begins to take gfn ${hex(op.gfn)} away`
    case 'end-unmap':
      return `Invalidation ${op.n} ends`
    case 'age':
      return `The host ages gfn ${hex(op.gfn)}`
    case 'log':
      return `The host switches dirty logging ${op.on ? 'on' : 'off'}`
    case 'harvest':
      return 'The host harvests dirty pages'
  }
}

const ACCESS = { read: 'reads', write: 'writes', execute: 'executes' } as const
