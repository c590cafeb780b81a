/**
 * What one would put together without rowcast: pg-logical-replication, Yoga's createPubSub, and graphql-ws as
 * Yoga's documentation wires it.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GraphQLScalarType } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { createPubSub, createSchema, createYoga } from 'graphql-yoga'
import { LogicalReplicationService, PgoutputPlugin } from 'pg-logical-replication'
import { WebSocketServer } from 'ws'
import { PUBLICATION } from '../database.ts'

const TYPES = `
  scalar DateTime
  scalar JSON
  type Query { version: String }
  type Order {
    id: Int!  reference: String!  customer: String!  email: String  status: String!  quantity: Int!
    totalCents: String!  price: String!  isPaid: Boolean!  details: JSON!  createdAt: DateTime!
  }
  type ChangeTransaction { xid: String! }
  type OrderChange { action: String!  old: Order  new: Order  transaction: ChangeTransaction! }
  type Subscription { orderChanged: OrderChange! }
`
type Row = Record<string, unknown>
/** What is published. */
interface OrderChange {
  readonly action: string
  readonly old: Row | null
  readonly new: Row | null
  readonly transaction: { readonly xid: string }
}

const pubSub = createPubSub<{ orderChanged: [OrderChange] }>()
const schema = createSchema({
  typeDefs: TYPES,
  resolvers: {
    DateTime: new GraphQLScalarType({
      name: 'DateTime',
      serialize: (value) => (value as Date).toISOString(),
    }),
    Order: {
      totalCents: (row: Row) => row['total_cents'],
      isPaid: (row: Row) => row['is_paid'],
      createdAt: (row: Row) => row['created_at'],
    },
    Subscription: {
      orderChanged: {
        subscribe: () => pubSub.subscribe('orderChanged'),
        resolve: (change: OrderChange) => change,
      },
    },
  },
})

function listen() {
  const yoga = createYoga({ schema, logging: false })
  const server = createServer(yoga)
  const sockets = new WebSocketServer({ server, path: yoga.graphqlEndpoint })
  useServer(
    {
      execute: (args) => (args as unknown as Enveloped).rootValue.execute(args),
      subscribe: (args) => (args as unknown as Enveloped).rootValue.subscribe(args),
      async onSubscribe(context, _id, params) {
        const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
          ...context,
          req: context.extra.request,
          socket: context.extra.socket,
          params,
        })
        const args = {
          schema,
          operationName: params.operationName,
          document: parse(params.query),
          variableValues: params.variables,
          contextValue: await contextFactory(),
          rootValue: { execute, subscribe },
        }
        const errors = validate(args.schema, args.document)
        return errors.length > 0 ? errors : args
      },
    },
    sockets,
  )
  return new Promise<{ port: number; path: string }>((resolve) => {
    server.listen(0, '127.0.0.1', () =>
      resolve({ port: (server.address() as AddressInfo).port, path: yoga.graphqlEndpoint }),
    )
  })
}

/** As Yoga's documentation hands its own functions to graphql-ws. */
interface Enveloped {
  readonly rootValue: {
    execute(args: unknown): ReturnType<NonNullable<Parameters<typeof useServer>[0]['execute']>>
    subscribe(args: unknown): ReturnType<NonNullable<Parameters<typeof useServer>[0]['subscribe']>>
  }
}

/** Starts; with a slot its changes are published, without one only what `fire` says. */
async function start({ url, slot }: { readonly url?: string; readonly slot?: string }) {
  if (url !== undefined && slot !== undefined) replicate(url, slot)
  return listen()
}

function replicate(url: string, slot: string): void {
  const service = new LogicalReplicationService({ connectionString: url })
  const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: [PUBLICATION] })
  let xid = ''
  service.on('data', (_lsn: string, message: Parsed) => {
    if (message.tag === 'begin') xid = String(message.xid)
    if (message.tag !== 'insert' && message.tag !== 'update') return
    pubSub.publish('orderChanged', {
      action: message.tag.toUpperCase(),
      old: message.old ?? null,
      new: message.new ?? null,
      transaction: { xid },
    })
  })
  service.on('error', (error) => {
    throw error
  })
  void service.subscribe(plugin, slot)
}

/** The parts of a parsed message that are used. */
interface Parsed {
  readonly tag: string
  readonly xid?: number
  readonly old?: Row | null
  readonly new?: Row | null
}

/** Publishes `changes` inserts in one turn. */
function fire({ changes }: { readonly changes: number }): void {
  for (let id = 1; id <= changes; id++) {
    const row = {
      ...{ id, reference: 'c4ca4238-a0b9-2382-0dcc-509a6f75849b', customer: `Customer number ${id}` },
      ...{ email: `customer${id}@mail.example.com`, status: 'on its way', quantity: 7 },
      ...{ total_cents: '199', price: '0.01', is_paid: false, created_at: new Date() },
      details: { weightGrams: 1, gift: false, note: 'leave it at the door' },
    }
    pubSub.publish('orderChanged', { action: 'INSERT', old: null, new: row, transaction: { xid: '1' } })
  }
}

export const commands = { start, fire }
