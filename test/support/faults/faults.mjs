/**
 * `node --import tsx --import …/faults.mjs`: who holds the process's channel says which function of src/ is to throw
 * next, and hears which ones were called, and by whom.
 */
import { register } from 'node:module'

const SRC = new URL('../../../src/', import.meta.url).pathname
const GUARD = `${SRC}guard.ts`

/** By function, whether Node.js or the guard called it: then nobody above it catches. Null: not recorded. */
let called = null
let wanted = ''
globalThis.__fault = (id) => {
  if (called !== null) called.set(id, called.get(id) === true || isEntry())
  if (id !== wanted) return
  wanted = ''
  process.send({ thrown: id })
  throw new Error(`Thrown at ${id}, password=hunter2`)
}

function isEntry() {
  // The message, this, `__fault` and the function itself come first; what calls back at once (Array.map) is no caller.
  const frames = new Error().stack.split('\n').slice(4)
  const caller = frames.find((frame) => !frame.endsWith('(<anonymous>)')) ?? ''
  return !caller.includes(SRC) || caller.includes(GUARD)
}

register('./fault-hooks.mjs', import.meta.url)

process.on('message', ({ record, report, fault }) => {
  if (record) called = new Map()
  if (report) process.send({ called: [...called] })
  if (report) called = null
  if (fault !== undefined) {
    wanted = fault
    process.send({ armed: fault })
  }
})
process.channel?.unref()
