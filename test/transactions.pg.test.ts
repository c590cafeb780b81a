/** Whole transactions over several models, on a real PostgreSQL: against the ledger, and against subscriptions to one model each. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from './support/database.ts'
import { type LiveRowcast, openLiveRowcast, takeChanges } from './support/live-rowcast.ts'
import { NO_REDIS, openRedis } from './support/redis.ts'
import { openRole } from './support/scaled-rowcast.ts'

let database: TestDatabase
let live: LiveRowcast

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  live = await openLiveRowcast(database, { models: ['User', 'Tag', 'Post'] })
})
afterAll(async () => {
  await live[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

let count = 0
const user = () => `INSERT INTO users (email) VALUES ('u${++count}@example.com')`
const tag = (rows = 1) =>
  `INSERT INTO "Tag" (name) SELECT 't${++count} ' || i FROM generate_series(1, ${rows}) i`
const commit = (...statements: readonly string[]) =>
  database.query(['BEGIN', ...statements, 'COMMIT'].join('; '))

interface Part {
  readonly changes: readonly { readonly model: string; readonly action: string; readonly cursor: string }[]
  readonly cursor: string
  readonly isLast: boolean
}

async function take(parts: AsyncIterator<Part>, wanted: number): Promise<Part[]> {
  const taken: Part[] = []
  while (taken.length < wanted) {
    const { value, done } = await parts.next()
    if (done === true) throw new Error(`It ended after ${taken.length} of ${wanted}.`)
    taken.push(value)
  }
  return taken
}

const shapes = (parts: readonly Part[]) =>
  parts.map(({ changes }) => changes.map(({ model, action }) => `${model} ${action}`))

describe('transactions of several models', () => {
  it('come whole and in commit order, each with what is asked for of each model', async () => {
    const parts = live.rowcast.transactions({
      User: {},
      Tag: { action: 'INSERT', where: { name: { startsWith: 't' } } },
    })
    await commit(user(), tag(), user())
    await commit(tag(), `UPDATE "Tag" SET name = 'x' || name`, `INSERT INTO "Tag" (name) VALUES ('other')`)
    await commit(`UPDATE "Tag" SET color = '#000000'`)
    await commit('DELETE FROM users')
    const taken = await take(parts, 3)
    expect(shapes(taken)).toEqual([
      ['User INSERT', 'Tag INSERT', 'User INSERT'],
      ['Tag INSERT'],
      ['User DELETE', 'User DELETE'],
    ])
    expect(taken.every(({ isLast, changes, cursor }) => isLast && cursor === changes.at(-1)?.cursor)).toBe(
      true,
    )
    await parts.return?.()
  })

  it('are what subscriptions to one model each give, put together; and go on after any cursor', async () => {
    const after = await live.rowcast.changeCursor()
    const singles = [
      live.rowcast.subscribe('User', { after }),
      live.rowcast.subscribe('Tag', { after }),
    ] as const
    const writers = Array.from(
      { length: 12 },
      (_, at) => () =>
        commit(
          ...[user(), tag(2), user()].slice(0, 1 + (at % 3)),
          ...(at % 4 === 0 ? ['DELETE FROM users'] : []),
        ),
    )
    for (const write of writers) await write()
    const tags = (await takeChanges(singles[1], 16)).map(({ cursor }) => cursor)
    await database.query(`INSERT INTO users (email) VALUES ('end@example.com')`)
    const users: string[] = []
    for await (const { new: row, cursor } of singles[0]) {
      users.push(cursor)
      if (row?.email === 'end@example.com') break
    }
    const expected = [...users, ...tags].sort()
    const several = live.rowcast.subscribe(['User', 'Tag'], { after })
    const merged = (await takeChanges(several, expected.length)).map(({ cursor }) => cursor)
    // Cursors of one epoch sort as positions do.
    expect(merged).toEqual(expected)
    for (const at of [0, 3, 4, 9]) {
      const rest = live.rowcast.subscribe(['Tag', 'User'], { after: merged[at] ?? '' })
      expect((await takeChanges(rest, expected.length - at - 1)).map(({ cursor }) => cursor)).toEqual(
        expected.slice(at + 1),
      )
      await rest.return?.()
    }
    await several.return?.()
  })

  it('come in parts where they are large, of which the last says so', async () => {
    const parts = live.rowcast.transactions({ User: {}, Tag: {} })
    await commit(user(), tag(2_500), user())
    const taken = await take(parts, 3)
    expect(taken.map(({ changes, isLast }) => [changes.length, isLast])).toEqual([
      [1_024, false],
      [1_024, false],
      [454, true],
    ])
    await parts.return?.()
  })

  it('end with the signal, and need a model; other options are refused', async () => {
    const abort = new AbortController()
    const parts = live.rowcast.transactions({ User: {} }, { signal: abort.signal })
    const next = parts.next()
    abort.abort()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(() => live.rowcast.transactions({})).toThrow('BAD_FILTER')
    expect(() => live.rowcast.subscribe([])).toThrow('BAD_FILTER')
    expect(() => live.rowcast.subscribe(['User'], { where: {} } as never)).toThrow('BAD_FILTER')
    expect(() => live.rowcast.transactions({ Nobody: {} } as never)).toThrow('CATALOG_UNKNOWN_MODEL')
    expect(live.rowcast.status().subscriptions.get('User') ?? 0).toBe(0)
  })

  it.skipIf(NO_REDIS !== null)('are the same at a gateway', async () => {
    await using redis = await openRedis()
    await using own = await openDatabase({ migrate: true })
    await using _tap = await openRole(own, 'tap', { redisUrl: redis.url })
    await using gateway = await openRole(own, 'gateway', { redisUrl: redis.url })
    const after = await gateway.rowcast.changeCursor()
    const parts = gateway.rowcast.transactions({ User: {}, Tag: {} })
    for (const statements of [[user(), tag(), user()], [tag()], [user(), tag(1_500)]])
      await own.query(['BEGIN', ...statements, 'COMMIT'].join('; '))
    const expected = [['User INSERT', 'Tag INSERT', 'User INSERT'], ['Tag INSERT'], 1_024, 477]
    const counted = (taken: readonly Part[]) =>
      shapes(taken).map((each) => (each.length > 9 ? each.length : each))
    expect(counted(await take(parts, 4))).toEqual(expected)
    expect(counted(await take(gateway.rowcast.transactions({ User: {}, Tag: {} }, { after }), 4))).toEqual(
      expected,
    )
  })
})
