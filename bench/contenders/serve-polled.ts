/** What teams without live lists have: Yoga, Prisma, and clients that ask again and again. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PrismaPg } from '@prisma/adapter-pg'
import { createSchema, createYoga } from 'graphql-yoga'
import { PrismaClient } from '../../prisma/generated/client/client.ts'

const TYPES = `
  type Comment { id: ID!  body: String! }
  type Totals { count: Int! }
  type Query { comments(take: Int!): [Comment!]!  commentTotals: Totals! }
`

async function start({ url }: { readonly url: string }) {
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) })
  const schema = createSchema({
    typeDefs: TYPES,
    resolvers: {
      Query: {
        comments: (_root: unknown, { take }: { take: number }) =>
          prisma.comment.findMany({ take, orderBy: { id: 'desc' }, select: { id: true, body: true } }),
        commentTotals: async () => ({ count: await prisma.comment.count() }),
      },
    },
  })
  const yoga = createYoga({ schema, logging: false })
  const server = createServer(yoga)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 2_048, resolve))
  return { port: (server.address() as AddressInfo).port, path: yoga.graphqlEndpoint }
}

export const commands = { start }
