/** A gateway whose Prisma Client reads from a standby: what that has not replayed stands behind every position, and comes. */
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { takeChanges } from '../support/live-rowcast.ts'
import { openPostgres, postgresMajor } from '../support/postgres.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole, type ScaledRowcast } from '../support/scaled-rowcast.ts'
import { openStandby } from '../support/standby.ts'
import { insertTag, until } from '../support/tags.ts'

const canRun = NO_REDIS === null && postgresMajor() >= 17

function register(rowcast: ScaledRowcast['rowcast']): void {
  rowcast.register('Tag')
  rowcast.register('Post')
  rowcast.follow('_PostToTag')
}

/** Begins a transaction that has written a row. */
async function beginWriting({ target }: TestDatabase, name: string): Promise<pg.Client> {
  const client = new pg.Client({ ...target })
  client.on('error', () => {})
  await client.connect()
  await client.query('BEGIN')
  await client.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])
  return client
}

/** The names of the tags, from first rows and what follows them, up to this one; `onRead` once a row has come. */
async function namesUpTo(
  { rowcast }: ScaledRowcast,
  { where, last }: { where?: object; last: string },
  onRead = (): void => {},
) {
  const names = new Set<string>()
  let isReady = false
  for await (const event of rowcast.subscribe('Tag', { initial: true, where })) {
    if (event.action === 'READY') isReady = true
    else if (event.action !== 'TRUNCATE' && event.new !== null) {
      names.add(event.new.name)
      onRead()
    }
    if (isReady && names.has(last)) break
  }
  return [...names].sort()
}

describe.runIf(canRun)('a commit that the standby which a gateway reads from has not replayed', () => {
  it('stands behind the positions of a gateway, and is among its rows', { timeout: 120_000 }, async () => {
    await using primary = await openPostgres()
    await using standby = await openStandby(primary)
    await using redis = await openRedis()
    const database = await openDatabase({ migrate: true, serverUrl: primary.cluster.connectionString() })
    const onStandby = (text: string) =>
      withSqlClient(standby.cluster.target(), (sql) => sql.query<{ state: unknown }>(text))
    const prisma = new PrismaClient({
      adapter: new PrismaPg({ connectionString: standby.cluster.connectionString(database.name) }),
    })
    await using _client = { [Symbol.asyncDispose]: () => prisma.$disconnect() }
    const options = { redisUrl: redis.url, watchIntervalMs: 100, register }
    await using _tap = await openRole(database, 'tap', options)
    await using gateway = await openRole(database, 'gateway', { ...options, prisma: prisma as never })
    const { rowcast } = gateway
    const live = rowcast.subscribe('Tag')
    // They begin before one that ends before them: the snapshots of a standby name neither.
    const [writer, other] = [await beginWriting(database, 'late'), await beginWriting(database, 'open')]
    const early = await insertTag(database)
    const first = (await takeChanges(live, 1))[0]?.cursor ?? ''
    await until(async () => (await prisma.tag.count({ where: { name: early } }).catch(() => 0)) === 1)
    // Whoever is still writing holds up nobody.
    await until(async () => (await rowcast.changeCursor()) >= first)
    await onStandby('SELECT pg_wal_replay_pause()')
    await until(async () => {
      const [row] = await onStandby('SELECT pg_get_wal_replay_pause_state() AS state')
      return row?.state === 'paused'
    })
    await writer.query('COMMIT')
    const late = (await takeChanges(live, 1))[0]
    expect(late?.new?.name).toBe('late')
    expect(await prisma.tag.count({ where: { name: 'late' } })).toBe(0)
    expect((await rowcast.changeCursor()) < (late?.cursor ?? '')).toBe(true)
    const related = namesUpTo(gateway, { where: { posts: { none: {} } }, last: 'late' })
    let plain: Promise<string[]> = Promise.resolve([])
    await new Promise<void>((resolve) => {
      plain = namesUpTo(gateway, { last: 'late' }, resolve)
    })
    await onStandby('SELECT pg_wal_replay_resume()')
    for (const names of [related, plain]) expect(await names).toEqual(['late', early])
    for (const client of [writer, other]) await client.end()
  })

  it('is counted once in totals, and stands once in a list, where it is replayed before they are read', {
    timeout: 120_000,
  }, async () => {
    await using primary = await openPostgres()
    await using standby = await openStandby(primary)
    await using redis = await openRedis()
    const database = await openDatabase({ migrate: true, serverUrl: primary.cluster.connectionString() })
    const onStandby = (text: string) =>
      withSqlClient(standby.cluster.target(), (sql) => sql.query<{ state: unknown }>(text))
    const plain = new PrismaClient({
      adapter: new PrismaPg({ connectionString: standby.cluster.connectionString(database.name) }),
    })
    await using _client = { [Symbol.asyncDispose]: () => plain.$disconnect() }
    let beforeRead = async (): Promise<void> => {}
    const prisma = new Proxy(plain, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (name !== '$transaction' || typeof value !== 'function') return value
        return async (...asked: unknown[]) => {
          await beforeRead()
          return value.apply(target, asked)
        }
      },
    })
    const options = { redisUrl: redis.url, watchIntervalMs: 100, register }
    await using _tap = await openRole(database, 'tap', options)
    await using gateway = await openRole(database, 'gateway', { ...options, prisma: prisma as never })
    const { rowcast } = gateway
    // As long as it writes, a snapshot of the standby names none of those behind it as seen.
    const writer = await beginWriting(database, 'open')
    const isReplayed = (name: string) => async () =>
      (await plain.tag.count({ where: { name } }).catch(() => 0)) === 1
    const first = await insertTag(database)
    await until(isReplayed(first))
    const live = rowcast.subscribe('Tag')
    await until(async () => (await rowcast.changeCursor()) !== '')
    /** Opened while the standby stands still; a row comes that it replays right before it is read. */
    const opened = async <Event>(open: () => AsyncIterableIterator<Event>) => {
      await onStandby('SELECT pg_wal_replay_pause()')
      await until(async () => {
        const [row] = await onStandby('SELECT pg_get_wal_replay_pause_state() AS state')
        return row?.state === 'paused'
      })
      let name = ''
      beforeRead = async () => {
        beforeRead = async () => {}
        name = await insertTag(database)
        await takeChanges(live, 1)
        await onStandby('SELECT pg_wal_replay_resume()')
        await until(isReplayed(name))
      }
      const events = open()
      const { value } = await events.next()
      await events.return?.()
      return { event: value as Event, name }
    }
    const totals = await opened(() => rowcast.totals('Tag'))
    expect(totals.event.count).toBe(2)
    const list = await opened(() => rowcast.list('Tag', { orderBy: { id: 'asc' } }))
    const names = list.event.kind === 'snapshot' ? list.event.rows.map(({ name }) => name) : []
    expect(names).toEqual([first, totals.name, list.name])
    await writer.end()
  })
})
