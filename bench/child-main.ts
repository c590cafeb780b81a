/** The contender's side of `child.ts`: loads the module named on the command line and answers calls. */
import { pathToFileURL } from 'node:url'
import type { AnswerMessage, CallMessage, Commands, Usage } from './child.ts'

function usage(): Usage {
  const { user, system } = process.cpuUsage()
  const { gc } = globalThis as { gc?: () => void }
  gc?.()
  return { cpuMicros: user + system, rssBytes: process.memoryUsage.rss() }
}

const { commands } = (await import(pathToFileURL(process.argv[2] ?? '').href)) as { commands: Commands }
const known: Commands = { ...commands, usage }

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
