/**
 * Beside the bus, broker. The tap: takes the messages of the replication stream and writes them to the broker, as the next
 * entries of the present epoch or as the first of a new one. PostgreSQL admits one reader of a slot, so there is one
 * tap that writes; entry ids keep it so where an older one still has something on the way.
 */
import type { Buffer } from 'node:buffer'
import type { RelationRegistry } from '../catalog/relation-registry.ts'
import type { StreamOrigin } from '../changes/change-position.ts'
import { isRowcastError, type RowcastError } from '../errors.ts'
import { contain, createGuard, type Guard } from '../guard.ts'
import type { Logger } from '../logger.ts'
import type { ModelTableState } from '../source/setup/model-tables.ts'
import type { RelayFeed, RelayPast, RelayStart, StreamRelay } from '../source/watch/session-relay.ts'
import type { Lsn } from '../wire/lsn.ts'
import { connectionLost, nameBrokerFault, replicasBehind, toBrokerError } from './broker-faults.ts'
import type { RedisBroker } from './broker-options.ts'
import { type BrokerRuntime, systemRuntime } from './broker-runtime.ts'
import { EntryBuilder } from './entry-builder.ts'
import { type EntryId, formatEntryId } from './entry-id.ts'
import type { BrokerEngine, EntryLog } from './entry-log.ts'
import { type Epoch, planEpoch } from './epoch.ts'
import { EpochStore, type OwnEpoch } from './epoch-store.ts'
import { warnOfEviction } from './eviction.ts'
import { endsOfGaps, LastPositions } from './last-positions.ts'
import { createReplicaWatch } from './replica-watch.ts'
import { SingleConnection } from './single-connection.ts'
import { StreamTrimmer } from './stream-trimmer.ts'
import { StreamWriter } from './stream-writer.ts'
import { formatTableStates, NO_TABLES } from './table-states.ts'
import { TapPast } from './tap-past.ts'
import { TapSession, TICK_MS } from './tap-session.ts'
import type { TapStatus } from './tap-status.ts'

/** What a tap needs. */
export interface TapRelayOptions {
  readonly engine: BrokerEngine
  readonly broker: Pick<RedisBroker, 'prefix' | 'replicas' | 'retention'>
  readonly slot: string
  readonly registry: RelationRegistry
  readonly logger: Logger
  /** @default the machine's */
  readonly runtime?: BrokerRuntime | undefined
  readonly onDrift: (model: string, drift: RowcastError) => void
  readonly onRecovery: (model: string) => void
}

/** The tap's end of the stream. */
export interface TapRelay extends StreamRelay {
  /** What keeps changes from leaving, while the slot is still held; null: nothing. */
  readonly failure: RowcastError | null
  /** What keeps PostgreSQL from forgetting what has left; null: nothing. */
  readonly warning: RowcastError | null
  status(): TapStatus
}

/** Creates a tap's relay; it connects when the source asks it to. */
export function createTapRelay(options: TapRelayOptions): TapRelay {
  return new EpochRelay(options)
}

class EpochRelay implements TapRelay {
  readonly #options: TapRelayOptions
  readonly #runtime: BrokerRuntime
  readonly #guard: Guard
  readonly #writerId: string
  readonly #store: EpochStore
  readonly #connection: SingleConnection
  readonly #replicas: ReturnType<typeof createReplicaWatch>
  readonly #past: TapPast
  readonly #builder: EntryBuilder
  #session: TapSession | null = null
  #tables = NO_TABLES
  #models: ReadonlySet<string> = new Set()
  /** Of the sessions that have ended. */
  #entryCount = 0
  #failure: RowcastError | null = null
  /** Resolves once what was reported between two streams has been sent. */
  #reported: Promise<void> = Promise.resolve()

  constructor(options: TapRelayOptions) {
    const { broker, engine, logger, slot, runtime = systemRuntime } = options
    this.#options = options
    this.#runtime = runtime
    this.#guard = createGuard(logger)
    this.#writerId = runtime.newId()
    this.#store = new EpochStore(broker.prefix, slot)
    this.#connection = new SingleConnection({
      ...{ engine, name: `rowcast-tap:${slot}` },
      onOpened: (opened) => warnOfEviction(opened, logger),
      onLost: () => this.#fail(connectionLost()),
    })
    this.#replicas = createReplicaWatch(slot, {
      ...{ engine, wanted: broker.replicas, runtime },
      probeKey: this.#store.probeKey,
      onFailure: (error) => this.#fail(nameBrokerFault(this.#guard, error)),
    })
    this.#past = new TapPast(this.#store)
    this.#builder = this.#createBuilder()
  }

  get failure(): RowcastError | null {
    return this.#failure
  }

  get warning(): RowcastError | null {
    return replicasBehind(this.#replicas?.status ?? null)
  }

  async connect(): Promise<void> {
    const opened = await this.#connection.open()
    // A server that is full, or that follows another one, can be read and not written.
    await opened.checkWritable(this.#store.probeKey, this.#writerId)
  }

  async readPast(server: StreamOrigin): Promise<RelayPast> {
    const { current } = this.#connection
    if (current === null) throw connectionLost()
    try {
      return await this.#past.read(current, server)
    } catch (error) {
      if (isRowcastError(error, 'BROKER_OLD_TIMELINE')) this.#failure = error
      throw error
    }
  }

  begin(start: RelayStart, feed: RelayFeed): void {
    this.end()
    const gap = this.#past.owes(start.gap)
    const { current } = this.#connection
    if (current === null || !current.isOpen) {
      feed.onFailure(connectionLost())
      return
    }
    const { found, published } = this.#past
    const epoch = planEpoch({ ...start, gap }, found, published, this.#runtime.newId())
    this.#past.writes(epoch)
    const isNew = epoch.id !== found?.epoch.id
    const last = isNew || found === null ? epoch.floor : found.last
    const session = this.#openSession(feed, epoch, last, current)
    this.#session = session
    // What the stream before knew of tables is not of where this one begins: what is of here comes with its first look.
    this.#tables = NO_TABLES
    session.handOver(start.floorLsn)
    this.#release(session, isNew, start.floorLsn).catch(this.#onFailureOf(session))
  }

  accept(bytes: Buffer, start: number, end: number): void {
    if (this.#session !== null) this.#builder.accept(bytes, start, end)
  }

  keepalive(walEnd: Lsn): void {
    if (!this.#builder.isInTransaction) this.#session?.handOver(walEnd)
  }

  tellTables(states: readonly ModelTableState[]): void {
    const text = formatTableStates(states)
    if (text === this.#tables) return
    this.#tables = text
    this.#models = new Set(states.map(({ model }) => model))
    if (this.#session !== null) this.#session.writer.addTables(text)
    else this.#reportAside((current, own) => this.#store.reportTables(current, own, text))
  }

  tellGap(error: RowcastError): void {
    const reason = String(error.details['reason'] ?? '')
    const { minutes: expireMinutes } = this.#options.broker.retention
    const gap = () => ({ reason, newId: this.#runtime.newId(), expireMinutes })
    this.#reportAside((current, own) => this.#store.reportGap(current, own, gap()))
  }

  end(): void {
    const ending = this.#session
    if (ending === null) return
    this.#session = null
    this.#entryCount += ending.writer.entryCount
    ending.end()
    this.#replicas?.forget()
  }

  async close(): Promise<void> {
    this.end()
    this.#replicas?.close()
    this.#connection.close()
  }

  status(): TapStatus {
    const session = this.#session
    return {
      ...{ isConnected: this.#connection.current?.isOpen ?? false, isActive: session !== null },
      epoch: session?.epoch.id ?? null,
      lastEntry: session === null ? null : formatEntryId(session.writer.last),
      waitingBytes: session?.writer.waitingBytes ?? 0,
      entryCount: this.#entryCount + (session?.writer.entryCount ?? 0),
      replicas: this.#replicas?.status ?? null,
    }
  }

  #createBuilder(): EntryBuilder {
    const { registry, slot, onDrift, onRecovery } = this.#options
    return new EntryBuilder(registry, {
      onBegin: (begin) => this.#session?.feed.onBegin(begin),
      onRelation: ({ digest, bytes }) => this.#session?.addRelation(digest, bytes),
      onEntry: (entry) => this.#session?.writer.addEntry(entry),
      onOwnMessageRead: (message) => this.#session?.writer.addLasts(endsOfGaps(message, slot, this.#models)),
      onOwnMessage: (message) => this.#session?.feed.onOwnMessage(message),
      onTable: (model, oid) => this.#session?.feed.onTable(model, oid),
      onDoubt: (model) => this.#session?.feed.onDoubt(model),
      onCommit: (lsn) => this.#session?.handOver(lsn),
      ...{ onDrift, onRecovery },
    })
  }

  #openSession(feed: RelayFeed, epoch: Epoch, last: EntryId, log: EntryLog): TapSession {
    const { monotonicMs } = this.#runtime
    const keys = this.#store.keys.epoch(epoch.id)
    const writer = new StreamWriter({
      ...{ log, keys, writerKey: this.#store.writerKey, writerId: this.#writerId, last, monotonicMs },
      onAccepted: (lsn, lastEntry) => {
        feed.onWritten(lsn)
        const onKept = () => {
          this.#past.publishes(epoch, lastEntry, lsn)
          feed.onAccepted(lsn)
        }
        if (this.#replicas === null) onKept()
        else this.#replicas.accepted(onKept)
      },
      ...{ seenNow: feed.seenNow, onPressure: feed.onPressure, onFailure: (error) => this.#fail(error) },
    })
    const trimmer = new StreamTrimmer(keys, this.#options.broker.retention, monotonicMs)
    this.#builder.reset(keys.changes, last)
    return new TapSession({ feed, epoch, keys, log, writer, trimmer })
  }

  /** Looks once more whether the stream is as it was found, now that the slot is ours; then writing may begin. */
  async #release(session: TapSession, isNew: boolean, floorLsn: Lsn): Promise<void> {
    const { epoch, log } = session
    await this.#reported
    if (this.#session !== session) return
    await this.#store.take(log, this.#writerId, async () => {
      await this.#store.checkIsPresent(log, this.#past.found?.epoch.id ?? null)
      if (this.#session !== session) return null
      const mark = { lsn: floorLsn, last: epoch.floor, writer: this.#writerId, tables: null }
      return isNew ? this.#store.beginning(epoch, mark, this.#options.broker.retention.minutes) : []
    })
    if (this.#session !== session) return
    this.#past.hasWritten()
    if (isNew) {
      const { id, kind, reason } = epoch
      const floor = formatEntryId(epoch.floor)
      this.#options.logger.info('A new epoch of the stream begins.', { epoch: id, kind, reason, floor })
    }
    const lasts = await LastPositions.read(log, this.#store.keys.epoch(epoch.id))
    if (this.#session !== session) return
    this.#failure = null
    session.writer.release(lasts)
    const onFailure = this.#onFailureOf(session)
    const keepAlive = contain(() => void this.#tick(session).catch(onFailure), onFailure)
    session.tickBy(this.#runtime.setInterval(keepAlive, TICK_MS))
  }

  async #tick(session: TapSession): Promise<void> {
    session.beat()
    await this.#store.checkIsPresent(session.log, session.epoch.id)
    if (this.#tables !== NO_TABLES) await session.keepTables(this.#tables)
    await session.trim()
  }

  /** Between two streams: what gateways are to know before the next one begins. */
  #reportAside(report: (current: EntryLog, own: OwnEpoch) => Promise<void>): void {
    const [{ current }, { published }] = [this.#connection, this.#past]
    if (current === null || !current.isOpen || published === null) return
    const own = { epochId: published.epochId, writerId: this.#writerId }
    const onFailure = (failure: unknown) => {
      const { code } = toBrokerError(failure)
      this.#options.logger.debug('Gateways could not be notified yet.', { code })
    }
    const settled = this.#guard.settle('notify gateways', () => report(current, own).catch(onFailure))
    this.#reported = this.#reported.then(settled)
  }

  /** What fails for a session that has ended is nobody's failure any more. */
  #onFailureOf(session: TapSession): (error: unknown) => void {
    return this.#guard.wrap('end a session of the tap', (error: unknown) => {
      if (this.#session === session) this.#fail(nameBrokerFault(this.#guard, error))
    })
  }

  /** The stream ends whatever is thrown on the way: without a session nothing of it would leave any more. */
  #fail(error: RowcastError): void {
    const failing = this.#session
    if (failing === null) return
    this.#failure = error
    this.#guard.run('end a session of the tap', () => this.end())
    const endStream = () => failing.feed.onFailure(error)
    this.#guard.run('end the stream of a session', endStream, endStream)
  }
}
