/** Vectors of level `vm`: a whole L1, with its memslots, guest tables and nested guests (spec 4 to 10). */
import type { Level } from './level'
import { drawSteps } from './shapes'
import { VM_ANSWERS, VM_OPERATIONS, type VmOperation } from './vm-operation'
import { VmModel, vmSettings, type VmSettings } from './vm-model'
import { VmScenario } from './vm-scenario'
import { firstSteps, vmShapes } from './vm-shapes'

/** @internal */
export const VM_LEVEL: Level<VmOperation, VmSettings> = {
  operations: VM_OPERATIONS,
  answers: VM_ANSWERS,
  settings: vmSettings,
  runner: (settings) => new VmModel(settings),
  *sequence(random, settings, weights, runner) {
    const scenario = new VmScenario(runner as VmModel, settings)
    for (const step of firstSteps(settings)) yield* scenario.play(step)
    const shapes = vmShapes(settings, weights)
    for (;;) for (const step of drawSteps(random, shapes)) yield* scenario.play(step)
  },
}
