/** Stage 6, bus. A change of a part as it is offered to many; where it cannot be read, the end of those it may be for. */
import type { TransactionPart } from '../changes/change.ts'
import { bytesAt, indexAt } from '../changes/change-views.ts'
import { formatCursor } from '../changes/cursor.ts'
import { callAll } from './call-all.ts'
import { Offer } from './match.ts'
import type { Subscriber } from './subscriber.ts'
import { undeliverableChange } from './unread.ts'

/**
 * The change at the offset; null where it cannot be read: then those whom it may be for have ended with CHANGE_UNDELIVERABLE.
 * @throws where not even its index can be read. That is a part of which nothing can be trusted, not one value: `publish`
 *   throws it to the source, which begins again before the transaction, and who reads a log ends where it is, with MODEL_UNAVAILABLE.
 */
export function offerTo(
  subscribers: () => Iterable<Subscriber>,
  part: TransactionPart,
  offset: number,
): Offer | null {
  const { changes, isFinal, transaction } = part
  try {
    const change = changes.at(offset)
    if (change === undefined)
      throw new RangeError(`A part of ${changes.length} changes has none at ${offset}.`)
    return new Offer(change, bytesAt(changes, offset), isFinal && offset === changes.length - 1)
  } catch (error) {
    const { origin, commitLsn } = transaction
    const position = { commitLsn, index: indexAt(changes, offset) }
    const failure = undeliverableChange(error, formatCursor(origin, commitLsn, position.index))
    callAll(subscribers(), (subscriber) => subscriber.endAt(position, failure))
    return null
  }
}
