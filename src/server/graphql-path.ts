/** Stage 8, server. Where GraphQL is served. */

/** Queries, mutations, SSE, WebSocket and GraphiQL. */
export const GRAPHQL_PATH = '/graphql'
