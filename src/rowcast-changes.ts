/** Beside the spine. From what the library's users ask for to what the bus takes, and back. */
import type { BusSubscription } from './bus/bus.ts'
import type { ChangeAction } from './changes/change.ts'

/** One action is a list of one. */
export const actionsOf = (action: ChangeAction | readonly ChangeAction[] | undefined) =>
  typeof action === 'string' ? [action] : action

/**
 * Deliveries → changes, each with rows of its own: what one subscriber does to a row, no other sees. The one place where
 * the runtime's any-model change gets its model's type.
 */
export function changesOf<C>(deliveries: BusSubscription): AsyncIterableIterator<C> {
  return {
    async next() {
      const result = await deliveries.next()
      return result.done
        ? { done: true, value: undefined }
        : { done: false, value: result.value.change.fresh() as C }
    },
    async return() {
      await deliveries.return()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
