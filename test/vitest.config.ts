import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Programs and browsers are started, and two cores may be busy.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: ['test/support/cases.ts'],
    reporters: ['default', 'test/support/skip-reasons.ts'],
  },
})
