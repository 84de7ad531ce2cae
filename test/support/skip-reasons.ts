/** A Vitest reporter that lists the skipped tests at the end of `npm test`, with the reason if `context.skip` gave one. */
import type { Reporter, TestModule } from 'vitest/node'

export default class SkipReasons implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result()
        const reason = result.state === 'skipped' && result.note !== undefined ? `: ${result.note}` : ''
        console.log(`skipped: ${module.relativeModuleId}: ${test.fullName}${reason}`)
      }
    }
  }
}
