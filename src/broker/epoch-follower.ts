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
import { GAP_WORDS } from '../source/gap-notices.ts'
import { ModelTableGuard, type ModelTableListener, type ModelTableState } from '../source/model-tables.ts'
import type { TableJudge } from '../source/row-security.ts'
import { toLsn } from '../wire/lsn.ts'
import type { EntryFeeder, FeederOutput } from './entry-feeder.ts'
import type { EntryId } from './entry-id.ts'
import { type Epoch, judgePassage } from './epoch.ts'
import type { EpochStore } from './epoch-store.ts'
import type { RedisConnection } from './redis-connection.ts'
import type { RelationCache } from './relation-cache.ts'
import { type Mark, StreamReader } from './stream-reader.ts'

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
}

/** How long one read waits, and how often the epochs are looked at. */
const BLOCK_MS = 1_000
const NO_EPOCH_INTERVAL_MS = 100
/** A first mark older than this, by the clocks of two machines, says nothing of a tap that lives. */
const FRESH_MARK_MS = 10_000

/** Why changes may be missing, beyond what a source can meet. */
const BROKER_GAP_WORDS: Readonly<Record<string, string>> = {
  'broker-lost': 'The broker had lost changes that PostgreSQL does not keep any more.',
  'broker-behind': 'The broker does not have all of what was written before a failover.',
  'broker-trimmed': 'The broker has dropped changes before this process had read them.',
}

/** Follows one slot's stream. */
export class EpochFollower {
  readonly #options: EpochFollowerOptions
  readonly #tableGuard: ModelTableGuard
  readonly #driftWords = new Map<string, string>()
  #epoch: Epoch | null = null
  #feeder: EntryFeeder | null = null
  #reader: StreamReader | null = null
  #tablesDigest = ''
  #safeLsn = 0n
  #heardAtMs: number | null = null
  #hasMark = false
  /** What the latest mark of this epoch says is in the stream; null before the first. */
  #markedLsn: bigint | null = null
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

  get hasEpoch(): boolean {
    return this.#epoch !== null
  }

  /** The last entry that was read. */
  get position(): EntryId | null {
    return this.#feeder?.position ?? null
  }

  /** Everything before it is in the stream, as far as a tap has said. */
  get safeLsn(): bigint {
    return this.#safeLsn
  }

  get lagBytes(): number {
    const position = this.position
    return position === null || this.#safeLsn <= position.lsn || this.#isFollowing
      ? 0
      : Number(this.#safeLsn - position.lsn)
  }

  get tapSilentMs(): number | null {
    return this.#heardAtMs === null ? null : performance.now() - this.#heardAtMs
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
      while (!signal.aborted) {
        await this.#lookAtEpochs(connection)
        if (this.#epoch?.isOpen && !this.#isMissing) await this.#readForAWhile(connection, signal)
        else await delay(NO_EPOCH_INTERVAL_MS, undefined, { signal }).catch(() => {})
      }
    } finally {
      this.#isFollowing = false
    }
  }

  async close(): Promise<void> {
    this.#isFollowing = false
  }

  async #lookAtEpochs(connection: RedisConnection): Promise<void> {
    const epochs = await this.#options.store.readAll(connection)
    const known = epochs.findIndex(({ id }) => id === this.#epoch?.id)
    const news = known < 0 ? epochs.slice(-1) : epochs.slice(known + 1)
    for (const epoch of news) await this.#enter(connection, epoch)
    this.#isMissing = epochs.length === 0
    if (this.#isMissing) this.#isFollowing = false
    if (this.#epoch?.isOpen) this.#reader ??= this.#readerOf(connection, this.#epoch)
  }

  #readerOf(connection: RedisConnection, epoch: Epoch): StreamReader {
    return new StreamReader(connection, this.#options.store.keys.epoch(epoch.id), this.#options.relations)
  }

  async #readForAWhile(connection: RedisConnection, signal: AbortSignal): Promise<void> {
    const untilMs = performance.now() + BLOCK_MS
    while (!signal.aborted && performance.now() < untilMs) {
      const [feeder, reader] = [this.#feeder, this.#reader]
      if (feeder === null || reader === null) return
      const { entries, mark } = await reader.read(feeder.position, this.#isFollowing ? BLOCK_MS : 0)
      for (const entry of entries) {
        if (!feeder.follows(entry)) {
          await this.#startOver(connection, 'broker-trimmed')
          return
        }
        feeder.feed(entry)
      }
      if (mark !== null) await this.#hear(connection, mark)
      if (entries.length === 0) this.#isFollowing = true
      // Nothing is left of what stood before the mark that was heard before.
      if (entries.length === 0 && this.#markedLsn !== null) this.#options.bus.passed(toLsn(this.#markedLsn))
      this.#options.onProgress()
    }
  }

  async #hear(connection: RedisConnection, mark: Mark): Promise<void> {
    this.#safeLsn = mark.id.lsn
    this.#markedLsn = mark.id.lsn
    const isFresh = this.#hasMark || Math.abs(Date.now() - mark.id.sequence) < FRESH_MARK_MS
    if (isFresh) this.#heardAtMs = performance.now()
    this.#hasMark = true
    const { tables } = JSON.parse(mark.text) as { readonly tables?: string }
    if (tables !== undefined && tables !== this.#tablesDigest) await this.#readTables(connection, tables)
  }

  async #readTables(connection: RedisConnection, digest: string): Promise<void> {
    if (this.#epoch === null) return
    const { tables } = this.#options.store.keys.epoch(this.#epoch.id)
    const text = await connection.send(['GET', tables])
    if (text === null) return
    this.#tablesDigest = digest
    this.#tableGuard.update(JSON.parse(String(text)) as readonly ModelTableState[])
  }

  async #enter(connection: RedisConnection, epoch: Epoch): Promise<void> {
    const known = this.#epoch
    const feeder = this.#feeder
    if (known !== null && feeder !== null) {
      await this.#drain(connection, known, feeder)
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
    this.#hasMark = false
    this.#markedLsn = null
    this.#isFollowing = false
  }

  /** What is left of an epoch that is over. */
  async #drain(connection: RedisConnection, epoch: Epoch, feeder: EntryFeeder): Promise<void> {
    if (!epoch.isOpen) return
    const reader = this.#readerOf(connection, epoch)
    for (;;) {
      const { entries } = await reader.read(feeder.position, 0)
      if (entries.length === 0) return
      for (const entry of entries) {
        if (!feeder.follows(entry)) return
        feeder.feed(entry)
      }
    }
  }

  /** Changes are missing: everybody is told, and a new history begins. */
  async #startOver(connection: RedisConnection, reason: string): Promise<void> {
    const words = BROKER_GAP_WORDS[reason] ?? (GAP_WORDS as Readonly<Record<string, string>>)[reason]
    const error = new RowcastError('RESYNC_REQUIRED', words ?? 'Changes are missing.', {
      details: { reason },
    })
    this.#options.logger.error(error.message, { code: error.code, reason })
    this.#feeder = null
    this.#options.bus.gap(error)
    if (this.#epoch?.isOpen) await this.#startFresh(connection, this.#epoch)
  }

  async #startFresh(connection: RedisConnection, epoch: Epoch): Promise<void> {
    const reader = this.#readerOf(connection, epoch)
    await this.#readTables(connection, this.#tablesDigest)
    const { entries, last } = await reader.readNewest(this.#options.preloadBytes)
    if (last === null) {
      this.#epoch = null
      throw new RowcastError('BROKER_STREAM_LOST', 'The stream is no longer in Redis.')
    }
    const first = entries.findIndex((entry) => entry.previous.lsn !== entry.id.lsn)
    const preloaded = first < 0 ? [] : entries.slice(first)
    const from = preloaded[0]?.previous ?? last
    const { systemId, timeline } = epoch
    const { bus, onMessage } = this.#options
    const feeder = this.#options.createFeeder(
      {
        publish: (part) => bus.publish(part),
        onDrift: (model, drift) => this.#onDrift(model, drift),
        onRecovery: (model) => this.#onRecovery(model),
        // What was said before this process came is not for those who listen now.
        onMessage: (message) => (this.#isPreloading ? undefined : onMessage(message)),
      },
      from,
    )
    feeder.begin(epoch, from)
    bus.open({
      ...{ systemId, timeline, isFirst: true },
      floorLsn: toLsn(from.lsn + 1n),
      serverLsn: toLsn(last.lsn + 1n),
    })
    this.#isPreloading = true
    for (const entry of preloaded) feeder.feed(entry)
    this.#isPreloading = false
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
