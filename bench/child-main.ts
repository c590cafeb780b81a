/** The contender's side of `child.ts`: loads the module named on the command line and answers calls. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { AnswerMessage, CallMessage, Commands, Usage } from './child.ts'

function usage(): Usage {
  const { user, system } = process.cpuUsage()
  const { gc } = globalThis as { gc?: () => void }
  gc?.()
  return { cpuMicros: user + system, rssBytes: process.memoryUsage.rss() }
}

/** Bytes that something refers to. Collects first, which later figures of time and CPU are not to include: ask before or after those. */
async function liveBytes(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  // What is freed by finalisers is garbage one turn later.
  await nextTurn()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const { commands } = (await import(pathToFileURL(process.argv[2] ?? '').href)) as { commands: Commands }
const known: Commands = { ...commands, usage, liveBytes }

process.on('message', ({ id, command, input }: CallMessage) => {
  const answer = (message: Omit<AnswerMessage, 'id'>) => process.send?.({ id, ...message })
  Promise.resolve()
    .then(() => known[command]?.(input as never))
    .then(
      (result) => answer({ result }),
      (error: unknown) =>
        answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
})
// The parent is gone, or has what it wanted: whatever still runs here is of no use.
process.once('disconnect', () => process.exit())
