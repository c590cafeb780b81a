/** Stage 7, graphql. When a subscription may begin. */
import type { ChangeFeed } from '../change-feed.ts'
import { toSubscriptionError } from '../graphql-errors.ts'

/** Accepted means begun: whoever has no cursor would not know what it had missed until then. @throws NO_STREAM_YET */
export function onceLive<T>(feed: ChangeFeed, model: string, subscribe: () => T): T | Promise<T> {
  const waiting = feed.whenLive?.(model) ?? null
  if (waiting === null) return subscribe()
  return waiting.then(subscribe, (error: unknown) => {
    throw toSubscriptionError(error)
  })
}
