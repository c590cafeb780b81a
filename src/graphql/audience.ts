/**
 * Stage 7, graphql. Who a subscription's results are for. Subscriptions with the same document, variables and audience
 * get the same results, so the server makes them once. Null, or nothing said: never shared with anybody.
 */

const audiences = new WeakMap<object, string>()

/**
 * Says whose results the iterator of a `subscribe` resolver gives: everything about the viewer that a result can
 * depend on, as one text.
 */
export function setAudience(iterator: object, audience: string | null): void {
  if (audience !== null) audiences.set(iterator, audience)
}

/** Whose results the iterator gives; null where that is not known. */
export function audienceOf(iterator: object): string | null {
  return audiences.get(iterator) ?? null
}
