/** Whose change it was, from the application's call to the subscriber. */
import { PrismaPg } from '@prisma/adapter-pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { PrismaClient } from '../prisma/generated/client/client.ts'
import type { RowcastModels } from '../prisma/generated/rowcast.ts'
import type { Change } from '../src/changes/change.ts'
import { METADATA_BYTES_MAX } from '../src/changes/transaction-metadata.ts'
import type { Logger } from '../src/logger.ts'
import type { MetadataSchema } from '../src/metadata-schema.ts'
import { rowcastMetadata } from '../src/rowcast-metadata.ts'
import { openDatabase, type TestDatabase } from './support/database.ts'
import { type LiveRowcast, openLiveRowcast, takeChanges } from './support/live-rowcast.ts'

const logged: string[] = []
const logger: Logger = { debug() {}, info() {}, error() {}, warn: (message) => void logged.push(message) }

let database: TestDatabase
let live: LiveRowcast
let changes: AsyncIterableIterator<Change<RowcastModels, 'Tag'>>
let given: object | null | (() => never) = null
let count = 0

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  live = await openLiveRowcast(database, { models: ['Tag'], logger })
  changes = live.rowcast.subscribe('Tag')
})
beforeEach(() => {
  logged.length = 0
  given = { actor: 'ann', mutationId: `m${++count}` }
})
afterAll(async () => {
  await live[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const read = () => (typeof given === 'function' ? given() : given)

/** The application's client; `max`: connections that its pool has. */
function openClient(max = 2) {
  const plain = new PrismaClient({
    adapter: new PrismaPg({ connectionString: database.url, max }),
    log: [{ emit: 'event', level: 'query' }],
  })
  const statements: string[] = []
  plain.$on('query', ({ query }) => void statements.push(query))
  const prisma = plain.$extends(rowcastMetadata(read, { logger }))
  return { plain, prisma, statements, [Symbol.asyncDispose]: () => plain.$disconnect() }
}

/** What the next changes say, by transaction. */
async function metadataOf(changeCount: number): Promise<unknown[]> {
  const taken = await takeChanges(changes, changeCount)
  return taken.map(({ transaction }) => transaction.metadata)
}

/** What a client writes tags with, in a transaction or not. */
interface Tags {
  readonly tag: { create(args: { readonly data: ReturnType<typeof tag> }): PromiseLike<unknown> }
}

const tag = () => ({ name: `tag ${++count}` })

describe('a client that says whose its writes are', () => {
  it('says so of each single write, of nested and of many', async () => {
    await using client = openClient()
    const { prisma } = client
    const created = await prisma.tag.create({ data: tag() })
    await prisma.tag.update({ where: { id: created.id }, data: tag() })
    await prisma.tag.createMany({ data: [tag(), tag()] })
    await prisma.tag.upsert({ where: { id: created.id }, create: tag(), update: tag() })
    await prisma.tag.delete({ where: { id: created.id } })
    expect(await metadataOf(6)).toEqual(Array.from({ length: 6 }, () => given))
  })

  it('says so of raw statements that write, and leaves others as they are', async () => {
    await using client = openClient()
    const { prisma } = client
    const { name } = tag()
    await prisma.$executeRaw`/* a */ INSERT INTO "Tag" (name) VALUES (${name})`
    await prisma.$executeRawUnsafe('UPDATE "Tag" SET name = $1 WHERE name = $2', `${name}b`, name)
    const rows =
      await prisma.$queryRaw`WITH gone AS (DELETE FROM "Tag" WHERE name = ${`${name}b`} RETURNING name) SELECT * FROM gone`
    expect(rows).toEqual([{ name: `${name}b` }])
    expect(await metadataOf(3)).toEqual([given, given, given])
    // Neither may stand in a transaction.
    await prisma.$executeRawUnsafe('VACUUM "Tag"')
    await prisma.$executeRawUnsafe('CREATE INDEX CONCURRENTLY tags_again ON "Tag" (name)')
  })

  it('says so once for each transaction, before its first write', async () => {
    await using client = openClient(1)
    const { prisma } = client
    let reads = 0
    const own = client.plain.$extends(rowcastMetadata(() => ({ reads: ++reads }), { logger }))
    await own.$transaction(async (tx) => {
      await tx.$executeRaw`SET TRANSACTION ISOLATION LEVEL SERIALIZABLE`
      await tx.tag.count()
      await Promise.all([tx.tag.create({ data: tag() }), tx.tag.create({ data: tag() })])
    })
    expect(await metadataOf(2)).toEqual([{ reads: 1 }, { reads: 1 }])
    const [first, , third] = await prisma.$transaction([
      prisma.tag.create({ data: tag() }),
      prisma.$executeRaw`INSERT INTO "Tag" (name) VALUES (${tag().name})`,
      prisma.tag.count(),
    ])
    expect([typeof first.id, typeof third]).toEqual(['number', 'number'])
    expect(await metadataOf(2)).toEqual([given, given])
  })

  it('says it again where the message was rolled back with the first write', async () => {
    await using client = openClient(1)
    const { plain } = client
    let reads = 0
    const own = plain.$extends(rowcastMetadata(() => ({ reads: ++reads }), { logger }))
    const write = (tx: Tags) => tx.tag.create({ data: tag() })
    await own.$transaction(async (tx) => {
      await tx.$executeRaw`SAVEPOINT a`
      // All at once: what was called before the rollback is gone with it, and what was called behind it is not.
      await Promise.all([
        write(tx),
        tx.$executeRawUnsafe('/* back */ ROLLBACK TO SAVEPOINT a'),
        write(tx),
        tx.tag.count(),
        write(tx),
      ])
    })
    expect(await metadataOf(2)).toEqual([{ reads: 1 }, { reads: 1 }])
    await own.$transaction(async (tx) => {
      await tx.$executeRaw`SAVEPOINT a`
      const { name } = await tx.tag.create({ data: tag() })
      await expect(tx.tag.create({ data: { name } })).rejects.toMatchObject({ code: 'P2002' })
      await tx.$executeRaw`ROLLBACK TO a`
      await write(tx)
    })
    expect(await metadataOf(1)).toEqual([{ reads: 2 }])
  })

  it('says it once for all transactions that are nested in one', async () => {
    await using client = openClient(1)
    const { plain } = client
    let reads = 0
    const own = plain.$extends(rowcastMetadata(() => ({ reads: ++reads }), { logger }))
    const write = (tx: Tags) => tx.tag.create({ data: tag() })
    type Nesting = Tags & { $transaction(work: unknown): Promise<unknown> }
    const transact = (work: (tx: Nesting) => Promise<unknown>) => own.$transaction(work as never)
    // Each works with a client of its own level, and of the one above.
    for (const pick of [(_: Nesting, inner: Nesting) => inner, (outer: Nesting) => outer])
      await transact(async (tx) => {
        const fail = async (inner: Nesting) => {
          await write(pick(tx, inner))
          throw new Error('inner')
        }
        await expect(tx.$transaction(fail)).rejects.toThrow('inner')
        await write(tx)
        await expect(tx.$transaction(fail)).rejects.toThrow('inner')
        await tx.$transaction(async (inner: Nesting) => write(pick(tx, inner)))
        await write(tx)
      })
    expect(await metadataOf(6)).toEqual([1, 1, 1, 2, 2, 2].map((of) => ({ reads: of })))
    await transact(async (tx) => {
      await tx.$transaction(async (inner: Nesting) => inner.$transaction(write))
      await tx.$transaction([write(tx), write(tx)])
    })
    expect(await metadataOf(3)).toEqual([3, 3, 3].map((of) => ({ reads: of })))
    expect(reads).toBe(3)
  })

  it('writes nothing for reads, nor where there is nothing to say', async () => {
    await using client = openClient()
    const { prisma, plain } = client
    await prisma.tag.findMany()
    await prisma.$queryRaw`SELECT 1`
    await prisma.$transaction([prisma.tag.count(), prisma.tag.findFirst()])
    await prisma.$transaction((tx) => tx.tag.findMany())
    expect(client.statements.filter((text) => text.includes('pg_logical'))).toEqual([])
    client.statements.length = 0
    given = null
    await prisma.tag.create({ data: tag() })
    await plain.tag.create({ data: tag() })
    expect(await metadataOf(2)).toEqual([null, null])
    expect(client.statements.filter((text) => text === 'BEGIN')).toEqual([])
  })

  it('fails as the client does, and what is rolled back says nothing', async () => {
    await using client = openClient(1)
    const { plain, prisma } = client
    const { name } = await prisma.tag.create({ data: tag() })
    const ofPlain = await plain.tag.create({ data: { name } }).catch((error: unknown) => error)
    const ofOurs = await prisma.tag.create({ data: { name } }).catch((error: unknown) => error)
    expect(ofOurs).toMatchObject({
      code: Reflect.get(ofPlain as object, 'code'),
      name: 'PrismaClientKnownRequestError',
    })
    await expect(
      prisma.$transaction(async (tx) => {
        await tx.tag.create({ data: tag() })
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    await expect(
      prisma.$transaction([prisma.tag.create({ data: tag() }), prisma.tag.create({ data: { name } })]),
    ).rejects.toMatchObject({ code: 'P2002' })
    await prisma.tag.deleteMany({ where: { name } })
    expect(await metadataOf(2)).toEqual([given, given])
  })

  it('costs no write where the application says what cannot be written', async () => {
    await using client = openClient()
    const { prisma } = client
    const bad = [
      () => {
        throw new Error('secret')
      },
      { text: 'x'.repeat(METADATA_BYTES_MAX) },
      { big: 1n },
      [1],
    ]
    for (const each of bad) {
      given = each as never
      await prisma.tag.create({ data: tag() })
    }
    expect(await metadataOf(bad.length)).toEqual(bad.map(() => null))
    expect(logged).toHaveLength(bad.length)
    expect(logged.join()).not.toContain('secret')
  })

  it('stands beside extensions of others, within and without', async () => {
    await using client = openClient()
    const outer = client.plain.$extends({
      query: {
        tag: {
          create: ({ args, query }) => query({ ...args, data: { ...args.data, name: `${args.data.name}!` } }),
        },
      },
    })
    const both = outer.$extends(rowcastMetadata(read, { logger })).$extends({
      query: {
        tag: {
          async create({ args, query }) {
            await client.plain.tag.count()
            return query(args)
          },
          // Answers for itself, as soft delete does.
          delete: ({ args }) => client.plain.tag.update({ where: args.where, data: tag() }),
        },
      },
      client: { double: (n: number) => n * 2 },
    })
    const { id, name } = await both.tag.create({ data: tag() })
    expect(name).toMatch(/!$/)
    expect(both.double(2)).toBe(4)
    await both.tag.delete({ where: { id } })
    await both.$transaction(async (tx) => {
      await tx.tag.create({ data: tag() })
      expect(tx.double(1)).toBe(2)
    })
    await both.$transaction([both.tag.create({ data: tag() })])
    expect(await metadataOf(4)).toEqual([given, null, given, given])
  })

  it('writes on where the role may not write messages, and says so once', async () => {
    const role = `silent_${database.name}`
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x' IN ROLE pg_write_all_data, pg_read_all_data`)
    try {
      await database
        .query('REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text, boolean) FROM PUBLIC')
        .catch(() =>
          database.query(
            'REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) FROM PUBLIC',
          ),
        )
      await database.query('GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO PUBLIC')
      const url = new URL(database.url)
      url.username = role
      url.password = 'x'
      const plain = new PrismaClient({ adapter: new PrismaPg({ connectionString: url.href, max: 1 }) })
      const prisma = plain.$extends(rowcastMetadata(read, { logger }))
      await prisma.$transaction((tx) => tx.tag.create({ data: tag() }))
      await prisma.tag.create({ data: tag() })
      await prisma.$transaction([prisma.tag.create({ data: tag() })])
      await plain.$disconnect()
      expect(await metadataOf(3)).toEqual([null, null, null])
      expect(logged).toEqual(['Transactions have no metadata: the role may not write messages.'])
    } finally {
      await database.query(`DROP OWNED BY ${role}`)
      await database.query(`DROP ROLE ${role}`)
    }
  })
})

describe('a transaction of plain SQL', () => {
  const say = (text: string) => `SELECT pg_logical_emit_message(true, 'rowcast.metadata', '${text}')`
  const insert = () => `INSERT INTO "Tag" (name) VALUES ('${tag().name}')`

  it('says it before its first change; what comes later, twice or unreadable counts for nothing', async () => {
    await database.query(`BEGIN; ${say('{"actor":"Zoë"}')}; ${say('{"actor":"b"}')}; ${insert()}; COMMIT`)
    await database.query(`BEGIN; ${insert()}; ${say('{"actor":"c"}')}; ${insert()}; COMMIT`)
    await database.query(`BEGIN; ${say('no json')}; ${insert()}; COMMIT`)
    await database.query(`BEGIN; ${say('[1]')}; ${insert()}; COMMIT`)
    await database.query(`BEGIN; ${say(`{"a":"${'x'.repeat(METADATA_BYTES_MAX)}"}`)}; ${insert()}; COMMIT`)
    await database.query(
      `BEGIN; ${say(`{"a":${'['.repeat(3_000)}${']'.repeat(3_000)}}`)}; ${insert()}; COMMIT`,
    )
    await database.query(
      `BEGIN; SAVEPOINT s; ${say('{"actor":"undone"}')}; ROLLBACK TO s; ${say('{"actor":"d"}')}; ${insert()}; COMMIT`,
    )
    expect(await metadataOf(8)).toEqual([
      { actor: 'Zoë' },
      ...[null, null, null, null, null, null],
      { actor: 'd' },
    ])
    expect(logged).toEqual(['Metadata of a transaction is not JSON in UTF-8: its changes have none.'])
  })

  it('has the same in every part, and nobody changes it for the others', async () => {
    await database.query(
      `BEGIN; ${say('{"actor":{"id":1}}')}; INSERT INTO "Tag" (name) SELECT 'many ' || i FROM generate_series(1, 2500) i; COMMIT`,
    )
    const taken = await takeChanges(changes, 2_500)
    expect(new Set(taken.map(({ transaction }) => JSON.stringify(transaction.metadata)))).toEqual(
      new Set(['{"actor":{"id":1}}']),
    )
    const metadata = taken[0]?.transaction.metadata as { actor: { id: number } }
    expect(() => {
      metadata.actor.id = 2
    }).toThrow(TypeError)
  })
})

describe('a validator', () => {
  it('types and checks what transactions say', async () => {
    await live[Symbol.asyncDispose]()
    const schema: MetadataSchema<{ readonly actor: string }> = {
      '~standard': {
        ...{ version: 1, vendor: 'test' },
        validate: (value) => {
          const actor: unknown = Reflect.get(value as object, 'actor')
          if (actor === 'throws') throw new Error('no')
          if (actor === 'later') return Promise.reject(new Error('later'))
          return typeof actor === 'string' ? { value: { actor } } : { issues: [{ message: 'no actor' }] }
        },
      },
    }
    live = await openLiveRowcast(database, { models: ['Tag'], logger, metadata: schema as never })
    changes = live.rowcast.subscribe('Tag')
    for (const actor of ['"a"', '1', '"throws"', '"later"'])
      await database.query(
        `BEGIN; SELECT pg_logical_emit_message(true, 'rowcast.metadata', '{"more":1,"actor":${actor}}'); INSERT INTO "Tag" (name) VALUES ('${tag().name}'); COMMIT`,
      )
    expect(await metadataOf(4)).toEqual([{ actor: 'a' }, null, null, null])
  })
})
