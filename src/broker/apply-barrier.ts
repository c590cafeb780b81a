/** Beside the bus, broker. What a barrier in the stream does to the subscriptions of a gateway. */
import type { ChangeBus } from '../bus/bus.ts'
import { INDEX_AFTER_ALL } from '../changes/cursor.ts'
import type { EmittedMessage } from '../changes/emitted-message.ts'
import { isOwnMessage, missedBy, parseBarrier } from '../source/published/barrier-message.ts'

/** Ends the subscriptions and the cursors that a barrier cuts. @returns whether the message is one of rowcast's own */
export function applyBarrier(bus: ChangeBus, message: EmittedMessage, slot: string): boolean {
  const barrier = parseBarrier(message, slot)
  const { transaction } = message
  if (barrier === null || transaction === null) return isOwnMessage(message)
  const position = { commitLsn: transaction.commitLsn, index: INDEX_AFTER_ALL }
  for (const model of barrier.cut) {
    bus.cut(model, { position, cleanFrom: barrier.cleanFrom, error: missedBy(barrier, model) })
  }
  return true
}
