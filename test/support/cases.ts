/**
 * Sets how many random cases the tests run, and which. By default they are the same each time. Environment variables:
 *
 *     TEST_CASES=10 npm test       ten times as many (0.1: a tenth)
 *     TEST_SEED=random npm test    other cases each time; TEST_SEED=7: those of seed 7
 *
 * fast-check prints the seed of a failure. Vitest loads this file before each file of tests.
 */
import fc from 'fast-check'

const { TEST_CASES = '1', TEST_SEED = '24301' } = process.env
const factor = Number(TEST_CASES)
if (!(factor > 0)) throw new RangeError(`TEST_CASES: expected a factor above 0, such as 10 or 0.1, got ${TEST_CASES}`)

if (TEST_SEED !== 'random') {
  const seed = Number(TEST_SEED)
  if (!Number.isInteger(seed)) throw new RangeError(`TEST_SEED: expected an integer or "random", got ${TEST_SEED}`)
  fc.configureGlobal({ seed })
}

/** `usual` times TEST_CASES cases: at least one. */
export function cases(usual: number): number {
  return Math.ceil(usual * factor)
}
