/**
 * Commands that wait for PostgreSQL end at the first signal: nothing has begun that somebody would have to stop in order. Also as process 1,
 * as in a container, which Linux ends by no signal that it has no handler for.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { AS_FIRST, openCliFolder } from './run-cli.ts'

const canBeFirst = spawnSync(AS_FIRST[0], [...AS_FIRST.slice(1), 'true']).status === 0

describe.each([
  ['', false],
  [' as process 1', true],
] as const)('a command that waits%s', (_, isFirst) => {
  it.skipIf(isFirst && !canBeFirst).each([
    [['enable'], 'SIGINT', 130],
    [['status'], 'SIGTERM', 143],
    [['tail'], 'SIGTERM', 143],
    [['record', 'changes.rec'], 'SIGTERM', 143],
  ] as const)('%s', async (args, signal, code) => {
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
      const waiting = folder.start(args, {}, { isFirst })
      await Promise.race([once(silent, 'connection'), waiting.ended])
      // Ended by the signal, and not by an error of its own.
      expect(await waiting.stop(signal)).toMatchObject({ code, stderr: '' })
    } finally {
      silent.close()
    }
  })
})
