/**
 * TRUNCATE, and statements that rewrite a table, keep to no snapshot: whoever took one before and reads then finds nothing. Rows that were read so
 * are not given to anybody.
 */
import { PrismaPg } from '@prisma/adapter-pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { isRowcastError } from '../../src/errors.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { type LiveRowcast, openLiveRowcast } from '../support/live-rowcast.ts'

const AUTHOR = '00000000-0000-4000-8000-000000000001'

let database: TestDatabase
let live: LiveRowcast
let prisma: PrismaClient
/** What happens behind the snapshot of each read, before its rows are read. */
const behindSnapshots: string[] = []

type Session = Pick<PrismaClient, '$queryRawUnsafe'>

/** No column is added twice. */
let columns = 0

/** The application's client, with something between the snapshot and the rows. */
function interruptedClient(client: PrismaClient): PrismaClient {
  const interrupted = (session: Session): Session =>
    new Proxy(session, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (name !== '$queryRawUnsafe') return value
        return async (...asked: Parameters<Session['$queryRawUnsafe']>) => {
          const rows = await target.$queryRawUnsafe(...asked)
          const statement = asked[0].includes('pg_current_snapshot') ? behindSnapshots.shift() : undefined
          if (statement !== undefined && statement !== '') await database.query(statement)
          return rows
        }
      },
    })
  return new Proxy(client, {
    get(target, name) {
      if (name !== '$transaction') return Reflect.get(target, name)
      return (run: (session: Session) => Promise<unknown>, options: object) =>
        target.$transaction((session) => run(interrupted(session as Session)), options)
    },
  })
}

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
  live = await openLiveRowcast(database, {
    models: ['User', 'Post', 'Tag'],
    followed: ['_PostToTag'],
    prisma: interruptedClient(prisma),
  })
})
afterAll(async () => {
  await live[Symbol.asyncDispose]()
  await prisma.$disconnect()
  await database[Symbol.asyncDispose]()
})

/** The ids of what is there at first, as the reader says. */
async function firstIds(events: AsyncIterableIterator<unknown>): Promise<readonly number[]> {
  const ids: number[] = []
  for await (const each of events) {
    const { kind, action, rows = [], new: row } = each as FirstEvent
    if (kind === 'snapshot') return rows.map(({ id }) => id)
    if (action === 'READY') break
    if (row !== undefined) ids.push(row.id)
  }
  return ids
}

interface FirstEvent {
  readonly kind?: string
  readonly action?: string
  readonly rows?: readonly { readonly id: number }[]
  readonly new?: { readonly id: number }
}

const READERS = {
  'first rows': () => live.rowcast.subscribe('Tag', { initial: { pageSize: 2 } }),
  'a list': () => live.rowcast.list('Tag', { orderBy: { id: 'asc' } }),
  'first rows by related rows': () =>
    live.rowcast.subscribe('Tag', {
      where: { posts: { some: { author: { is: { isActive: true } } } } },
      initial: true,
    } as never),
  'a list by related rows': () =>
    live.rowcast.list('Tag', { where: { posts: { some: { author: { is: { isActive: true } } } } } } as never),
} as const

/** The second one rewrites tables, with a column that is none of the models'. */
const STATEMENTS = {
  TRUNCATE: () => 'TRUNCATE users, "Post", "Tag" CASCADE',
  'ALTER TABLE': (name: string) =>
    ['users', '"Post"', '"Tag"']
      .map((table) => `ALTER TABLE ${table} ADD COLUMN ${name} uuid DEFAULT gen_random_uuid()`)
      .join('; '),
} as const

describe.each(Object.entries(READERS))('%s', (reader, open) => {
  const reads = reader === 'first rows by related rows' ? [1, 2, 3] : reader === 'first rows' ? [1, 2] : [1]
  it.each(
    Object.entries(STATEMENTS).flatMap(([name, statement]) =>
      reads.map((read) => ({ name, statement, read })),
    ),
  )('are what a query finds, with $name behind the snapshot of read $read', async ({ statement, read }) => {
    await database.query(
      'DELETE FROM "_PostToTag"; DELETE FROM "Tag"; DELETE FROM "Post"; DELETE FROM users; ' +
        `INSERT INTO users (id, email) VALUES ('${AUTHOR}', 'a@x'); ` +
        `INSERT INTO "Post" (id, "authorId", title) VALUES (1, '${AUTHOR}', 'a'); ` +
        `INSERT INTO "Tag" (id, name) SELECT n, 't' || n FROM generate_series(1, 5) AS n; ` +
        `INSERT INTO "_PostToTag" SELECT 1, id FROM "Tag"`,
    )
    columns += 1
    const column = `extra_${columns}`
    behindSnapshots.splice(0, Number.POSITIVE_INFINITY, ...Array(read - 1).fill(''), statement(column))
    const ids = await firstIds(open()).catch((error: unknown) => {
      // It may say that it cannot know; it may not leave rows out.
      if (isRowcastError(error, 'RESYNC_REQUIRED')) return null
      throw error
    })
    const hasHappened = behindSnapshots.length === 0
    // How many reads conditions on related rows take is theirs.
    expect(hasHappened || (reader.includes('related') && read > 1)).toBe(true)
    const isEmptied = hasHappened && statement === STATEMENTS.TRUNCATE
    if (ids === null) expect(isEmptied || reader.includes('related')).toBe(true)
    else expect(ids).toEqual(isEmptied ? [] : [1, 2, 3, 4, 5])
  })
})
