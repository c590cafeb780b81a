/**
 * A gateway of The Guild as its README has it, on a port: in front of rowcast's subgraph, and of one of a team, which is a Yoga of its own.
 * It forwards who asks: `authorization`, over WebSocket in `connectionParams`.
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { composeServices as composeByApollo } from '@apollo/composition'
import { composeServices } from '@theguild/federation-composition'
import { parse } from 'graphql'
import type { ServerOptions } from 'graphql-ws'
import { type Extra, useServer } from 'graphql-ws/use/ws'
import { createSchema, createYoga } from 'graphql-yoga'
import { WebSocketServer } from 'ws'

/** What of the gateway is used. Its own types change those of graphql-js, for the whole program. */
interface HiveGateway {
  createGatewayRuntime(options: {
    readonly supergraph: string
    readonly logging: boolean
    readonly propagateHeaders: {
      fromClientToSubgraphs(asked: { readonly request: Request }): Record<string, string>
    }
    readonly transportEntries: object
  }): RequestListener & AsyncDisposable & { getSchema(): Promise<unknown> }
  getGraphQLWSOptions(
    gateway: object,
    contextOf: (socket: { readonly extra: Extra }) => object,
  ): ServerOptions<Record<string, unknown>, Extra>
}

const load = (name: string): Promise<unknown> => import(name)

const FEDERATION = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])`
/** What a library for subgraphs adds. */
const SERVED = `directive @key(fields: String!, resolvable: Boolean) on OBJECT
  scalar _Any
  union _Entity = User
  extend type Query { _entities(representations: [_Any!]!): [_Entity]! }`

/** A subgraph: what it is composed of, and where it is. */
export interface Subgraph {
  readonly name: string
  readonly url: string
  readonly sdl: string
}

/** On a port until it is closed. */
export interface Served extends AsyncDisposable {
  readonly url: string
  readonly port: number
}

async function listen(http: Server, port: number, close: () => unknown): Promise<Served> {
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve))
  const { port: taken } = http.address() as AddressInfo
  let isOpen = true
  return {
    url: `http://127.0.0.1:${taken}`,
    port: taken,
    async [Symbol.asyncDispose]() {
      if (!isOpen) return
      isOpen = false
      const closed = new Promise((resolve) => http.close(resolve))
      await close()
      http.closeAllConnections()
      await closed
    },
  }
}

/** A team's own subgraph: `resolvers` has no `_entities`, they are what they are asked by. */
export async function serveTeam(
  sdl: string,
  resolvers: Record<string, Record<string, unknown>>,
): Promise<Subgraph & Served> {
  const { Query, ...types } = resolvers
  const schema = createSchema({
    typeDefs: `${SERVED}\n${sdl}`,
    resolvers: {
      ...types,
      Query: {
        ...Query,
        _entities: (_root: unknown, { representations }: { representations: object[] }) => representations,
      },
      _Entity: { __resolveType: () => 'User' },
    } as never,
  })
  const yoga = createYoga({ schema: schema as never, logging: false }) as RequestListener
  const served = await listen(createServer(yoga), 0, () => undefined)
  return { ...served, name: 'team', url: `${served.url}/graphql`, sdl: `${FEDERATION}\n${sdl}` }
}

/** Asks rowcast what it is composed of. */
export async function subgraphOf(url: string): Promise<Subgraph> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ _service { sdl } }' }),
  })
  const { data } = (await response.json()) as { data: { _service: { sdl: string } } }
  return { name: 'rowcast', url: `${url}/graphql`, sdl: data._service.sdl }
}

/** As The Guild composes them, and as Apollo does. @throws what one of them has against it */
export function compose(subgraphs: readonly Subgraph[]): { readonly guild: string; readonly apollo: string } {
  const services = subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) }))
  return { guild: composedBy(composeServices, services), apollo: composedBy(composeByApollo, services) }
}

interface Composed {
  readonly supergraphSdl?: string | undefined
  readonly errors?: readonly { readonly message: string }[] | undefined
}

function composedBy<Service>(by: (services: Service[]) => Composed, services: Service[]): string {
  const { supergraphSdl, errors = [] } = by(services)
  if (supergraphSdl === undefined) throw new Error(errors.map(({ message }) => message).join('\n'))
  return supergraphSdl
}

/** What a config file of the gateway says, but for the supergraph. */
export type GatewayConfig = Pick<
  Parameters<HiveGateway['createGatewayRuntime']>[0],
  'propagateHeaders' | 'transportEntries'
>

interface GatewayOptions {
  /** How it subscribes at rowcast. @default SSE */
  readonly upstream?: 'sse' | 'websocket'
  readonly port?: number
  /** In place of what it has here. */
  readonly config?: GatewayConfig
}

/** The gateway of these subgraphs. */
export async function serveGateway(
  subgraphs: readonly Subgraph[],
  options: GatewayOptions = {},
): Promise<Served> {
  const supergraphs = compose(subgraphs)
  const hive = (await load('@graphql-hive/gateway-runtime')) as HiveGateway
  const gateway = hive.createGatewayRuntime({
    supergraph: options.upstream === 'websocket' ? supergraphs.apollo : supergraphs.guild,
    logging: false,
    propagateHeaders: {
      fromClientToSubgraphs: ({ request }) => ({
        authorization: request.headers.get('authorization') ?? 'Bearer nobody',
      }),
    },
    transportEntries: options.upstream === 'websocket' ? OVER_WEBSOCKET : {},
    ...options.config,
  })
  // As its own program does before it listens.
  await gateway.getSchema()
  const http = createServer(gateway)
  const sockets = new WebSocketServer({ server: http, path: '/graphql' })
  const served = useServer(
    hive.getGraphQLWSOptions(gateway, ({ extra: { request } }) => {
      // What opened the socket, as its own program hands it on.
      const headers = { authorization: String(request.headers.authorization ?? '') }
      return { request: new Request('http://gateway/graphql', { headers }), headers }
    }),
    sockets,
  )
  return listen(http, options.port ?? 0, async () => {
    for (const socket of sockets.clients) socket.terminate()
    await served.dispose()
    await gateway[Symbol.asyncDispose]()
  })
}

const OVER_WEBSOCKET = {
  rowcast: {
    options: {
      subscriptions: {
        kind: 'ws',
        options: { connectionParams: { authorization: '{context.headers.authorization}' } },
      },
    },
  },
}
