#!/usr/bin/env node
/**
 * What `nested-rmap` starts: the command line, with its compiled code kept for the next start where the runtime can (Node
 * 22.1 and later; NODE_DISABLE_COMPILE_CACHE=1 turns it off). What is imported before it is switched on is not kept, so
 * this file has nothing else.
 */
import module from 'node:module'

const { enableCompileCache } = module as { enableCompileCache?: () => unknown }
enableCompileCache?.()
await import(new URL('./cli-main.js', import.meta.url).href)
