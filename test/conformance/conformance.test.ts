/** The list of behaviours, on the servers that need no further package: Apollo Server and NestJS are in test/servers. */
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { buildSchema, type GraphQLSchema } from 'graphql'
import { createSchema } from 'graphql-yoga'
import { addChanges, changeResolvers, changeTypeDefs } from '../../src/graphql/kit/schema-kit.ts'
import { RowcastPlugin } from '../../src/graphql/plugin/rowcast-plugin.ts'
import { pothosDatamodel } from '../../src/graphql/pothos-datamodel.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { silentLogger } from '../../src/logger.ts'
import { createServer } from '../../src/server/create-server.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { describeConformance } from './behaviours.ts'
import { serveWithHandlers, serveWithYogaPlugin } from './handlers.ts'
import { type ConformanceFeed, type ConformanceTarget, MODELS, OWN_RESOLVERS, OWN_SDL } from './target.ts'
import { teamSchema } from './team-schema.ts'
import { viewerContext } from './viewer-context.ts'
import { serveWithYoga } from './yoga.ts'

const BOTH = ['websocket', 'sse'] as const

function pothosSchema(feed: ConformanceFeed): GraphQLSchema {
  const builder = new SchemaBuilder<{
    PrismaTypes: { User: never }
    Scalars: Record<string, { Input: unknown; Output: unknown }>
  }>({
    plugins: [PrismaPlugin, RowcastPlugin],
    prisma: {
      client: createRecordingPrisma() as never,
      dmmf: { datamodel: pothosDatamodel(blogCatalog) } as never,
    },
    rowcast: { feed, changes: true },
  }) as unknown as PothosSchemaTypes.SchemaBuilder<never>
  builder.queryType({ fields: (t: never) => ownQueries(t) } as never)
  builder.prismaObject('User' as never, { fields: (t: never) => userFields(t) } as never)
  const tagFields = (t: Expose) => ({ id: t['exposeID']?.('id', { nullable: false }) })
  builder.prismaObject('Tag' as never, { fields: tagFields } as never)
  builder.changeSubscription('User' as never)
  builder.changeSubscription('Tag' as never)
  return builder.toSchema()
}

type Expose = Record<string, (name: string, options?: object) => unknown>

function userFields(t: Expose): object {
  return {
    id: t['exposeID']?.('id', { nullable: false }),
    email: t['exposeString']?.('email', { nullable: false }),
    bio: t['exposeString']?.('bio', { nullable: true }),
    role: t['expose']?.('role', { type: 'Role', nullable: false }),
    tags: t['exposeStringList']?.('tags', { nullable: false }),
  }
}

function ownQueries(t: Record<string, (options: object) => unknown>): object {
  return { hello: t['string']?.({ nullable: true, resolve: () => 'world' }) }
}

describeConformance({
  name: 'the Pothos plugin under Yoga',
  transports: BOTH,
  open: (feed) => serveWithYoga(pothosSchema(feed)),
})

describeConformance({
  name: 'the SDL kit under Yoga, rows of the team’s own type',
  transports: BOTH,
  open: (feed) => {
    const options = { models: { User: { type: 'User' }, Tag: {} }, changes: true }
    const schema = createSchema({
      typeDefs: [OWN_SDL, changeTypeDefs(feed, options)],
      resolvers: [OWN_RESOLVERS, changeResolvers(feed, options)] as never,
    })
    return serveWithYoga(schema)
  },
})

describeConformance({
  name: 'the SDL kit under Yoga, rows of rowcast’s type',
  transports: BOTH,
  open: (feed) => {
    const options = { models: { User: {}, Tag: {} }, changes: true }
    const schema = createSchema({
      typeDefs: ['type Query { hello: String }', changeTypeDefs(feed, options)],
      resolvers: changeResolvers(feed, options) as never,
    })
    return serveWithYoga(schema)
  },
})

describeConformance({
  name: 'addChanges on a schema of graphql-js',
  transports: BOTH,
  open: (feed) =>
    serveWithYoga(
      addChanges(buildSchema(OWN_SDL), feed, { models: { User: { type: 'User' }, Tag: {} }, changes: true }),
    ),
})

function serve(schema: GraphQLSchema): Promise<ConformanceTarget> {
  const server = createServer({
    ...{ schema, logger: silentLogger, port: 0, introspection: true },
    health: () => ({ isReady: true }),
    context: viewerContext,
  })
  return server.listen().then(({ url }) => ({ url, close: () => server.close() }))
}

describeConformance({
  name: 'rowcast serve',
  transports: BOTH,
  open: (feed) =>
    serve(
      buildServiceSchema({
        catalog: blogCatalog,
        prisma: createRecordingPrisma(),
        feed,
        models: MODELS as never,
      }),
    ),
})

describeConformance({
  name: 'rowcast serve with the team’s own schema',
  transports: BOTH,
  open: (feed) => serve(teamSchema(feed)),
})

describeConformance({
  name: 'handlers in an HTTP server of one’s own',
  transports: BOTH,
  open: (feed) => serveWithHandlers(teamSchema(feed)),
})

describeConformance({
  name: 'handlers as a plugin of a Yoga and in place of graphql-ws',
  transports: BOTH,
  open: (feed) => serveWithYogaPlugin(teamSchema(feed)),
})
