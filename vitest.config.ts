import { defineConfig } from 'vitest/config'

// A hang is to fail, a slow machine is not.
export default defineConfig({ test: { testTimeout: 60_000, hookTimeout: 60_000 } })
