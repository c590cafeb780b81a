/** A server under the conformance suite, and what all of them have in common: the same feed, policies and viewers. */
import type { ModelPolicies } from '../../src/graphql/policy/model-policy.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createFakeFeed, type FakeFeed } from '../graphql/fake-feed.ts'

/** The viewer in a GraphQL context. */
export interface ViewerContext {
  readonly viewer: string
}

/** A feed with the policies that `register()` was given. */
export interface ConformanceFeed extends FakeFeed {
  readonly policies: ModelPolicies
}

/** A server on a port of its own; `/graphql` takes WebSockets, and event streams where it has them. */
export interface ConformanceTarget {
  readonly url: string
  close(): Promise<unknown>
}

/** A kind of server. */
export interface ConformanceKind {
  readonly name: string
  readonly transports: readonly ('websocket' | 'sse')[]
  open(feed: ConformanceFeed): Promise<ConformanceTarget>
}

/** What is said of the models, the same for all. */
export const MODELS = {
  User: {
    canSubscribe: (context: object) => viewerOf(context) !== 'nobody',
    rows: (context: object) => (viewerOf(context) === 'member' ? { role: 'MEMBER' as never } : 'all'),
    fields: (context: object) =>
      viewerOf(context) === 'member' ? ['id', 'email', 'role', 'tags'] : ('all' as const),
    omit: ['balance', 'createdAt'],
  },
  Tag: {},
} as const

function viewerOf(context: object): string {
  return (context as ViewerContext).viewer
}

/** The feed of one server. */
export function createConformanceFeed(): ConformanceFeed {
  const feed = createFakeFeed(blogCatalog, ['User', 'Tag'])
  return Object.assign(feed, { policies: new Map(Object.entries(MODELS)) as ModelPolicies })
}

/** SDL of a team whose rows of User are of a type of its own. */
export const OWN_SDL = /* GraphQL */ `
  enum Role { MEMBER ADMIN }
  type User { id: ID! email: String! bio: String role: Role! tags: [String!]! shout: String! }
  type Query { hello: String! me: User }
`

/** Its resolvers. */
export const OWN_RESOLVERS = {
  User: { shout: ({ email }: { readonly email: string }) => email.toUpperCase() },
  Query: {
    hello: () => 'world',
    me: () => ({ id: 'a', email: 'ada@x', bio: null, role: 'ADMIN', tags: [] }),
  },
}

/** Who asks, as each server's context reads it. */
export const VIEWER_HEADER = 'x-viewer'
