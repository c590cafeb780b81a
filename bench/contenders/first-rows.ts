/** The rows of a table to clients: as first rows of a subscription, and as one query of Yoga's that calls findMany. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PrismaPg } from '@prisma/adapter-pg'
import { createSchema, createYoga } from 'graphql-yoga'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { defineConfig } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { silentLogger } from '../../src/logger.ts'
import { createService } from '../../src/service.ts'

interface Request {
  readonly url: string
  readonly slot: string
}

let statements = 0

/** Counts the statements that read comments. */
function prismaOf(connectionString: string): PrismaClient {
  const prisma = new PrismaClient({
    adapter: new PrismaPg({ connectionString }),
    log: [{ emit: 'event', level: 'query' }],
  })
  prisma.$on('query', ({ query }) => {
    if (query.startsWith('SELECT') && query.includes('FROM "public"."Comment"')) statements += 1
  })
  return prisma as PrismaClient
}

async function rowcast({ url, slot }: Request) {
  const config = defineConfig({ catalog, createPrisma: prismaOf, slot, port: 0, public: true })
  const service = await createService(resolveConfig(config, { DATABASE_URL: url, NODE_ENV: 'production' }), {
    logger: silentLogger,
  })
  const { port } = await service.start()
  await service.rowcast.ready()
  return { port }
}

async function yoga({ url }: Request) {
  const prisma = prismaOf(url)
  const schema = createSchema({
    typeDefs: 'type Query { comments: [Comment!]! } type Comment { id: ID! body: String! }',
    resolvers: { Query: { comments: () => prisma.comment.findMany({ orderBy: { id: 'asc' } }) } },
  })
  const server = createServer(createYoga({ schema, logging: false }))
  return new Promise<{ port: number }>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ port: (server.address() as AddressInfo).port }))
  })
}

/** What has been read since it was asked last, and the most memory that the process has had. */
function taken() {
  const read = statements
  statements = 0
  return { statements: read, peakMib: process.resourceUsage().maxRSS / 1024 }
}

export const commands = { rowcast, yoga, taken }
