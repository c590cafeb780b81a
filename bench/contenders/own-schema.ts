/** A schema of the team's own with the changes of the orders in it, whose results are shared. */
import { buildSchema, type GraphQLSchema } from 'graphql'
import type { ChangeFeed } from '../../src/graphql/change-feed.ts'
import { addChanges } from '../../src/graphql/kit/schema-kit.ts'

/** Builds it. */
export function ownSchema(feed: ChangeFeed): GraphQLSchema {
  const yours = buildSchema('type Query { hello: String }')
  return addChanges(yours, feed, { models: { Order: {} }, shareBy: () => '' })
}
