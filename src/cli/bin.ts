#!/usr/bin/env node
/**
 * The program `nested-rmap`: starts the command line. Node 22.1 and later keeps the compiled code for the next start
 * (NODE_DISABLE_COMPILE_CACHE=1 disables this). It does not keep modules that are imported before the call, so this
 * file does nothing else.
 */
import module from 'node:module'

const { enableCompileCache } = module as { enableCompileCache?: () => unknown }
enableCompileCache?.()
await import(new URL('./cli-main.js', import.meta.url).href)
