/** What the extension makes of calls, with the real client on an adapter that notes the statements it is given. */
import { beforeEach, describe, expect, it } from 'vitest'
import { PrismaClient } from '../prisma/generated/client/client.ts'
import type { Logger } from '../src/logger.ts'
import { rowcastMetadata } from '../src/rowcast-metadata.ts'

const INT32 = 0
const TEXT = 7
const BOOLEAN = 5

const logged: string[] = []
const logger: Logger = { debug() {}, info() {}, error() {}, warn: (message) => void logged.push(message) }
beforeEach(() => {
  logged.length = 0
})

/** A client whose database answers each statement with one row; `fail`: what a statement fails with. */
function openClient(fail: (sql: string) => object | null = () => null) {
  const statements: string[] = []
  const state = { isStandby: false }
  const info = { provider: 'postgres', adapterName: 'noting' } as const
  const run = async ({ sql }: { readonly sql: string }) => {
    statements.push(sql.replace(/\s+/g, ' '))
    const cause = fail(sql)
    if (cause !== null) throw Object.assign(new Error('It failed.'), { name: 'DriverAdapterError', cause })
    if (sql.includes('privilege'))
      return {
        columnNames: ['may', 'standby'],
        columnTypes: [BOOLEAN, BOOLEAN],
        rows: [[true, state.isStandby]],
      }
    return { columnNames: ['id', 'name', 'color'], columnTypes: [INT32, TEXT, TEXT], rows: [[1, 'a', null]] }
  }
  const queryable = {
    ...info,
    queryRaw: run,
    executeRaw: async (query: { readonly sql: string }) => (await run(query)).rows.length,
  }
  const adapter = {
    ...info,
    connect: async () => ({
      ...queryable,
      async executeScript() {},
      async dispose() {},
      async startTransaction() {
        statements.push('BEGIN')
        return {
          ...queryable,
          options: { usePhantomQuery: true },
          commit: async () => void statements.push('COMMIT'),
          rollback: async () => void statements.push('ROLLBACK'),
        }
      },
    }),
  }
  const plain = new PrismaClient({ adapter: adapter as never })
  const prisma = plain.$extends(rowcastMetadata(() => given, { logger }))
  /** The first words of the statements since it was asked last. */
  const words = () => statements.splice(0).map(wordOf)
  return { plain, prisma, words, state }
}

function wordOf(sql: string): string {
  if (sql.includes('emit_message(')) return 'message'
  return /\w+/.exec(sql)?.[0] ?? ''
}

const given = { actor: 'ann' }
const INSERT = { data: { name: 'a' } }

describe('a list of calls', () => {
  it('has the message before the first member that may write, behind what has to come first', async () => {
    const { prisma, plain, words } = openClient()
    const tag = () => prisma.tag.create(INSERT)
    const set = () => prisma.$executeRaw`SET TRANSACTION ISOLATION LEVEL SERIALIZABLE`
    const results = await prisma.$transaction([set(), tag(), tag()])
    expect(results).toEqual(
      await plain.$transaction([
        plain.$executeRaw`SET TRANSACTION ISOLATION LEVEL SERIALIZABLE`,
        plain.tag.create(INSERT),
        plain.tag.create(INSERT),
      ]),
    )
    expect(words()).toEqual([
      ...['SELECT', 'BEGIN', 'SET', 'message', 'INSERT', 'INSERT', 'COMMIT'],
      ...['BEGIN', 'SET', 'INSERT', 'INSERT', 'COMMIT'],
    ])
    await prisma.$transaction([
      prisma.$executeRawUnsafe('LOCK TABLE "Tag"'),
      prisma.tag.findMany(),
      prisma.$queryRaw`SELECT write()`,
      tag(),
    ])
    expect(words()).toEqual(['BEGIN', 'LOCK', 'SELECT', 'message', 'SELECT', 'INSERT', 'COMMIT'])
    await prisma.$transaction([set(), prisma.tag.findMany()])
    expect(words()).toEqual(['BEGIN', 'SET', 'SELECT', 'COMMIT'])
  })

  it('fails as without the message: the same member is said to have failed', async () => {
    const { plain } = openClient()
    // As the engine of Prisma 6 says it: counted with all that it was given.
    const failing = plain.$extends({
      query: {
        tag: { delete: () => Promise.reject(Object.assign(new Error('no'), { batchRequestIdx: 3 })) },
      },
    })
    const prisma = failing.$extends(rowcastMetadata(() => given, { logger }))
    const list = [prisma.tag.findMany(), prisma.tag.create(INSERT), prisma.tag.delete({ where: { id: 1 } })]
    await expect(prisma.$transaction(list as never)).rejects.toMatchObject({ batchRequestIdx: 2 })
  })

  it('runs where the database cannot be asked whether it takes messages, and on a standby', async () => {
    let fails = true
    const { prisma, words, state } = openClient((sql) =>
      fails && sql.includes('privilege')
        ? { kind: 'postgres', code: '57014', severity: 'ERROR', message: 'no' }
        : null,
    )
    await prisma.$transaction([prisma.tag.create(INSERT)])
    expect(logged).toEqual([
      'A transaction has no metadata: what the application gives could not be written.',
    ])
    fails = false
    state.isStandby = true
    await prisma.$transaction([prisma.$queryRaw`SELECT 1`])
    expect(words()).not.toContain('message')
    state.isStandby = false
    await prisma.$transaction([prisma.tag.create(INSERT)])
    expect(words()).toContain('message')
  })
})

describe('what the application gives', () => {
  it('is no promise: nobody waits for one, whatever becomes of it', async () => {
    const { plain, words } = openClient()
    const prisma = plain.$extends(
      rowcastMetadata(() => Promise.reject(new Error('Nobody hears of it.')), { logger }),
    )
    await prisma.tag.create(INSERT)
    await prisma.$transaction([prisma.tag.create(INSERT)])
    await prisma.$transaction((tx) => tx.tag.create(INSERT))
    expect(words()).not.toContain('message')
    expect(new Set(logged)).toEqual(
      new Set(['A transaction has no metadata: what the application gives is a promise.']),
    )
  })
})

it('stands before the first write of an interactive transaction, and of one within it', async () => {
  const { prisma, words } = openClient()
  await prisma.$transaction(async (tx) => {
    await tx.$executeRaw`SET TRANSACTION ISOLATION LEVEL SERIALIZABLE`
    await tx.tag.create(INSERT)
    await tx.$executeRawUnsafe('UPDATE "Tag" SET a = 1')
  })
  expect(words()).toEqual(['BEGIN', 'SET', 'SELECT', 'message', 'INSERT', 'UPDATE', 'COMMIT'])
})

it('leaves the calls of a transaction in the order in which they are made', async () => {
  const { prisma, plain, words } = openClient()
  const run = async (client: typeof prisma) => {
    await client.$transaction(async (tx) => {
      for (let times = 0; times < 2; times += 1)
        await Promise.all([
          tx.tag.create(INSERT),
          tx.tag.findMany(),
          tx.$executeRaw`DELETE FROM "Tag"`,
          tx.tag.findMany(),
        ])
    })
    return words().filter((word) => word !== 'message')
  }
  const order = await run(plain as never)
  await prisma.tag.create(INSERT)
  words()
  expect(await run(prisma)).toEqual(order)
})

it('fails a transaction that has failed with it, and says why to whoever writes', async () => {
  const { prisma, words } = openClient((sql) =>
    sql.includes('emit_message(')
      ? { kind: 'postgres', code: '42501', severity: 'ERROR', message: 'permission denied' }
      : null,
  )
  await prisma.$transaction(async (tx) => {
    const writes = [tx.tag.create(INSERT), tx.tag.create(INSERT)]
    const [first, second] = await Promise.allSettled(writes)
    expect(first).toMatchObject({ status: 'rejected', reason: expect.any(Error) })
    expect(second).toEqual(first)
  })
  expect(words()).toEqual(['BEGIN', 'SELECT', 'message', 'COMMIT'])
})
