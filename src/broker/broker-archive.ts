/**
 * Beside the bus, broker. What the stream keeps beyond a gateway's own log: for cursors that are older, and for those
 * that another gateway, further ahead, has handed out. Reads over a connection of its own.
 */

import type { OlderLog, OlderReader } from '../bus/bus.ts'
import { cannotResume } from '../bus/resync-required.ts'
import type { ChangePosition, TransactionPart } from '../changes/change.ts'
import { endOfPart, hasChangeOf } from '../changes/change-views.ts'
import { compareAfter, INDEX_AFTER_ALL } from '../changes/cursor.ts'
import { isRowcastError, type RowcastError } from '../errors.ts'
import { parseBarrier } from '../source/published/barrier-message.ts'
import { ANSWER_TIMEOUT_MS } from '../wire/driver-target.ts'
import { LSN_ZERO } from '../wire/lsn.ts'
import { type BrokerRuntime, systemRuntime } from './broker-runtime.ts'
import type { Entry } from './entry-codec.ts'
import type { EntryFeeder, FeederOutput } from './entry-feeder.ts'
import { compareEntryIds, type EntryId, entryIdOf } from './entry-id.ts'
import type { BrokerEngine, EntryLog } from './entry-log.ts'
import type { Epoch } from './epoch.ts'
import type { EpochStore } from './epoch-store.ts'
import { askWhatFollows, type Following } from './last-positions.ts'
import { MissedEntries, tooOld } from './missed-entries.ts'
import { ReachedWatch } from './reached-watch.ts'
import type { RelationCache } from './relation-cache.ts'
import { SingleConnection } from './single-connection.ts'
import { StreamReader } from './stream-reader.ts'

/** What an archive needs. */
export interface BrokerArchiveOptions {
  readonly engine: BrokerEngine
  readonly name: string
  /** @default the machine's */
  readonly runtime?: BrokerRuntime | undefined
  readonly store: EpochStore
  readonly relations: RelationCache
  /** How long a broker that is away is waited for, and a tap that is behind a cursor. @default 10_000 // 10 s */
  readonly patienceMs?: number | undefined
  /** The epoch that the gateway reads; null while it reads none. */
  readonly epochNow: () => Epoch | null
  /** Everything before it has been written by a tap, as far as the gateway has heard. */
  readonly safeNow: () => bigint
  /** A feeder with relations of its own: older rows may have had other columns. */
  readonly createFeeder: (output: FeederOutput, position: EntryId) => EntryFeeder
}

/** Entries that one step reads. */
const READ_COUNT = 8
/** Steps of a search for the next entry of a model, after which whoever asks is asked again. */
const SEARCH_STEPS = 64
const RETRY_INTERVAL_MS = 100

/** The archive of one gateway. */
export class BrokerArchive implements OlderLog {
  readonly #options: BrokerArchiveOptions
  readonly #connection: SingleConnection
  readonly #reached: ReachedWatch
  readonly #runtime: BrokerRuntime
  readonly #patienceMs: number
  #isClosed = false
  /** Ends of gaps that were met while all that is retained of a model was read, by model. */
  readonly #gapEnds = new Map<string, { readonly epochId: string; readonly end: ChangePosition }>()

  constructor(options: BrokerArchiveOptions) {
    this.#options = options
    const { engine, name, runtime = systemRuntime, patienceMs = ANSWER_TIMEOUT_MS } = options
    this.#patienceMs = patienceMs
    this.#runtime = runtime
    this.#connection = new SingleConnection({ engine, name })
    this.#reached = new ReachedWatch({
      safeNow: () => this.#reachedLsn,
      askNewest: () => this.#patiently((log) => this.#readNewest(log)),
      ...{ runtime, patienceMs },
    })
  }

  /** What the server had when the epoch began comes, however long a tap takes to catch up: live subscriptions begin behind it. */
  get #reachedLsn(): bigint {
    const { safeNow, epochNow } = this.#options
    const [safe, begun] = [safeNow(), epochNow()?.serverLsn ?? 0n]
    return safe > begun ? safe : begun
  }

  hasReached(position: ChangePosition): Promise<boolean> {
    return this.#reached.hasReached(position.commitLsn)
  }

  read(model: string, after: ChangePosition | null, beginning: ChangePosition | null = null): OlderReader {
    const { relations, store, epochNow } = this.#options
    let epoch = epochNow()
    let parts: TransactionPart[] = []
    let fault: RowcastError | null = null
    const start = after ?? this.#beginningOf(model, epoch, beginning)
    let position = start ?? { commitLsn: LSN_ZERO, index: 0 }
    let from = start === null ? null : entryIdOf(start)
    /** Whether nothing may be missing before the next entry. */
    let isFollowing = after !== null
    const missed = new MissedEntries(model, (stood) => this.#askWhatFollows(epoch, model, stood))
    /** Something of the model has been read, so that a gap behind it can no longer be its beginning. */
    let hasBegun = false
    const feeder = this.#options.createFeeder(
      {
        publish: (part) => parts.push(part),
        onDrift(drifted) {
          if (drifted === model) fault = cannotResume('changes of its model could not be read for a while')
        },
        onMessage: (message) => {
          const { transaction } = message
          if (transaction === null || !parseBarrier(message, store.slot)?.cut.includes(model)) return
          const end = { commitLsn: transaction.commitLsn, index: INDEX_AFTER_ALL }
          if (epoch !== null) this.#gapEnds.set(model, { epochId: epoch.id, end })
          if (after !== null || hasBegun)
            fault = cannotResume('what is published of its table has changed since')
          // Whoever asks for all that is retained begins after the gap.
          else parts = []
        },
      },
      from ?? { lsn: LSN_ZERO, sequence: 0 },
    )
    if (epoch !== null) feeder.begin({ systemId: epoch.systemId, timeline: epoch.timeline }, feeder.position)

    const readOn = async (): Promise<readonly Entry[]> => {
      const present = epochNow()
      if (present === null || !isSameHistory(epoch, present)) throw cannotResume('the stream has restarted')
      if (isFollowing && from !== null && compareEntryIds(from, present.floor) < 0) throw tooOld()
      epoch = present
      const { entries, damage } = await this.#patiently((log) =>
        new StreamReader(log, store.keys.epoch(present.id), relations, present.floor).readAfter(
          from,
          READ_COUNT,
        ),
      )
      parts = []
      for (const entry of entries) {
        const isMissing = isFollowing && from !== null && compareEntryIds(entry.previous, from) > 0
        if (isMissing) await missed.note(position)
        missed.meet(entry, position)
        from = entry.id
        // All that is retained begins with a whole transaction: of one whose beginning was trimmed nothing is shown.
        if (!isFollowing && entry.previous.lsn === entry.id.lsn) continue
        feedOrResync(feeder, entry)
        isFollowing = true
      }
      if (damage !== null && entries.length === 0) throw cannotResume(UNREADABLE)
      if (fault !== null) throw fault
      return entries
    }

    const next = async (): Promise<readonly TransactionPart[]> => {
      for (let steps = 1; ; steps += 1) {
        const entries = await readOn()
        if (entries.length === 0) missed.end()
        if (!missed.isOpen) break
        // Whoever asks may have nobody left to read for. Nothing has been found: the position stays.
        if (steps === SEARCH_STEPS) return []
      }
      const end = parts.at(-1)
      if (end !== undefined) position = endOfPart(end)
      hasBegun ||= parts.some((part) => hasChangeOf(part, model))
      return parts
    }
    return {
      next,
      get position() {
        return position
      },
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#connection.close()
  }

  /** Where all that is retained of the model begins: behind the last gap, here or in the gateway's own history; null: with the oldest. */
  #beginningOf(model: string, epoch: Epoch | null, beginning: ChangePosition | null): ChangePosition | null {
    const gap = this.#gapEnds.get(model)
    const met = gap !== undefined && gap.epochId === epoch?.id ? gap.end : null
    return compareAfter(met, beginning) < 0 ? beginning : met
  }

  #askWhatFollows(epoch: Epoch | null, model: string, position: ChangePosition): Promise<Following> {
    if (epoch === null) return Promise.resolve('unknown')
    const keys = this.#options.store.keys.epoch(epoch.id)
    return this.#patiently((log) => askWhatFollows(log, keys, { model, position }))
  }

  async #readNewest(log: EntryLog): Promise<bigint | null> {
    const epoch = this.#options.epochNow()
    if (epoch === null) return null
    return (await this.#options.store.readLast(log, epoch))?.lsn ?? null
  }

  /** Tries again for a while when the broker is away: whoever reads here has its place and can wait. */
  async #patiently<T>(ask: (log: EntryLog) => Promise<T>): Promise<T> {
    const untilMs = this.#runtime.monotonicMs() + this.#patienceMs
    for (;;) {
      try {
        return await ask(await this.#connection.open())
      } catch (error) {
        const isPassing = isRowcastError(error, 'BROKER_LOST') || isRowcastError(error, 'BROKER_UNREACHABLE')
        if (!isPassing || this.#isClosed || this.#runtime.monotonicMs() > untilMs) throw error
        await this.#runtime.delay(RETRY_INTERVAL_MS)
      }
    }
  }
}

/** A broker that had lost the newest goes on with the same history. */
function isSameHistory(a: Epoch | null, b: Epoch): boolean {
  if (a === null || a.id === b.id) return a !== null
  return b.kind === 'refilled' && a.systemId === b.systemId && a.timeline === b.timeline
}

const UNREADABLE = 'an entry of the broker cannot be read'

function feedOrResync(feeder: EntryFeeder, entry: Entry): void {
  try {
    feeder.feed(entry)
  } catch (error) {
    throw isRowcastError(error) ? cannotResume(UNREADABLE) : error
  }
}
