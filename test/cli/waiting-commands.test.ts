/** Commands that wait for PostgreSQL end at the first signal: nothing has begun that somebody would have to stop in order. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { openCliFolder } from './run-cli.ts'

it.each([['enable'], ['status'], ['tail'], ['record', 'changes.rec']])('%s', async (...args) => {
  // Lets everybody in and never answers.
  const silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  try {
    await using folder = await openCliFolder(
      { DATABASE_URL: `postgresql://nobody:none@127.0.0.1:${port}/none?sslmode=disable` },
      'models: { Tag: {} }',
    )
    const waiting = folder.start(args)
    await Promise.race([once(silent, 'connection'), waiting.ended])
    // Ended by the signal, and not by an error of its own.
    expect(await waiting.stop('SIGTERM')).toMatchObject({ code: null })
  } finally {
    silent.close()
  }
})
