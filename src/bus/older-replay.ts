/**
 * Stage 6, bus. A subscription whose cursor lies outside the log of this process: older than it, and then the broker's
 * stream is read until the log goes on from there; or ahead of it, and then it waits.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ChangePosition, TransactionPart } from '../changes/change.ts'
import { comparePositions, INDEX_AFTER_ALL } from '../changes/cursor.ts'
import type { OlderLog, OlderReader } from './bus.ts'
import type { History } from './history.ts'
import { Offer, type Subscriber } from './subscriber.ts'

/** Pushes older deliveries, and says whether there may be more; see `SubscriptionQueueOptions.refill`. */
export type Replay = () => boolean | Promise<boolean>

/** What it works on. */
export interface OlderReplayOptions {
  readonly older: OlderLog
  readonly subscriber: Subscriber
  readonly known: History
  /** Null from the oldest. */
  readonly after: ChangePosition | null
  /** Whether the history is still the one of this process. */
  readonly isPresent: () => boolean
  /** Goes on from the log of this process. */
  readonly replayLog: (position: ChangePosition, onLost: (read: ChangePosition) => boolean) => Replay
}

/** Between two looks for the rest of a transaction that is still being written. */
const POLL_MS = 20

/** Where a reader stands that has read the part. */
export function endOfPart({ transaction, changes, isFinal }: TransactionPart): ChangePosition {
  const index = isFinal ? INDEX_AFTER_ALL : (changes.at(changes.length - 1)?.index ?? 0)
  return { commitLsn: transaction.commitLsn, index }
}

/** Creates it. */
export function createOlderReplay(options: OlderReplayOptions): Replay {
  const { older, subscriber, known, isPresent, replayLog } = options
  let { after } = options
  let replay: Replay | null = null
  let reader: OlderReader | null = null

  function goOnFrom(position: ChangePosition): Replay {
    subscriber.skipTo = position
    replay = replayLog(position, (read) => {
      // The log has moved on before it: what it lacks is older now.
      after = read
      replay = null
      reader = null
      subscriber.skipTo = read
      return true
    })
    return replay
  }

  async function readOlder(): Promise<boolean> {
    reader ??= older.read(subscriber.model, after)
    const parts = await reader.next()
    if (!isPresent()) return false
    // From here on what is older is what was read.
    if (after === null) subscriber.skipTo = null
    for (const part of parts) {
      for (const change of part.changes) {
        if (change.model === subscriber.model) subscriber.offer(new Offer(change, false))
      }
      if (part.isFinal) subscriber.release()
    }
    if (comparePositions(reader.position, known.log.floor) >= 0) goOnFrom(reader.position)
    else if (parts.length === 0) await delay(POLL_MS)
    return true
  }

  async function awaitReached(position: ChangePosition): Promise<boolean> {
    if (!(await older.hasReached(position))) subscriber.queue.end(known.notReached())
    else if (isPresent()) goOnFrom(position)
    return isPresent()
  }

  return () => {
    if (replay !== null) return replay()
    if (after !== null && comparePositions(after, known.log.newest) > 0) return awaitReached(after)
    if (after !== null && comparePositions(after, known.log.floor) >= 0) return goOnFrom(after)()
    return readOlder()
  }
}
