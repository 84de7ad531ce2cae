/**
 * The value that `nested_fault_ret` must have, given what the nested fault read and did (spec 5 and 6):
 *
 *     0     the L2 continues, and may fault again              2   L1 or an emulated device handles the fault
 *     -22   the guest leaf is smaller than the base page       other negative values: the result of a creation
 */
import type { KernelArray } from './kernel-arrays'
import type { NestedFault } from './nested-fault'
import { serves } from './fault-model'

/** The outcome of a nested fault, in the words of `FaultResult`; `set`: set-rc has set the bits. */
export type FaultOutcome =
  'mapped' | 'set' | 'retry' | 'forward-to-l1' | 'mmio' | 'fault-to-l2' | 'invalid' | 'no-memory' | 'error'

/** @internal A counter for each outcome. */
export const OUTCOMES_OF_FAULTS = (): Record<FaultOutcome, number> => ({
  mapped: 0,
  set: 0,
  retry: 0,
  'forward-to-l1': 0,
  mmio: 0,
  'fault-to-l2': 0,
  invalid: 0,
  'no-memory': 0,
  error: 0,
})

/** @internal The outcome of a fault, and whether it is the expected one. */
export interface Judgement {
  readonly outcome: FaultOutcome
  /** What the model expects, if the kernel did something else. */
  readonly expected?: string
  /** The same, unless a later event shows that the memslot was being deleted: then the outcome is mmio. */
  readonly later?: string
}

const EAGAIN = -11
const EINVAL = -22

/**
 * @internal Compares a fault's return value with the model.
 *
 * @param ret its return value
 * @param array the array of slot words for L1's address, if it is known
 * @param hasSetRc whether the recording shows set-rc
 */
export function judge(fault: NestedFault, ret: number, array: KernelArray | undefined, hasSetRc: boolean): Judgement {
  if (!fault.walked) {
    if (ret === 2 && fault.updated) return { outcome: 'forward-to-l1' }
    return { outcome: byRet(fault, ret), expected: fault.updated ? '2 (no root)' : 'a nested_walk' }
  }
  switch (fault.plan) {
    case 'forward':
      return want(2, ret, 'forward-to-l1', fault)
    case 'clear':
      return want(0, ret, 'retry', fault)
    case 'invalid':
      return want(EINVAL, ret, 'invalid', fault)
    case 'set-rc': {
      const { setRcs } = fault
      if (!hasSetRc) return want(0, ret, fault.cleared ? 'retry' : 'set', fault)
      if (setRcs.length === 2 && setRcs[1] === true) return want(0, ret, 'set', fault)
      if (setRcs.includes(false)) return want(0, ret, 'retry', fault)
      return { outcome: byRet(fault, ret), expected: 'a set_rc in the host leaf, then in the shadow leaf' }
    }
    case 'map':
      return judgeMapping(fault, ret, array)
  }
}

function judgeMapping(fault: NestedFault, ret: number, array: KernelArray | undefined): Judgement {
  const created = fault.shadowRet ?? (fault.hostRet === 0 ? undefined : fault.hostRet)
  if (created === 0) return want(0, ret, 'mapped', fault)
  if (created === EAGAIN) return want(0, ret, 'retry', fault)
  if (created !== undefined) return want(created, ret, 'no-memory', fault)
  // No leaf was created. A list node or a host page may have been missing: the L2 retries.
  if (array === undefined || array.readOnly === undefined) {
    return { outcome: array === undefined && ret >= 0 ? 'mmio' : byRet(fault, ret) }
  }
  if (array.readOnly && fault.access === 'write') {
    return ret >= 0 ? { outcome: 'fault-to-l2' } : { outcome: 'error', expected: 'a fault of the L2' }
  }
  if (ret === 0) return { outcome: 'retry' }
  if (ret > 0) return { outcome: 'mmio', later: 'a shadow leaf is created' }
  const isServed = fault.watch?.states.every((state) => serves(state, fault.access)) === true
  return isServed ? { outcome: 'error', expected: 'a shadow leaf is created' } : { outcome: 'error' }
}

function want(expected: number, ret: number, outcome: FaultOutcome, fault: NestedFault): Judgement {
  return ret === expected ? { outcome } : { outcome: byRet(fault, ret), expected: String(expected) }
}

/** The outcome that a return value alone suggests. */
function byRet({ shadowRet }: NestedFault, ret: number): FaultOutcome {
  if (ret === 2) return 'forward-to-l1'
  if (ret === EINVAL) return 'invalid'
  if (ret === -12) return 'no-memory'
  return ret < 0 ? 'error' : shadowRet === 0 ? 'mapped' : 'retry'
}
