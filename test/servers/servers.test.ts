/** The list of behaviours under servers of others: `npm run test:peers` installs them. */
import { describeConformance } from '../conformance/behaviours.ts'
import { teamSchema } from '../conformance/team-schema.ts'
import { serveWithApollo } from './apollo.ts'
import { serveWithExpress } from './express.ts'
import { serveWithMercurius } from './mercurius.ts'
import { serveCodeFirst, serveSchemaFirst } from './nest.ts'
import { serveWithTypeGraphql } from './type-graphql.ts'

describeConformance({ name: 'Apollo Server', transports: ['websocket'], open: serveWithApollo })
describeConformance({ name: 'NestJS, schema-first', transports: ['websocket'], open: serveSchemaFirst })
describeConformance({ name: 'NestJS, code-first', transports: ['websocket'], open: serveCodeFirst })
describeConformance({
  ...{ name: 'Mercurius', transports: ['websocket'] },
  open: (feed) => serveWithMercurius(teamSchema(feed)),
})
describeConformance({ name: 'TypeGraphQL', transports: ['websocket', 'sse'], open: serveWithTypeGraphql })
describeConformance({
  name: 'handlers in Express',
  transports: ['websocket', 'sse'],
  open: (feed) => serveWithExpress(teamSchema(feed)),
})
