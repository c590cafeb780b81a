/**
 * Beside the bus, broker. Follows the stream from epoch to epoch, across connections: feeds the bus, and decides at
 * each passage whether this process has missed anything.
 */
import type { Buffer } from 'node:buffer'
import type { TransactionPart } from '../changes/change.ts'
import type { EmittedMessage } from '../changes/emitted-message.ts'
import { describeError } from '../describe-error.ts'
import { RowcastError } from '../errors.ts'
import { CatchUp } from '../source/session/catch-up.ts'
import { LSN_ZERO, laterLsn } from '../wire/lsn.ts'
import { applyBarrier } from './apply-barrier.ts'
import { otherDatabase, streamGap } from './broker-faults.ts'
import { type BrokerRuntime, systemRuntime } from './broker-runtime.ts'
import { DriftLooks, type DriftLooksOptions } from './drift-looks.ts'
import { type EntryFeeder, type FeederOutput, feedAll } from './entry-feeder.ts'
import { compareEntryIds, type EntryId } from './entry-id.ts'
import type { EntryLog } from './entry-log.ts'
import { beginningAt, type Epoch, endOf, goingOn, judgePassage } from './epoch.ts'
import type { EpochStore } from './epoch-store.ts'
import { ModelGate, type ModelGateOptions } from './model-gate.ts'
import type { RelationCache } from './relation-cache.ts'
import { type Mark, StreamReader } from './stream-reader.ts'
import { TapSignal } from './tap-signal.ts'

/** What a follower needs. */
export interface EpochFollowerOptions
  extends ModelGateOptions,
    Pick<DriftLooksOptions, 'askDatabase' | 'watchIntervalMs' | 'runtime'> {
  readonly store: EpochStore
  readonly relations: RelationCache
  readonly createFeeder: (output: FeederOutput, position: EntryId) => EntryFeeder
  readonly onMessage: (message: EmittedMessage) => void
  /** Undecoded bytes of the stream that a fresh log begins with. */
  readonly preloadBytes: number
  /** How long one read waits, in milliseconds. */
  readonly blockMs: number
  /** Something was read, or a tap was heard. */
  readonly onProgress: () => void
  /** Whether the keys themselves are in doubt; then `follow` returns. */
  readonly isStale: () => boolean
}

/** How often the epochs are looked at. */
const LOOK_INTERVAL_MS = 1_000
const NO_EPOCH_INTERVAL_MS = 100
/** Follows one slot's stream. */
export class EpochFollower {
  readonly #options: EpochFollowerOptions
  readonly #gate: ModelGate
  readonly #drifts: DriftLooks
  #epoch: Epoch | null = null
  #feeder: EntryFeeder | null = null
  #reader: StreamReader | null = null
  readonly #signal: TapSignal
  readonly #runtime: BrokerRuntime
  readonly #catchUp = new CatchUp()
  #isFollowing = false
  /** The broker has nothing of the slot: it came back empty, or no tap has written yet. */
  #isMissing = false
  #isPreloading = false
  /** A change was handed on to some subscriptions, and failed before the others had it. */
  #isTorn = false

  constructor(options: EpochFollowerOptions) {
    this.#options = options
    const { runtime = systemRuntime } = options
    this.#runtime = runtime
    this.#signal = new TapSignal(() => runtime.monotonicMs())
    this.#gate = new ModelGate({ ...options, onReading: () => this.#feeder?.flush() })
    const accept = (bytes: Buffer) => this.#feeder?.describe(bytes)
    this.#drifts = new DriftLooks({ ...options, accept })
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

  /** Whether all that was there has been read, and all that the server had when the epoch began, and what comes is read as it comes. */
  get isFollowing(): boolean {
    return this.#isFollowing && !this.#catchUp.isPending
  }

  /** Reads until the signal aborts. @throws BROKER_… */
  async follow(log: EntryLog, signal: AbortSignal): Promise<void> {
    this.#isFollowing = false
    this.#reader = null
    // What failed as a document came ended the reading before, and is not read again.
    if (this.#isTorn) this.#startOver('delivery-failed')
    try {
      while (!signal.aborted && !this.#options.isStale()) {
        await this.#lookAtEpochs(log)
        this.#drifts.look(this.#gate.tables)
        // A tap that cannot get past a change writes no mark, and says so in the document: it is read again.
        if ((this.tapSilentMs ?? 0) > LOOK_INTERVAL_MS) this.#gate.close()
        const isOpen = this.#epoch?.isOpen && !this.#isMissing
        if (isOpen && (await this.#isGateOpen(log))) await this.#readForAWhile(log, signal)
        else await this.#runtime.delay(NO_EPOCH_INTERVAL_MS, signal)
      }
    } finally {
      this.#isFollowing = false
    }
  }

  async #lookAtEpochs(log: EntryLog): Promise<void> {
    const epochs = await this.#options.store.readFrom(log, this.#epoch?.id ?? null)
    if (epochs.length === 0) await this.#checkIsNoStrangers(log)
    const known = epochs.findIndex(({ id }) => id === this.#epoch?.id)
    const news = known < 0 ? epochs.slice(-1) : epochs.slice(known + 1)
    for (const epoch of news) await this.#enter(log, epoch)
    this.#isMissing = epochs.length === 0
    if (this.#isMissing) this.#isFollowing = false
    if (this.#epoch?.isOpen) this.#reader ??= this.#readerOf(log, this.#epoch)
  }

  /** Nothing is shown before it is known what may be: a tap writes the document with its first entries, or before them. */
  async #isGateOpen(log: EntryLog): Promise<boolean> {
    const epoch = this.#epoch
    if (epoch === null) return false
    const { tables } = this.#options.store.keys.epoch(epoch.id)
    if (this.#feeder !== null) this.#options.bus.passed(this.#feeder.passedLsn)
    if (!this.#gate.isOpen && !(await this.#gate.read(log, tables))) {
      this.#isFollowing = false
      return false
    }
    if (this.#feeder === null) await this.#startFresh(log, epoch)
    return true
  }

  /** Refuses to read what another cluster has written under our keys. @throws BROKER_OTHER_DATABASE */
  async #checkIsNoStrangers(log: EntryLog): Promise<void> {
    const stranger = await this.#options.store.findStranger(log)
    if (stranger === null) return
    throw otherDatabase(stranger, this.#options.store.systemId)
  }

  #readerOf(log: EntryLog, epoch: Epoch): StreamReader {
    const { store, relations } = this.#options
    return new StreamReader(log, store.keys.epoch(epoch.id), relations, epoch.floor)
  }

  async #readForAWhile(log: EntryLog, signal: AbortSignal): Promise<void> {
    const untilMs = this.#runtime.monotonicMs() + LOOK_INTERVAL_MS
    while (!signal.aborted && this.#runtime.monotonicMs() < untilMs && this.#gate.isOpen) {
      const [feeder, reader] = [this.#feeder, this.#reader]
      if (feeder === null || reader === null) return
      const { entries, damage, mark } = await reader.read(
        feeder.readAfter,
        this.#isFollowing ? this.#options.blockMs : 0,
      )
      const damaged = damage === null ? null : { reason: 'broker-unreadable', cause: damage.error }
      const fault = feedAll(feeder, entries) ?? damaged
      if (fault !== null) return this.#startOver(fault.reason, fault.cause)
      if (mark !== null) await this.#hear(log, mark)
      if (!this.#gate.isOpen) return
      if (entries.length === 0) this.#isFollowing = true
      this.#pass(feeder)
      this.#options.onProgress()
    }
  }

  /** Nothing is left of what stood before the last entry, nor before the mark that was heard last, if its entry was there. */
  #pass(feeder: EntryFeeder): void {
    const passedLsn = laterLsn(feeder.passedLsn, this.#signal.passedAt(feeder.position) ?? LSN_ZERO)
    this.#catchUp.reaches(passedLsn)
    this.#options.bus.passed(passedLsn)
    if (!feeder.isWithin) this.#drifts.reaches(passedLsn)
  }

  async #hear(log: EntryLog, mark: Mark): Promise<void> {
    await this.#signal.hear(mark, () => log.readClockMs())
    this.#gate.note(mark.tables)
    if (mark.seen !== undefined) this.#options.bus.history?.earlier.reaches(mark.seen)
    await this.#isGateOpen(log)
  }

  async #enter(log: EntryLog, epoch: Epoch): Promise<void> {
    const known = this.#epoch
    const feeder = this.#feeder
    if (known !== null && feeder !== null) {
      if (await this.#isGateOpen(log)) await this.#drain(log, feeder, endOf(known, epoch))
      const passage = judgePassage(known, feeder.rewind(), epoch)
      this.#adopt(epoch)
      if (passage.kind === 'go-on' && !this.#isTorn) {
        feeder.begin(epoch, passage.position)
        this.#catchUp.follow(epoch.serverLsn)
        this.#options.bus.open(goingOn(epoch, passage.position))
        return
      }
      this.#startOver(passage.kind === 'gap' ? passage.reason : 'delivery-failed')
      return
    }
    this.#adopt(epoch)
  }

  #adopt(epoch: Epoch): void {
    this.#epoch = epoch
    this.#reader = null
    this.#signal.reset()
    this.#gate.close()
    this.#drifts.reset()
    this.#isFollowing = false
  }

  /** Reads what is left of the present epoch, up to `end`; null: as much as there is. */
  async #drain(log: EntryLog, feeder: EntryFeeder, end: EntryId | null): Promise<void> {
    const epoch = this.#epoch
    if (epoch === null || !epoch.isOpen) return
    const reader = this.#readerOf(log, epoch)
    for (;;) {
      const { entries, damage } = await reader.read(feeder.readAfter, 0)
      const ours = end === null ? entries : entries.filter(({ id }) => compareEntryIds(id, end) <= 0)
      const isOver = ours.length === 0 || ours.length < entries.length || damage !== null
      if (feedAll(feeder, ours) !== null || isOver) return
    }
  }

  /** Changes are missing: everybody is notified, and a new history begins. */
  #startOver(found: string, cause?: unknown): void {
    const reason = this.#isTorn ? 'delivery-failed' : found
    this.#isTorn = false
    const error = streamGap(reason)
    const why = cause === undefined ? {} : describeError(cause)
    this.#options.logger.error(error.message, { ...why, code: error.code, reason })
    this.#feeder = null
    this.#isFollowing = false
    this.#options.bus.gap(error)
  }

  #handOn(part: TransactionPart): void {
    try {
      this.#options.bus.publish(part)
    } catch (error) {
      this.#isTorn = true
      throw error
    }
  }

  async #startFresh(log: EntryLog, epoch: Epoch, preloadBytes = this.#options.preloadBytes): Promise<void> {
    const reader = this.#readerOf(log, epoch)
    const { entries, last, end } = await reader.readNewest(preloadBytes)
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
        publish: (part) => this.#handOn(part),
        onDrift: (model, drift) => this.#gate.onDrift(model, drift),
        onRecovery: (model) => this.#gate.onRecovery(model, feeder.passedLsn),
        // What was said before this process came is not for those who listen now.
        onMessage: (message) => {
          if (!applyBarrier(bus, message, store.slot) && !this.#isPreloading) onMessage(message)
        },
      },
      from,
    )
    feeder.begin(epoch, from)
    this.#catchUp.begin(epoch.serverLsn)
    bus.open(beginningAt(epoch, from, last))
    this.#isPreloading = true
    const fault = feedAll(feeder, preloaded)
    this.#isPreloading = false
    if (fault !== null) {
      // It would be the same the next time: the log begins with nothing.
      this.#startOver(fault.reason, fault.cause)
      return this.#startFresh(log, epoch, 0)
    }
    if (end !== null) feeder.passOver(end)
    this.#feeder = feeder
    this.#reader = reader
  }
}
