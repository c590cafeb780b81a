/** What this process holds: garbage is collected first, as nothing may depend on when V8 does that. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | null = null

/** Bytes of the heap and of buffers that something refers to. Never the resident memory: that is the allocator's affair. */
export async function liveBytes(): Promise<number> {
  if (collect === null) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
  // What is freed by finalisers is garbage one turn later.
  await nextTurn()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
