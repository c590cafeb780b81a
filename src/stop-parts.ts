/** The end of what has several parts: a part that fails to stop keeps none of the others running. */

/** How a rowcast stops. */
export interface StopOptions {
  /**
   * Subscriptions end with SERVER_STOPPING, whose `details.cursor` is where to go on, and not normally: for servers, whose
   * clients go on at another one. On sockets of a server that is not rowcast's, close them first: most clients take an end for final. @default false
   */
  readonly tellsSubscribers?: boolean | undefined
}

/** Stops one part after the other, each whatever became of those before it. @throws what they threw, once all have stopped */
export async function stopParts(parts: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = []
  for (const stop of parts) {
    try {
      await stop()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length === 1) throw errors[0]
  if (errors.length > 1) throw new AggregateError(errors, 'Several parts failed to stop.')
}
