/** Row level security binds queries and not replication: PostgreSQL itself says whom, by what a query returns. */
import { PrismaPg } from '@prisma/adapter-pg'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog, type RowcastModels } from '../../prisma/generated/rowcast.ts'
import type { RegisterOptions } from '../../src/config/register-options.ts'
import type { Logger } from '../../src/logger.ts'
import { createRowcast, type Rowcast } from '../../src/rowcast.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf, takeChanges } from '../support/live-rowcast.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

const attributes = ['', 'BYPASSRLS', 'SUPERUSER', 'owner', 'member of the owner'] as const

/** A role to query as, with a table under row level security that lets nobody see anything. */
async function openReader(database: TestDatabase, attribute: string, isForced: boolean) {
  const role = `reader_${database.name}`
  const owner = `owner_${database.name}`
  await database.query(`CREATE ROLE ${owner}`)
  await database.query(
    `CREATE ROLE ${role} LOGIN PASSWORD 'x' ${/^[A-Z]*$/.test(attribute) ? attribute : ''}`,
  )
  await database.query('GRANT SELECT ON "Tag" TO PUBLIC')
  await database.query(`GRANT CREATE ON SCHEMA public TO ${owner}, ${role}`)
  if (attribute === 'member of the owner') await database.query(`GRANT ${owner} TO ${role}`)
  await database.query(`ALTER TABLE "Tag" OWNER TO ${attribute === 'owner' ? role : owner}`)
  await database.query('ALTER TABLE "Tag" ENABLE ROW LEVEL SECURITY')
  if (isForced) await database.query('ALTER TABLE "Tag" FORCE ROW LEVEL SECURITY')
  return {
    url: database.url.replace(/\/\/[^@]+@/, `//${role}:x@`),
    async [Symbol.asyncDispose]() {
      await database.query(`REASSIGN OWNED BY ${role}, ${owner} TO CURRENT_USER`)
      await database.query(`DROP OWNED BY ${role}, ${owner}`)
      await database.query(`DROP ROLE ${role}, ${owner}`)
    },
  }
}

/** Streams as a superuser, and queries as somebody else. */
async function openTwoRoles(
  database: TestDatabase,
  url: string,
  options: RegisterOptions = {},
  registerMore: (rowcast: Rowcast<RowcastModels>) => void = () => {},
) {
  const codes: unknown[] = []
  const note = (_message: string, fields?: Readonly<Record<string, unknown>>) =>
    void codes.push(fields?.['code'])
  const logger: Logger = { debug() {}, info() {}, warn: note, error: note }
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) })
  const rowcast = createRowcast({
    ...{ connectionString: database.url, prisma, catalog, slot: slotOf(database), logger },
    watchIntervalMs: 20,
  })
  rowcast.register('Tag', options as object).register('Team')
  registerMore(rowcast)
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  return {
    ...{ codes, prisma, rowcast },
    async [Symbol.asyncDispose]() {
      await rowcast.stop()
      await prisma.$disconnect()
    },
  }
}

const cases = attributes.flatMap((attribute) => [true, false].map((isForced) => ({ attribute, isForced })))

describe('a published table with row level security', () => {
  it.each(cases)('$attribute, forced: $isForced: is refused where a query hides its rows', async (one) => {
    vi.stubEnv('NODE_ENV', 'production')
    await using database = await openDatabase({ migrate: true })
    await using reader = await openReader(database, one.attribute, one.isForced)
    await using two = await openTwoRoles(database, reader.url)
    await database.query(`INSERT INTO "Tag" (name) VALUES ('hidden')`)
    const isHidden = (await two.prisma.tag.findMany()).length === 0
    const { drifted, isReady } = two.rowcast.status()
    expect(drifted.map(({ model, error }) => [model, error.code])).toEqual(
      isHidden ? [['Tag', 'SOURCE_ROW_SECURITY']] : [],
    )
    expect(isReady).toBe(true)
    if (isHidden) expect(() => two.rowcast.subscribe('Tag')).toThrowError('SOURCE_ROW_SECURITY')
  })

  it.each([{ bypassesRowSecurity: true }, { rows: () => 'none' as const }])(
    'is delivered where somebody answers for its rows: %o',
    async (options) => {
      vi.stubEnv('NODE_ENV', 'production')
      await using database = await openDatabase({ migrate: true })
      await using reader = await openReader(database, '', false)
      await using two = await openTwoRoles(database, reader.url, options)
      const tags = two.rowcast.subscribe('Tag')
      await database.query(`INSERT INTO "Tag" (name) VALUES ('shown')`)
      expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('shown')
    },
  )

  it('ends the subscriptions of a model whose table gets it later, until it is answered or gone', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    await using database = await openDatabase({ migrate: true })
    await using reader = await openReader(database, '', false)
    await database.query('ALTER TABLE "Tag" DISABLE ROW LEVEL SECURITY')
    await using two = await openTwoRoles(database, reader.url)
    const tags = two.rowcast.subscribe('Tag')
    await database.query('ALTER TABLE "Tag" ENABLE ROW LEVEL SECURITY')
    await expect(takeChanges(tags, 1)).rejects.toMatchObject({ code: 'SOURCE_ROW_SECURITY' })
    await database.query('ALTER TABLE "Tag" DISABLE ROW LEVEL SECURITY')
    await expect.poll(() => two.rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
  })

  it('is asked by no condition of another model: a set would lack the keys of rows that queries hide', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    await using database = await openDatabase({ migrate: true })
    await using reader = await openReader(database, '', true)
    await database.query(
      'ALTER TABLE "Tag" DISABLE ROW LEVEL SECURITY; GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC',
    )
    await using two = await openTwoRoles(database, reader.url, {}, (rowcast) =>
      rowcast.register('Post').register('User').follow('_PostToTag'),
    )
    const where = { tags: { none: { name: 'secret' } } } as const
    const posts = two.rowcast.subscribe('Post', { where, initial: true })
    expect((await posts.next()).value).toMatchObject({ action: 'READY' })
    const [ended, others] = [posts.next(), two.rowcast.subscribe('User')]
    await database.query('ALTER TABLE "Tag" ENABLE ROW LEVEL SECURITY')
    await expect(ended).rejects.toMatchObject({ code: 'SOURCE_ROW_SECURITY' })
    expect(() => two.rowcast.subscribe('Post', { where })).toThrowError('SOURCE_ROW_SECURITY')
    expect(() => two.rowcast.list('Post', { where })).toThrowError('SOURCE_ROW_SECURITY')
    // Whoever asks for nothing of it goes on.
    await database.query(
      `INSERT INTO users (id, email) VALUES ('00000000-0000-4000-8000-000000000001', 'ada@example.com')`,
    )
    expect((await takeChanges(others, 1))[0]?.new?.email).toBe('ada@example.com')
  })

  it('is only named in the log, once, outside production', async () => {
    await using database = await openDatabase({ migrate: true })
    await using reader = await openReader(database, '', false)
    await using two = await openTwoRoles(database, reader.url)
    const tags = two.rowcast.subscribe('Tag')
    for (const name of ['a', 'b']) await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])
    expect(await takeChanges(tags, 2)).toHaveLength(2)
    await two.rowcast.stop()
    expect(two.codes.filter((code) => code === 'SOURCE_ROW_SECURITY')).toHaveLength(1)
  })
})

const none = { tags: { none: { name: 'secret' } } } as const
type Asks = (rowcast: Rowcast<RowcastModels>) => AsyncIterator<unknown>

/** What reads rows of Tag with Prisma, directly or through a relation. */
const readers: readonly (readonly [string, Asks])[] = [
  ['a condition of another model', (rowcast) => rowcast.subscribe('Post', { where: none })],
  ['first rows of another model', (rowcast) => rowcast.subscribe('Post', { where: none, initial: true })],
  ['a list of another model', (rowcast) => rowcast.list('Post', { where: none })[Symbol.asyncIterator]()],
  ['totals of another model', (rowcast) => rowcast.totals('Post', { where: none })[Symbol.asyncIterator]()],
  ['first rows', (rowcast) => rowcast.subscribe('Tag', { initial: true })],
  ['a list', (rowcast) => rowcast.list('Tag')[Symbol.asyncIterator]()],
  ['totals', (rowcast) => rowcast.totals('Tag')[Symbol.asyncIterator]()],
]

const HIDDEN = { code: 'SOURCE_ROW_SECURITY', hint: expect.stringContaining('BYPASSRLS') }

describe('rows of a model that somebody answers for, hidden from the role that Prisma queries as', () => {
  const answered: RegisterOptions = { bypassesRowSecurity: true }
  const openPosts = async (database: TestDatabase, url: string) => {
    await database.query('GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC')
    return openTwoRoles(database, url, answered, (rowcast) => rowcast.register('Post').follow('_PostToTag'))
  }
  const insertSecretPost = (database: TestDatabase) =>
    database.query(`
      INSERT INTO users (id, email) VALUES ('00000000-0000-4000-8000-000000000001', 'ada@example.com');
      INSERT INTO "Post" (id, "authorId", title) VALUES (1, '00000000-0000-4000-8000-000000000001', 'hidden');
      INSERT INTO "Tag" (id, name) VALUES (100, 'secret'); INSERT INTO "_PostToTag" VALUES (1, 100)`)

  it.each(readers)('are not read for %s: it ends with what to do', async (_name, ask) => {
    vi.stubEnv('NODE_ENV', 'production')
    await using database = await openDatabase({ migrate: true })
    await using reader = await openReader(database, '', false)
    await using two = await openPosts(database, reader.url)
    await insertSecretPost(database)
    await expect(ask(two.rowcast).next()).rejects.toMatchObject(HIDDEN)
    // Whoever asks for changes alone goes on.
    const tags = two.rowcast.subscribe('Tag')
    await database.query(`INSERT INTO "Tag" (name) VALUES ('shown')`)
    expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('shown')
  })

  it('are not read for its own condition, whose rows others move', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    await using database = await openDatabase({ migrate: true })
    await using reader = await openReader(database, '', false)
    await using two = await openPosts(database, reader.url)
    await insertSecretPost(database)
    const tags = two.rowcast.subscribe('Tag', { where: { posts: { some: {} } } })
    const ended = tags.next()
    await database.query('DELETE FROM "_PostToTag"')
    await expect(ended).rejects.toMatchObject(HIDDEN)
  })

  it('are not read by a list whose table gets it later', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    await using database = await openDatabase({ migrate: true })
    await using reader = await openReader(database, '', false)
    await database.query('ALTER TABLE "Tag" DISABLE ROW LEVEL SECURITY')
    await using two = await openPosts(database, reader.url)
    const posts = two.rowcast.list('Post', { where: none })[Symbol.asyncIterator]()
    expect((await posts.next()).value).toMatchObject({ rows: [] })
    await database.query('ALTER TABLE "Tag" ENABLE ROW LEVEL SECURITY')
    const ended = posts.next()
    await insertSecretPost(database)
    await expect(ended).rejects.toMatchObject(HIDDEN)
  })

  it.each(['BYPASSRLS', 'owner'])('are read by one that it does not bind: %s', async (attribute) => {
    vi.stubEnv('NODE_ENV', 'production')
    await using database = await openDatabase({ migrate: true })
    await using reader = await openReader(database, attribute, false)
    await using two = await openPosts(database, reader.url)
    await insertSecretPost(database)
    const tags = two.rowcast.list('Tag')[Symbol.asyncIterator]()
    expect((await tags.next()).value).toMatchObject({ rows: [{ name: 'secret' }] })
  })
})
