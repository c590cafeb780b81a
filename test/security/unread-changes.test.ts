/** A change that cannot be read ends who was to get it with a code, the cursor behind it and the id of what the log has. */
import { describe, expect, test, vi } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import type { OlderLog } from '../../src/bus/bus.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { startServer } from '../server/server-fixture.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'
import { failingOlderLog } from '../support/unread-part.ts'
import { type Answer, STREAM_TRANSPORTS, type Stream } from './transports.ts'

const USERS = 'subscription ($after: Cursor) { userChanged(after: $after) { cursor new { email } } }'
const THROWN: Readonly<Record<string, unknown>> = {
  'an error of the runtime': new RangeError('password=hunter2'),
  'an error of ours that is none for clients': new RowcastError('BUG', 'password=hunter2'),
  'no error at all': 'password=hunter2',
}

/** To the end: what came, and the failure. */
async function readAll(stream: Stream): Promise<{ readonly emails: unknown[]; readonly failure: Answer }> {
  const emails: unknown[] = []
  for (;;) {
    const answer = await stream.next()
    if (answer.errors.length > 0 || answer.closed !== undefined) return { emails, failure: answer }
    emails.push((answer.data as { userChanged: { new: { email: string } } }).userChanged.new.email)
  }
}

function userPart(commit: number, email: string): TransactionPart {
  const transaction = plainTransaction(commit)
  const changes = [plainChange({ transaction, index: 0, action: 'INSERT', new: { email } })]
  return { transaction, changes, isFinal: true, byteLength: 0 }
}

describe.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'over %s',
  (_, transport) => {
    test.each(Object.entries(THROWN))('%s', async (_name, error) => {
      const feed = createFakeFeed(catalog, ['User', 'Team'])
      feed.open()
      const schema = buildServiceSchema({
        ...{ catalog, prisma: createRecordingPrisma(), feed },
        models: { User: {}, Team: {} },
      })
      const { url, logged } = await startServer({ schema })
      const readers = [await transport.open(url, USERS), await transport.open(url, USERS)]
      const beside = await transport.open(url, 'subscription { teamChanged { new { name } } }')
      await vi.waitUntil(() => feed.requests.length === 3, { timeout: 30_000 })
      feed.commitUnread(
        ...([1, error] as const),
        { action: 'INSERT', new: { email: 'before' } },
        { action: 'INSERT', new: { email: 'unread' } },
        { action: 'INSERT', new: { email: 'after' } },
        { model: 'Team', action: 'INSERT', new: { name: 'beside' } },
      )
      const read = await Promise.all(readers.map(readAll))
      const ends = read.map(({ failure }) => failure.errors[0]?.extensions ?? {})
      expect(read.map(({ emails }) => emails)).toEqual([['before'], ['before']])
      expect(ends[0]).toMatchObject({
        ...{ code: 'CHANGE_UNDELIVERABLE', cursor: expect.any(String) },
        ...{ id: expect.any(String), hint: expect.any(String) },
      })
      expect(ends[1]).toEqual(ends[0])
      const lines = logged.filter((line) => line.includes(String(ends[0]?.['id'])))
      expect(lines).toHaveLength(1)
      if (error instanceof Error) expect(lines[0]).toContain(error.name)
      expect(JSON.stringify(read)).not.toContain('hunter2')
      const resumed = await transport.open(url, USERS, { variables: { after: ends[0]?.['cursor'] } })
      expect((await resumed.next()).data).toMatchObject({ userChanged: { new: { email: 'after' } } })
      expect(await beside.next()).toMatchObject({
        errors: [],
        data: { teamChanged: { new: { name: 'beside' } } },
      })
      for (const stream of [...readers, beside, resumed]) await stream.leave()
    })

    test('a broker that cannot be read: each is asked to come back at another time, and goes on where it was', async () => {
      let failure: Error | null = new RangeError('password=hunter2')
      const parts = [userPart(10, 'before'), userPart(20, 'after')]
      const older = failingOlderLog(parts.slice(0, 1), () => failure)
      const read: OlderLog['read'] = (model, after) =>
        (failure === null ? failingOlderLog(parts, () => null) : older).read(model, after)
      const feed = createFakeFeed(catalog, ['User', 'Team'], true, { older: { ...older, read } })
      feed.open(100n)
      const schema = buildServiceSchema({
        ...{ catalog, prisma: createRecordingPrisma(), feed },
        models: { User: {}, Team: {} },
      })
      const { url, logged } = await startServer({ schema })
      const after = formatCursor(PLAIN_ORIGIN, toLsn(5n), 0)
      const beside = await transport.open(url, 'subscription { teamChanged { new { name } } }')
      const open = () => transport.open(url, USERS, { variables: { after } })
      // Several: two might be asked to come back at the same time.
      const readers = await Promise.all([open(), open(), open(), open()])
      const all = await Promise.all(readers.map(readAll))
      const ends = all.map((each) => each.failure.errors[0]?.extensions ?? {})
      for (const [index, end] of ends.entries()) {
        expect(all[index]?.emails).toEqual(['before'])
        expect(end).toMatchObject({
          ...{ code: 'MODEL_UNAVAILABLE', retryAfterMs: expect.any(Number), hint: expect.any(String) },
          ...{ cursor: formatCursor(PLAIN_ORIGIN, toLsn(10n), 0), id: expect.any(String) },
        })
      }
      expect(new Set(ends.map(({ id }) => id)).size).toBe(1)
      expect(new Set(ends.map(({ retryAfterMs }) => retryAfterMs)).size).toBeGreaterThan(1)
      expect(logged.filter((line) => line.includes(String(ends[0]?.['id'])))).toHaveLength(1)
      expect(JSON.stringify(all)).not.toContain('hunter2')
      failure = null
      const resumed = await transport.open(url, USERS, { variables: { after: ends[0]?.['cursor'] } })
      expect((await resumed.next()).data).toMatchObject({ userChanged: { new: { email: 'after' } } })
      feed.commitAt(200, { model: 'Team', action: 'INSERT', new: { name: 'beside' } })
      expect((await beside.next()).data).toEqual({ teamChanged: { new: { name: 'beside' } } })
      for (const stream of [...readers, beside, resumed]) await stream.leave()
    })
  },
)
