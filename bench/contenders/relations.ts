/** Changes with a relation, from the statement that makes them to the last result: ours as a service, and Pothos' own loaders under Yoga's PubSub. */
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import { type ExecutionResult, parse, subscribe } from 'graphql'
import { createClient } from 'graphql-ws'
import { createPubSub } from 'graphql-yoga'
import { WebSocket } from 'ws'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import type PrismaTypes from '../../prisma/generated/pothos.ts'
import { getDatamodel } from '../../prisma/generated/pothos.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { defineConfig } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { silentLogger } from '../../src/logger.ts'
import { createService } from '../../src/service.ts'

interface Request {
  readonly url: string
  readonly changes: number
  /** What is selected of each user. */
  readonly selection: string
}

const prismaOf = (connectionString: string) =>
  new PrismaClient({ adapter: new PrismaPg({ connectionString }) })

const emails = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => ({ email: `${prefix}-${n}@example.com` }))

let run = 0

/** Milliseconds; in rowcast's case the way through PostgreSQL and the socket is in them. */
async function rowcast({ url, changes, selection }: Request): Promise<number> {
  run += 1
  const slot = `relations_${run}`
  const config = defineConfig({ catalog, createPrisma: prismaOf, slot, port: 0, public: true })
  const service = await createService(resolveConfig(config, { DATABASE_URL: url }), { logger: silentLogger })
  const prisma = prismaOf(url)
  const { port } = await service.start()
  await service.rowcast.ready()
  const client = createClient({ url: `ws://127.0.0.1:${port}/graphql`, webSocketImpl: WebSocket })
  try {
    const query = `subscription { userChanged(action: INSERT) { new { ${selection} } } }`
    const results = client.iterate({ query })
    const first = results.next()
    // What is asked for on one socket is begun in order.
    for await (const _ of client.iterate({ query: '{ changeCursor }' }));
    const startedMs = performance.now()
    await prisma.user.createMany({ data: emails(`ours-${run}`, changes) })
    await first
    for (let n = 1; n < changes; n++) await results.next()
    return performance.now() - startedMs
  } finally {
    await client.dispose()
    await service.stop()
    await prisma.$executeRawUnsafe(`SELECT pg_drop_replication_slot('${slot}')`).catch(() => 0)
    await prisma.$disconnect()
  }
}

/** The same without replication and without a socket: rows are published by hand, and Pothos reads their relations. */
async function pothos({ url, changes, selection }: Request): Promise<number> {
  run += 1
  const prisma = prismaOf(url)
  const pubSub = createPubSub<{ user: [object] }>()
  const builder = new SchemaBuilder<{ PrismaTypes: PrismaTypes }>({
    plugins: [PrismaPlugin],
    prisma: { client: prisma, dmmf: getDatamodel() },
    // The plugin is not among them; its types are, as rowcast is in the same program.
    rowcast: { feed: undefined as never },
  })
  const user = builder.prismaObject('User', {
    fields: (t) => ({ id: t.exposeID('id'), email: t.exposeString('email'), posts: t.relation('posts') }),
  })
  builder.prismaObject('Post', { fields: (t) => ({ title: t.exposeString('title') }) })
  builder.queryType({ fields: (t) => ({ ok: t.boolean({ resolve: () => true }) }) })
  builder.subscriptionType({
    fields: (t) => ({
      user: t.field({
        type: user,
        subscribe: () => pubSub.subscribe('user'),
        resolve: (row) => row as never,
      }),
    }),
  })
  const document = parse(`subscription { user { ${selection} } }`)
  const results = await subscribe({ schema: builder.toSchema(), document, contextValue: {} })
  if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results))
  const startedMs = performance.now()
  const rows = await prisma.user.createManyAndReturn({ data: emails(`theirs-${run}`, changes) })
  const first = results.next()
  for (const row of rows) pubSub.publish('user', row)
  const check = ({ value }: IteratorResult<ExecutionResult>) => {
    if (value?.errors !== undefined) throw value.errors[0]
  }
  check(await first)
  for (let n = 1; n < changes; n++) check(await results.next())
  const tookMs = performance.now() - startedMs
  await results.return?.()
  await prisma.$disconnect()
  return tookMs
}

export const commands = { rowcast, pothos }
