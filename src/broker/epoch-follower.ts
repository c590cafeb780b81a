/**
 * Beside the bus, broker. Follows the stream from epoch to epoch, across connections: feeds the bus, and decides at
 * each passage whether this process has missed anything.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ChangeBus } from '../bus/bus.ts'
import type { RelationRegistry } from '../catalog/relation-registry.ts'
import type { EmittedMessage } from '../changes/emitted-message.ts'
import { RowcastError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { ModelTableGuard, type ModelTableListener } from '../source/model-tables.ts'
import type { TableJudge } from '../source/row-security.ts'
import { toLsn } from '../wire/lsn.ts'
import { applyBarrier } from './apply-barrier.ts'
import { otherDatabase, streamGap } from './broker-faults.ts'
import { type EntryFeeder, type FeederOutput, feedAll } from './entry-feeder.ts'
import { compareEntryIds, type EntryId } from './entry-id.ts'
import { type Epoch, judgePassage } from './epoch.ts'
import type { EpochStore } from './epoch-store.ts'
import type { RedisConnection } from './redis-connection.ts'
import type { RelationCache } from './relation-cache.ts'
import { type Mark, StreamReader } from './stream-reader.ts'
import { digestOfTables, parseTableStates } from './table-states.ts'
import { TapSignal } from './tap-signal.ts'

/** What a follower needs. */
export interface EpochFollowerOptions {
  readonly store: EpochStore
  readonly relations: RelationCache
  readonly registry: RelationRegistry
  readonly publication: string
  /** What else keeps a model's changes from being delivered. @default nothing */
  readonly judgeTable?: TableJudge | undefined
  readonly createFeeder: (output: FeederOutput, position: EntryId) => EntryFeeder
  readonly bus: ChangeBus
  readonly onMessage: (message: EmittedMessage) => void
  readonly logger: Logger
  /** Undecoded bytes of the stream that a fresh log begins with. */
  readonly preloadBytes: number
  /** Something was read, or a tap was heard. */
  readonly onProgress: () => void
  /** Whether the keys themselves are in doubt; then `follow` returns. */
  readonly isStale: () => boolean
}

/** How long one read waits, and how often the epochs are looked at. */
const BLOCK_MS = 1_000
const NO_EPOCH_INTERVAL_MS = 100
/** Follows one slot's stream. */
export class EpochFollower {
  readonly #options: EpochFollowerOptions
  readonly #tableGuard: ModelTableGuard
  readonly #driftWords = new Map<string, string>()
  #epoch: Epoch | null = null
  #feeder: EntryFeeder | null = null
  #reader: StreamReader | null = null
  #tablesDigest = ''
  readonly #signal = new TapSignal()
  #isFollowing = false
  /** Redis has nothing of the slot: it came back empty, or no tap has written yet. */
  #isMissing = false
  #isPreloading = false

  constructor(options: EpochFollowerOptions) {
    this.#options = options
    const listener: ModelTableListener = {
      onDrift: (model, drift) => this.#onDrift(model, drift),
      onRecovery: (model) => this.#onRecovery(model),
    }
    const { registry, publication, judgeTable } = options
    this.#tableGuard = new ModelTableGuard(registry, publication, listener, judgeTable)
  }

  get epoch(): Epoch | null {
    return this.#epoch
  }

  /** The last entry that was read. */
  get position(): EntryId | null {
    return this.#feeder?.position ?? null
  }

  /** Everything before it is in the stream, as far as a tap has said. */
  get safeLsn(): bigint {
    return this.#signal.safeLsn
  }

  get lagBytes(): number {
    const position = this.position
    return position === null || this.safeLsn <= position.lsn || this.#isFollowing
      ? 0
      : Number(this.safeLsn - position.lsn)
  }

  get tapSilentMs(): number | null {
    return this.#signal.silentMs
  }

  /** Whether all that was there has been read, and what comes is read as it comes. */
  get isFollowing(): boolean {
    return this.#isFollowing
  }

  /** Reads until the signal aborts. @throws BROKER_… */
  async follow(connection: RedisConnection, signal: AbortSignal): Promise<void> {
    this.#isFollowing = false
    this.#reader = null
    try {
      while (!signal.aborted && !this.#options.isStale()) {
        await this.#lookAtEpochs(connection)
        if (this.#epoch?.isOpen && !this.#isMissing) await this.#readForAWhile(connection, signal)
        else await delay(NO_EPOCH_INTERVAL_MS, undefined, { signal }).catch(() => {})
      }
    } finally {
      this.#isFollowing = false
    }
  }

  async #lookAtEpochs(connection: RedisConnection): Promise<void> {
    const epochs = await this.#options.store.readAll(connection)
    if (epochs.length === 0) await this.#checkIsNoStrangers(connection)
    const known = epochs.findIndex(({ id }) => id === this.#epoch?.id)
    const news = known < 0 ? epochs.slice(-1) : epochs.slice(known + 1)
    for (const epoch of news) await this.#enter(connection, epoch)
    this.#isMissing = epochs.length === 0
    if (this.#isMissing) this.#isFollowing = false
    if (this.#epoch?.isOpen) this.#reader ??= this.#readerOf(connection, this.#epoch)
  }

  /** Nothing is read of another cluster, whoever gave it our keys. @throws BROKER_OTHER_DATABASE */
  async #checkIsNoStrangers(connection: RedisConnection): Promise<void> {
    const stranger = await this.#options.store.findStranger(connection)
    if (stranger === null) return
    throw otherDatabase(stranger, this.#options.store.systemId)
  }

  #readerOf(connection: RedisConnection, epoch: Epoch): StreamReader {
    return new StreamReader(connection, this.#options.store.keys.epoch(epoch.id), this.#options.relations)
  }

  async #readForAWhile(connection: RedisConnection, signal: AbortSignal): Promise<void> {
    const untilMs = performance.now() + BLOCK_MS
    while (!signal.aborted && performance.now() < untilMs) {
      const [feeder, reader] = [this.#feeder, this.#reader]
      if (feeder === null || reader === null) return
      const { entries, damage, mark } = await reader.read(feeder.readAfter, this.#isFollowing ? BLOCK_MS : 0)
      // A tap sends it with its first entries, or before them: nothing is shown before it is known who may see it.
      if (this.#tablesDigest === '') await this.#readTables(connection)
      const fault = feedAll(feeder, entries) ?? (damage === null ? null : 'broker-unreadable')
      if (fault !== null) {
        await this.#startOver(connection, fault)
        return
      }
      if (mark !== null) await this.#hear(connection, reader, mark)
      if (entries.length === 0) this.#passAll(feeder)
      this.#options.onProgress()
    }
  }

  /** Nothing is left of what stood before the mark that was heard last, if the entry it counts on was there. */
  #passAll(feeder: EntryFeeder): void {
    this.#isFollowing = true
    const passedLsn = this.#signal.passedAt(feeder.position)
    if (passedLsn !== null) this.#options.bus.passed(passedLsn)
  }

  async #hear(connection: RedisConnection, reader: StreamReader, mark: Mark): Promise<void> {
    await this.#signal.hear(mark, () => reader.readClockMs())
    if (mark.tables !== null && mark.tables !== this.#tablesDigest) await this.#readTables(connection)
  }

  /** There may be a newer document than the one that a mark has named: what counts is which one was read. */
  async #readTables(connection: RedisConnection): Promise<void> {
    if (this.#epoch === null) return
    const text = await connection.send(['GET', this.#options.store.keys.epoch(this.#epoch.id).tables])
    const states = text === null ? null : parseTableStates(String(text))
    if (states === null) return
    this.#tablesDigest = digestOfTables(String(text))
    this.#tableGuard.update(states)
  }

  async #enter(connection: RedisConnection, epoch: Epoch): Promise<void> {
    const known = this.#epoch
    const feeder = this.#feeder
    if (known !== null && feeder !== null) {
      await this.#drain(connection, { epoch: known, feeder, end: endOf(known, epoch) })
      const passage = judgePassage(known, feeder.rewind(), epoch)
      if (passage.kind === 'go-on') {
        this.#adopt(epoch)
        feeder.begin(epoch, passage.position)
        const { systemId, timeline, serverLsn } = epoch
        const floorLsn = toLsn(passage.position.lsn + 1n)
        this.#options.bus.open({ systemId, timeline, isFirst: false, floorLsn, serverLsn })
        return
      }
      this.#adopt(epoch)
      await this.#startOver(connection, passage.reason)
      return
    }
    this.#adopt(epoch)
    if (epoch.isOpen) await this.#startFresh(connection, epoch)
  }

  #adopt(epoch: Epoch): void {
    this.#epoch = epoch
    this.#reader = null
    this.#signal.reset()
    this.#isFollowing = false
  }

  /** What is left of an epoch that is over. */
  async #drain(connection: RedisConnection, { epoch, feeder, end }: Rest): Promise<void> {
    if (!epoch.isOpen) return
    const reader = this.#readerOf(connection, epoch)
    for (;;) {
      const { entries, damage } = await reader.read(feeder.readAfter, 0)
      const ours = end === null ? entries : entries.filter(({ id }) => compareEntryIds(id, end) <= 0)
      const isOver = ours.length === 0 || ours.length < entries.length || damage !== null
      if (feedAll(feeder, ours) !== null || isOver) return
    }
  }

  /** Changes are missing: everybody is told, and a new history begins. */
  async #startOver(connection: RedisConnection, reason: string): Promise<void> {
    const error = streamGap(reason)
    this.#options.logger.error(error.message, { code: error.code, reason })
    this.#feeder = null
    this.#isFollowing = false
    this.#options.bus.gap(error)
    if (this.#epoch?.isOpen) await this.#startFresh(connection, this.#epoch)
  }

  async #startFresh(connection: RedisConnection, epoch: Epoch): Promise<void> {
    const reader = this.#readerOf(connection, epoch)
    const { entries, last, end } = await reader.readNewest(this.#options.preloadBytes)
    await this.#readTables(connection)
    if (last === null) {
      this.#epoch = null
      throw new RowcastError('BROKER_STREAM_LOST', 'The stream is no longer in Redis.')
    }
    const first = entries.findIndex((entry) => entry.previous.lsn !== entry.id.lsn)
    const preloaded = first < 0 ? [] : entries.slice(first)
    const from = preloaded[0]?.previous ?? last
    const { bus, onMessage, store } = this.#options
    const feeder = this.#options.createFeeder(
      {
        publish: (part) => bus.publish(part),
        onDrift: (model, drift) => this.#onDrift(model, drift),
        onRecovery: (model) => this.#onRecovery(model),
        // What was said before this process came is not for those who listen now.
        onMessage: (message) => {
          if (!applyBarrier(bus, message, store.slot) && !this.#isPreloading) onMessage(message)
        },
      },
      from,
    )
    feeder.begin(epoch, from)
    bus.open({
      ...{ systemId: epoch.systemId, timeline: epoch.timeline, isFirst: true },
      floorLsn: toLsn(from.lsn + 1n),
      serverLsn: toLsn(last.lsn + 1n),
    })
    this.#isPreloading = true
    for (const entry of preloaded) feeder.feed(entry)
    this.#isPreloading = false
    if (end !== null) feeder.passOver(end)
    this.#feeder = feeder
    this.#reader = reader
  }

  #onDrift(model: string, drift: RowcastError): void {
    if (this.#driftWords.get(model) !== drift.message) {
      this.#options.logger.error(drift.message, { code: drift.code, model })
    }
    this.#driftWords.set(model, drift.message)
    this.#options.bus.close(drift, model)
  }

  #onRecovery(model: string): void {
    this.#driftWords.delete(model)
    this.#options.logger.info(`The changes of ${model} can be read again.`, { model })
    this.#options.bus.cut(model)
  }
}

/** What is left of an epoch that is over; null: as much as there is. */
interface Rest {
  readonly epoch: Epoch
  readonly feeder: EntryFeeder
  readonly end: EntryId | null
}

/** Where an epoch ends, as far as the next one says it. */
function endOf(known: Epoch, next: Epoch): EntryId | null {
  return next.previous?.id === known.id ? next.previous.end : null
}
