/** Sessions are rows, and one connection of the application's pool falls silent while they are looked for again. */
import { expect, test, vi } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { followSessions } from '../../src/rowcast-sessions.ts'
import { StreamWatchers } from '../../src/sets/stream-watchers.ts'
import { seeing } from '../support/seeing.ts'

test('a read that has no answer is given up, and the next one ends a session that is gone', async () => {
  const guard = createGuard(silentLogger)
  const watchers = new StreamWatchers(guard)
  const reads = [
    () => Promise.resolve([{ id: 1, name: 'session' }]),
    () => new Promise<never>(() => {}),
    () => Promise.resolve([]),
  ]
  const findMany = vi.fn(() => (reads.shift() ?? (() => Promise.resolve([])))())
  const parts = {
    ...{ catalog, guard, bus: { watchers }, models: { options: new Map() } },
    ...{
      visibility: { look: () => Promise.resolve(seeing(() => true)) },
      options: { prisma: { tag: { findMany } } },
    },
    target: { waits: { answerTimeoutMs: 20 } },
  }
  const sessions = followSessions(parts as never, () => false, {
    model: catalog.models.Tag,
    of: ({ id }: { readonly id: number }) => ({ id }),
  })
  const row = await sessions.find({ id: 1 })
  if (row === null) throw new Error('It is there.')
  const onGone = vi.fn()
  sessions.watch(row, onGone)
  watchers.onLost(null)
  await expect.poll(() => onGone.mock.calls.flat().map(({ code }) => code)).toEqual(['SESSION_REVOKED'])
  expect(findMany).toHaveBeenCalledTimes(3)
})
