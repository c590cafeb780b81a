/**
 * Stage 7, graphql. Where a server leaves the `Last-Event-ID` of a client that reconnects to an event stream: in
 * the GraphQL context, under this symbol. It is the cursor of the last change the client got, and newer than the
 * `after` of the request, which the browser repeats as it was.
 * Source: HTML Living Standard, section 9.2, "Server-sent events".
 */
export const LAST_EVENT_ID: unique symbol = Symbol('rowcast.lastEventId')

/** The cursor that the client's connection brought; null when it brought none. */
export function lastEventIdOf(context: unknown): string | null {
  const id = typeof context === 'object' && context !== null ? Reflect.get(context, LAST_EVENT_ID) : undefined
  return typeof id === 'string' && id !== '' ? id : null
}
