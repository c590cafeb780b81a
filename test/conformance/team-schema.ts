/** A schema of a team's own, with changes in it whose results are shared. */
import type { GraphQLSchema } from 'graphql'
import { createSchema } from 'graphql-yoga'
import { addChanges } from '../../src/graphql/kit/schema-kit.ts'
import { type ConformanceFeed, OWN_RESOLVERS, OWN_SDL } from './target.ts'

/** Builds it. */
export const teamSchema = (feed: ConformanceFeed): GraphQLSchema =>
  addChanges(createSchema({ typeDefs: OWN_SDL, resolvers: OWN_RESOLVERS }), feed, {
    models: { User: { type: 'User' }, Tag: {} },
    changes: true,
    shareBy: () => '',
  })
