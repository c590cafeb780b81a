/** Stage 8, server. Where GraphQL is served. */

/** Queries, mutations, SSE, WebSocket and GraphiQL. */
export const GRAPHQL_PATH = '/graphql'
/** The live page's own schema. Below GraphQL's path: a proxy that passes that on, passes this on. */
export const ACTIVITY_PATH = '/graphql/activity'
