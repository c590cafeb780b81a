/**
 * Stage 6, bus. Those who read one history instead of being live: from the log of this process, or from what is older
 * than it. A subscription passes from one to the other as the log moves on, and ends where nobody has what it needs.
 */

import type { ChangePosition } from '../changes/change.ts'
import { compareAfter, comparePositions, INDEX_AFTER_ALL } from '../changes/cursor.ts'
import type { ReadShare } from '../source/session/reader-wait.ts'
import type { OlderLog } from './bus.ts'
import type { History } from './history.ts'
import { OlderReaders } from './older-reader.ts'
import { leftTheLog } from './resync-required.ts'
import { LogReader } from './retained-log-reader.ts'
import { StarvedReaders } from './starved-readers.ts'
import type { Subscriber } from './subscriber.ts'
import type { Pressure, SliceTimers } from './time-slices.ts'

/** What they work with. */
export interface ReadersOptions {
  readonly known: History
  /** Null where nothing is older than the log. */
  readonly older: OlderLog | null
  readonly timers: SliceTimers
  readonly pressure: Pressure
  /** Everything there is has been offered to the subscriber. */
  readonly onCaughtUp: (subscriber: Subscriber) => void
}

/** All readers of one history. */
export class Readers {
  readonly #known: History
  readonly #log: LogReader
  readonly #older: OlderReaders | null
  readonly #starved: StarvedReaders

  constructor({ known, older, timers, pressure, onCaughtUp }: ReadersOptions) {
    this.#known = known
    this.#starved = new StarvedReaders(timers, (subscriber) => this.wake(subscriber))
    const onNoRoom = (subscriber: Subscriber): void => this.#starved.add(subscriber)
    this.#log = new LogReader({
      ...{ log: known.log, timers, pressure, onCaughtUp, onNoRoom },
      onLost: (subscriber, after) => this.#goOn(subscriber, after),
    })
    this.#older =
      older === null
        ? null
        : new OlderReaders({
            ...{ older, known, timers, pressure, onNoRoom },
            onReachedLog: (subscriber, after) => this.#goOn(subscriber, after),
          })
  }

  /** Whether what follows the position can be read. */
  canRead(model: string, after: ChangePosition): boolean {
    return this.#older !== null || comparePositions(after, this.#known.log.floorOf(model)) >= 0
  }

  /** The subscriber reads what follows the position; null: all there is. */
  begin(subscriber: Subscriber, after: ChangePosition | null): void {
    if (after !== null) this.#goOn(subscriber, after)
    else if (this.#older === null) this.#beginWhole(subscriber)
    else this.#older.add(subscriber, null)
    if (subscriber.queue.isAwaited) this.wake(subscriber)
  }

  /** The subscriber's consumer has room. */
  wake(subscriber: Subscriber): void {
    if (subscriber.phase.kind === 'log') this.#log.wake(subscriber)
    else if (subscriber.phase.kind === 'older') this.#older?.wake(subscriber)
  }

  remove(subscriber: Subscriber): void {
    this.#log.remove(subscriber)
    this.#older?.remove(subscriber)
    this.#starved.remove(subscriber)
  }

  /** Sequence number of the oldest part of the log that somebody is still to read. */
  oldestRead(): number {
    return this.#log.oldestRead()
  }

  /** The same of those that the source waits for. */
  oldestAwaited(): number {
    return this.#log.oldestRead(this.#known.log.first)
  }

  /** See `AwaitedReaders`. */
  beginRound(): void {
    this.#log.beginRound()
  }

  leaveSlow(min: ReadShare): void {
    this.#log.leaveSlow(min)
  }

  /** The history is over. */
  close(): void {
    this.#log.close()
    this.#older?.close()
    this.#starved.clear()
  }

  /** All there is begins behind a gap, and with a whole transaction: what is left of one whose beginning was trimmed is passed over. */
  #beginWhole(subscriber: Subscriber): void {
    const { log } = this.#known
    const { commitLsn, index } = log.floor
    const rest = index < INDEX_AFTER_ALL ? { commitLsn, index: INDEX_AFTER_ALL } : null
    const gap = this.#known.beginningOf(subscriber.model)
    const after = compareAfter(gap, rest) < 0 ? rest : gap
    if (after === null) this.#log.add(subscriber, log.floor)
    else this.#goOn(subscriber, after)
  }

  #goOn(subscriber: Subscriber, after: ChangePosition): void {
    const { log } = this.#known
    subscriber.skipTo = after
    const isHere = comparePositions(after, log.floorOf(subscriber.model)) >= 0 && log.hasReached(after)
    if (isHere || (this.#older === null && !log.hasReached(after))) {
      this.#log.add(subscriber, after)
    } else if (this.#older !== null) {
      this.#older.add(subscriber, after)
    } else {
      // What it has not taken is of no use: all is to be read again.
      subscriber.queue.spill()
      subscriber.queue.end(leftTheLog())
    }
    if (subscriber.queue.isAwaited) this.wake(subscriber)
  }
}
