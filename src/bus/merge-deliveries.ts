/** Stage 6, bus. Opens subscriptions to several models together. */
import type { BusSubscription } from './bus.ts'
import { MergedSubscription, type PartBounds } from './merged-subscription.ts'

/** Opens them all, or none. */
export function openAll<Request>(
  requests: readonly Request[],
  subscribe: (request: Request) => BusSubscription,
): readonly BusSubscription[] {
  const opened: BusSubscription[] = []
  try {
    for (const request of requests) opened.push(subscribe(request))
    return opened
  } catch (error) {
    for (const each of opened) void each.return()
    throw error
  }
}

/** As one. They begin at one position: nothing is published in between. */
export function mergeDeliveries<Request>(
  requests: readonly Request[],
  subscribe: (request: Request) => BusSubscription,
  after: string | undefined,
  bounds?: PartBounds,
): MergedSubscription {
  return new MergedSubscription(openAll(requests, subscribe), after ?? null, bounds)
}
