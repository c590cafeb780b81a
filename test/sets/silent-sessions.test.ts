/** Sessions are rows, and one connection of the application's pool falls silent while they are looked for again. */
import { expect, test, vi } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { followSessions } from '../../src/rowcast-sessions.ts'
import { StreamWatchers } from '../../src/sets/stream-watchers.ts'
import { seeing } from '../support/seeing.ts'

/** What sessions of tags work with. */
function partsWith(tag: object, client: object = {}) {
  const guard = createGuard(silentLogger)
  const watchers = new StreamWatchers(guard)
  const parts = {
    ...{ catalog, guard, bus: { watchers }, models: { options: new Map() } },
    ...{
      visibility: { look: () => Promise.resolve(seeing(() => true)) },
      options: { prisma: { tag, ...client } },
    },
    target: { waits: { answerTimeoutMs: 20 } },
  }
  return { parts, watchers }
}

test('where row level security hides the sessions, that is said, and not that they are over', async () => {
  const findMany = async () => []
  let hiding: string | null = 'public."Tag"'
  const session = {
    tag: { findMany },
    $queryRawUnsafe: async (sql: string) =>
      sql.includes('pg_locks') ? [{ rewritten: false, hiding }] : [{ snapshot: '1:1:', lsn: '0/1' }],
  }
  const client = { ...session, $transaction: (run: (of: typeof session) => unknown) => run(session) }
  const { parts } = partsWith({ findMany }, client)
  const sessions = followSessions(parts as never, () => false, {
    model: catalog.models.Tag,
    of: ({ id }: { readonly id: number }) => ({ id }),
  })
  await expect(sessions.find({ id: 1 })).rejects.toMatchObject({
    code: 'CONTEXT_TIMEOUT',
    cause: { code: 'SOURCE_ROW_SECURITY' },
  })
  hiding = null
  await expect(sessions.find({ id: 1 })).rejects.toMatchObject({ code: 'SESSION_REVOKED' })
})

test('a read that has no answer is given up, and the next one ends a session that is gone', async () => {
  const reads = [
    () => Promise.resolve([{ id: 1, name: 'session' }]),
    () => new Promise<never>(() => {}),
    () => Promise.resolve([]),
  ]
  const findMany = vi.fn(() => (reads.shift() ?? (() => Promise.resolve([])))())
  const { parts, watchers } = partsWith({ findMany })
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
