/** A schema of the application's own in `rowcast serve`: its queries, mutations and fields, with delivery, resuming and the orderly stop of the service. */
import { createSchema } from 'graphql-yoga'
import { expect, it } from 'vitest'
import type { PrismaClient } from '../prisma/generated/client/client.ts'
import { addChanges } from '../src/graphql/kit/schema-kit.ts'
import type { SchemaParts } from '../src/graphql/schema-parts.ts'
import { postGraphql } from './server/server-fixture.ts'
import { openDatabase } from './support/database.ts'
import { openService } from './support/live-service.ts'
import { subscribeSse } from './support/sse-client.ts'
import { createWsClient } from './support/ws-client.ts'

const SDL = /* GraphQL */ `
  type User { id: ID! email: String! shout: String! }
  type Query { users: [User!]! }
  type Mutation { join(email: String!): User! }
`

/** A team's schema around the client that the service made. */
function ownSchema({ feed, prisma, policies }: SchemaParts<PrismaClient>) {
  const schema = createSchema({
    typeDefs: SDL,
    resolvers: {
      Query: { users: () => prisma.user.findMany({ orderBy: { email: 'asc' } }) },
      Mutation: {
        join: (_root: unknown, { email }: { readonly email: string }) =>
          prisma.user.create({ data: { email, fullName: email } }),
      },
      User: { shout: ({ email }: { readonly email: string }) => email.toUpperCase() },
    },
  })
  return addChanges(schema, feed, { models: { User: { type: 'User' } }, policies, shareBy: () => '' })
}

const CHANGES = 'subscription { userChanged { action cursor new { email shout } } }'

it('serves queries, mutations and fields of the application, with changes, resuming and an orderly stop', async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, { config: { schema: ownSchema } })
  const { url, service } = running
  await service.rowcast.ready()
  const sockets = createWsClient(url)
  const overSocket = sockets.subscribe(CHANGES)
  const overSse = await subscribeSse(url, CHANGES)
  await expect.poll(() => service.rowcast.status().subscriptions.get('User')).toBe(2)

  const join = (email: string) =>
    postGraphql(url, 'mutation ($email: String!) { join(email: $email) { shout } }', { email })
  expect(await join('ada@x')).toEqual({ status: 200, body: { data: { join: { shout: 'ADA@X' } } } })
  const first = { action: 'INSERT', cursor: expect.any(String), new: { email: 'ada@x', shout: 'ADA@X' } }
  expect(await overSocket.nextData()).toEqual({ userChanged: first })
  expect(await overSse.nextData()).toEqual({ userChanged: first })
  expect(await postGraphql(url, '{ users { email } }')).toMatchObject({
    body: { data: { users: [{ email: 'ada@x' }] } },
  })

  // A stream that was cut goes on after the last event that its client has seen.
  const lastEventId = overSse.lastEventId ?? ''
  overSse.unsubscribe()
  await join('bob@x')
  const again = await subscribeSse(url, CHANGES, {}, 'POST', { 'last-event-id': lastEventId })
  expect(await again.nextData()).toMatchObject({ userChanged: { new: { email: 'bob@x' } } })

  const closed = sockets.closed()
  await service.stop()
  expect(await closed).toMatchObject({ code: 1012 })
})

it('refuses what is no schema, in one sentence', async () => {
  await using database = await openDatabase({ migrate: true })
  const open = (schema: () => never) => openService(database, { config: { schema } })
  await expect(open(() => Promise.resolve() as never)).rejects.toThrow(
    /GRAPHQL_BAD_SCHEMA.*returned no GraphQLSchema.*Return what `builder.toSchema\(\)`/,
  )
})
