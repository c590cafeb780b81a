/** `rowcastActivity`: what it shows, in what order and how much of it; and to whom. */

import { type ExecutionResult, execute, parse, subscribe } from 'graphql'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { AnyChange } from '../../../src/changes/change.ts'
import { RowcastError } from '../../../src/errors.ts'
import { type Authorize, createActivityLog } from '../../../src/graphql/activity/activity-log.ts'
import { buildActivitySchema } from '../../../src/graphql/activity/activity-schema.ts'
import type { ModelExposure } from '../../../src/graphql/service-types.ts'
import { createGuard } from '../../../src/guard.ts'
import { silentLogger } from '../../../src/logger.ts'
import type { SourceStatus } from '../../../src/source/replication-source.ts'
import { blogCatalog } from '../blog-catalog.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { codeOf } from '../policy/viewer.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'

const CHANGES = `subscription { rowcastActivity { skipped changes {
  sequence model action hasOld hasNew key { name value } fields { name old new }
} } }`
const STATUS = `{ rowcastStatus { state lagBytes errorCode models { name inserts updates deletes subscriptions errorCode } } }`

const USER = {
  id: 'a',
  email: 'ada@x',
  bio: null,
  role: 'ADMIN',
  tags: ['x'],
  passwordHash: 'hash',
  createdAt: new Date(0),
}

interface Reported {
  readonly skipped: number
  readonly changes: readonly {
    readonly action: string
    readonly key: readonly { readonly value: string | null }[]
    readonly hasOld: boolean
    readonly hasNew: boolean
    readonly fields: readonly {
      readonly name: string
      readonly old: string | null
      readonly new: string | null
    }[]
  }[]
}

/** A blog whose activity is kept. */
function openActivity(
  models: Readonly<Record<string, ModelExposure>> = {},
  authorize: Authorize | null = null,
) {
  const feed = createFakeFeed(blogCatalog, ['User', 'Post'])
  const subscriptions = new Map<string, number>([
    ['User', 3],
    ['Post', 1],
  ])
  const status = {
    ...{ state: 'streaming', positions: { lagBytes: 12 }, lastError: null, subscriptions },
    drifted: [{ model: 'Post', error: new RowcastError('CATALOG_DRIFT', 'Post has drifted.') }],
  }
  const log = createActivityLog({
    guard: createGuard(silentLogger),
    ...{ feed, models: ['User', 'Post'], sampleIntervalMs: 10 },
    status: () => status as unknown as SourceStatus & typeof status,
  })
  log.start()
  onTestFinished(() => log.stop())
  const exposed = { User: {}, Post: {}, ...models }
  const schema = buildActivitySchema(
    { catalog: blogCatalog, prisma: createRecordingPrisma(), feed, models: exposed },
    { log, authorize },
  )
  const follow = (source: string) =>
    subscribe({ schema, document: parse(source), contextValue: { name: 'ada' } })
  return {
    ...{ feed, log, follow },
    query: (source: string) => execute({ schema, document: parse(source), contextValue: { name: 'ada' } }),
    /** Messages until `count` changes have been reported. */
    async take(count: number) {
      const results = await follow(CHANGES)
      if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results))
      const changes: Reported['changes'][number][] = []
      let skipped = 0
      while (changes.length + skipped < count) {
        const { value } = await results.next()
        const reported = (value as ExecutionResult<{ rowcastActivity: Reported }>).data?.rowcastActivity
        changes.push(...(reported?.changes ?? []))
        skipped += reported?.skipped ?? 0
      }
      await results.return(undefined)
      return { changes, skipped }
    },
  }
}

const insert = (id: string, more: object = {}): Partial<AnyChange> => ({
  ...{ model: 'User', action: 'INSERT', key: { id }, changed: ['email'], new: { ...USER, id, ...more } },
})

describe('activity', () => {
  it('ends the wait for a check that never answers', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { query, follow } = openActivity({}, () => new Promise(() => undefined))
    const answers = Promise.all([query('{ rowcastStatus { state } }'), follow(CHANGES)])
    await vi.advanceTimersByTimeAsync(10_000)
    for (const { errors } of (await answers) as readonly ExecutionResult[])
      expect(errors).toMatchObject([{ originalError: { code: 'POLICY_TIMEOUT' } }])
  })

  it('shows each kind of change as text, without the fields that nobody sees', async () => {
    const { feed, take } = openActivity({ User: { omit: ['email'] } })
    feed.commit(
      insert('a'),
      {
        ...{ model: 'User', action: 'UPDATE', key: { id: 'a' }, changed: ['role', 'email', 'passwordHash'] },
        ...{ old: USER, new: { ...USER, role: 'MEMBER', email: 'new@x', passwordHash: 'other' } },
      },
      // Nothing but what nobody sees differs.
      {
        ...{ model: 'User', action: 'UPDATE', key: { id: 'a' }, changed: ['email', 'passwordHash'] },
        ...{ old: USER, new: { ...USER, email: 'newest@x', passwordHash: 'third' } },
      },
      { model: 'User', action: 'DELETE', key: { id: 'a' }, old: USER },
      { model: 'User', action: 'TRUNCATE' },
    )
    const { changes } = await take(4)
    expect(changes.map(({ action }) => action)).toEqual(['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])
    expect(changes[0]).toMatchObject({ hasOld: false, hasNew: true, key: [{ name: 'id', value: 'a' }] })
    expect(changes[0]?.fields).toEqual([
      { name: 'id', old: null, new: 'a' },
      { name: 'bio', old: null, new: null },
      { name: 'role', old: null, new: 'ADMIN' },
      { name: 'tags', old: null, new: '[x]' },
      { name: 'createdAt', old: null, new: '1970-01-01T00:00:00.000Z' },
    ])
    expect(changes[1]?.fields).toEqual([{ name: 'role', old: 'ADMIN', new: 'MEMBER' }])
    expect(changes[3]).toMatchObject({ key: [], fields: [], hasOld: false, hasNew: false })
    expect(JSON.stringify(changes)).not.toMatch(/ada@x|new@x|hash/)
  })

  it('keeps the last hundred, cuts long values, and says how many it left out', async () => {
    const { feed, take, follow, query } = openActivity()
    const first = await follow(CHANGES)
    if (!(Symbol.asyncIterator in first)) throw new Error('refused')
    await first.next()
    const many = Array.from({ length: 150 }, (_, index) =>
      insert(String(index), { bio: 'long '.repeat(100) }),
    )
    feed.commit(...many)
    await expect
      .poll(() => query(STATUS))
      .toMatchObject({
        data: {
          rowcastStatus: { models: expect.arrayContaining([expect.objectContaining({ inserts: 150 })]) },
        },
      })
    let skipped = 0
    while (skipped === 0) {
      const { value } = await first.next()
      skipped = (value as ExecutionResult<{ rowcastActivity: Reported }>).data?.rowcastActivity.skipped ?? 0
    }
    expect(skipped).toBe(50)
    // Who comes later has missed nothing.
    const later = await take(100)
    expect(later.skipped).toBe(0)
    expect(later.changes.map(({ key }) => key[0]?.value)).toEqual(
      Array.from({ length: 100 }, (_, index) => String(50 + index)),
    )
    const bio = later.changes[0]?.fields.find(({ name }) => name === 'bio')?.new
    expect(bio).toHaveLength(160)
    expect(bio?.endsWith('…')).toBe(true)
  })

  it('shows the state of the stream and of each model', async () => {
    const { feed, query } = openActivity()
    feed.commit(insert('a'))
    await expect
      .poll(() => query(STATUS))
      .toEqual({
        data: {
          rowcastStatus: {
            ...{ state: 'streaming', lagBytes: 12, errorCode: null },
            models: [
              { name: 'User', inserts: 1, updates: 0, deletes: 0, subscriptions: 3, errorCode: null },
              {
                name: 'Post',
                inserts: 0,
                updates: 0,
                deletes: 0,
                subscriptions: 1,
                errorCode: 'CATALOG_DRIFT',
              },
            ],
          },
        },
      })
  })

  it('distinguishes models that commit in turns, in the order of their commits', async () => {
    const { feed, take } = openActivity()
    const steps = Array.from({ length: 12 }, (_, index) => String(index))
    feed.commit(
      ...steps.map((id) =>
        Number(id) % 3 === 0 ? insert(id) : { ...insert(id), model: 'Post', new: { id } },
      ),
    )
    const { changes } = await take(12)
    expect(changes.map(({ key }) => key[0]?.value)).toEqual(steps)
  })

  it('goes on after its own subscription was ended', async () => {
    const { feed, take, log } = openActivity()
    feed.commit(insert('a'))
    await expect.poll(() => log.of('User').counts.INSERT).toBe(1)
    feed.close(new RowcastError('RESYNC_REQUIRED', 'Something is missing.'))
    await expect.poll(() => feed.requests.length).toBe(4)
    feed.commit(insert('b'))
    expect((await take(2)).changes.map(({ key }) => key[0]?.value)).toEqual(['a', 'b'])
  })
})

describe('who sees it', () => {
  it('nobody whom `authorize` refuses', async () => {
    const asked: unknown[] = []
    const { follow, query } = openActivity({}, async (context) => {
      asked.push(context)
      return false
    })
    expect(codeOf(await follow(CHANGES))).toBe('FORBIDDEN')
    expect(codeOf(await query(STATUS))).toBe('FORBIDDEN')
    expect(asked).toEqual([{ name: 'ada' }, { name: 'ada' }])
  })

  it('of each model what its policies allow: no more than its own subscription shows', async () => {
    const { feed, take } = openActivity({
      User: { rows: () => ({ role: 'MEMBER' as never }), fields: () => ['id', 'role', 'bio'] as never },
      Post: { canSubscribe: () => false },
    })
    const member = { ...USER, id: 'm', role: 'MEMBER', bio: 'secret life' }
    feed.commit(
      insert('admin'),
      { model: 'Post', action: 'TRUNCATE' },
      // Nothing but a field that is hidden differs.
      {
        model: 'User',
        action: 'UPDATE',
        key: { id: 'm' },
        changed: ['email'],
        old: member,
        new: { ...member, email: 'n' },
      },
      // Nobody knows what differs.
      {
        ...{ model: 'User', action: 'UPDATE', key: { id: 'm' }, changed: [], old: null },
        new: { ...member, email: 'newer' },
      },
      // Out of sight, under a new key.
      {
        ...{
          model: 'User',
          action: 'UPDATE',
          key: { id: 'new key' },
          changed: ['id', 'role', 'bio'],
          old: member,
        },
        new: { ...USER, id: 'new key', bio: 'what an admin does' },
      },
      insert('end', { role: 'MEMBER' }),
    )
    const { changes } = await take(2)
    expect(changes.map(({ key, hasOld, hasNew }) => [key[0]?.value, hasOld, hasNew])).toEqual([
      ['m', true, false],
      ['end', false, true],
    ])
    expect(changes[0]?.fields.map(({ name, old, new: now }) => [name, old, now])).toEqual([
      ['id', 'm', null],
      ['bio', 'secret life', null],
      ['role', 'MEMBER', null],
    ])
    expect(JSON.stringify(changes)).not.toMatch(/ada@x|new key|admin/)
  })
})
