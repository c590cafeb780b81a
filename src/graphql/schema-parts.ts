/** Stage 7, graphql. What a schema of one's own is made with, in types that need no graphql. */
import type { ChangeFeed } from './change-feed.ts'
import type { ModelPolicies } from './policy/model-policy.ts'

/** A GraphQLSchema, which is checked when it is there: the types of the library need no graphql. */
export interface SchemaLike {
  getQueryType(): unknown
  getSubscriptionType(): unknown
}

/** What a schema of one's own is made with. */
export interface SchemaParts<Prisma = unknown> {
  /** Where changes come from: the `feed` of `RowcastPlugin`, or the second argument of `addChanges`. */
  readonly feed: ChangeFeed
  /** The client that `createPrisma` made. */
  readonly prisma: Prisma
  /** What `models` of the config says of models, live or not. */
  readonly policies: ModelPolicies
}

/** Makes the schema; called once, before anything connects. */
export type MakeSchema<Prisma = unknown> = (parts: SchemaParts<Prisma>) => SchemaLike
