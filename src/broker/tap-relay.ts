/**
 * Beside the bus, broker. The tap: takes the messages of the replication stream and writes them to Redis, as the next
 * entries of the present epoch or as the first of a new one. PostgreSQL admits one reader of a slot, so there is one
 * tap that writes; entry ids keep it so where an older one still has something on the way.
 */
import { Buffer } from 'node:buffer'
import type { RelationRegistry } from '../catalog/relation-registry.ts'
import { isRowcastError, RowcastError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { RelayFeed, RelayStart, StreamRelay } from '../source/watch/session-relay.ts'
import { LSN_ZERO, type Lsn } from '../wire/lsn.ts'
import { replicasMissing, toBrokerError } from './broker-faults.ts'
import type { RedisBroker } from './broker-options.ts'
import { type BrokerRuntime, systemRuntime } from './broker-runtime.ts'
import { EntryBuilder } from './entry-builder.ts'
import { formatEntryId } from './entry-id.ts'
import type { BrokerEngine, EntryLog } from './entry-log.ts'
import { type Epoch, planEpoch } from './epoch.ts'
import { EpochStore } from './epoch-store.ts'
import { warnOfEviction } from './eviction.ts'
import { endsOfGaps, LastPositions } from './last-positions.ts'
import { createReplicaWatch } from './replica-watch.ts'
import { SingleConnection } from './single-connection.ts'
import { StreamTrimmer } from './stream-trimmer.ts'
import { StreamWriter } from './stream-writer.ts'
import { formatTableStates } from './table-states.ts'
import { TapPast } from './tap-past.ts'
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

/** Before the first look. */
const NO_TABLES = formatTableStates([])
/** How often the tap says that it is there, looks whether the stream is still its own, and trims it. */
const TICK_MS = 1_000
/** Each so many ticks it reads what it has said of tables; its length alone at all of them. */
const READ_TICKS = 10
/** How long replicas may lack what was accepted before it is reported. */
const REPLICAS_BEHIND_MS = 5_000

/** One stream of PostgreSQL on its way into one epoch. */
interface Session {
  readonly feed: RelayFeed
  readonly epoch: Epoch
  readonly writer: StreamWriter
  readonly relations: Set<string>
  readonly trimmer: StreamTrimmer
  ticks: number
  timer: { clear(): void } | null
}

/** Creates a tap's relay; it connects when the source asks it to. */
export function createTapRelay(options: TapRelayOptions): TapRelay {
  const { broker, engine, logger, registry, runtime = systemRuntime } = options
  const writerId = runtime.newId()
  const store = new EpochStore(broker.prefix, options.slot)
  const connection = new SingleConnection({
    ...{ engine, name: `rowcast-tap:${options.slot}` },
    onOpened: (opened) => warnOfEviction(opened, logger),
    onLost: () => fail(new RowcastError('BROKER_LOST', 'The connection to Redis was lost.')),
  })
  const replicas = createReplicaWatch(options.slot, {
    ...{ engine, wanted: broker.replicas, runtime },
    probeKey: store.probeKey,
    onFailure: (error) => fail(toBrokerError(error)),
  })
  const past = new TapPast(store)
  let session: Session | null = null
  let tables = NO_TABLES
  let models: ReadonlySet<string> = new Set()
  let entryCount = 0
  let handedOver: Lsn = LSN_ZERO
  let failure: RowcastError | null = null
  /** Resolves once what was reported between two streams has been sent. */
  let reported: Promise<void> = Promise.resolve()

  const builder = new EntryBuilder(registry, {
    onBegin: () => session?.feed.onBegin(),
    onRelation({ digest, bytes }) {
      if (session === null || session.relations.has(digest)) return
      session.relations.add(digest)
      const { relations } = store.keys.epoch(session.epoch.id)
      session.writer.addWrite({ kind: 'fields', name: relations, fields: new Map([[digest, bytes]]) })
    },
    onEntry: (entry) => session?.writer.addEntry(entry),
    onOwnMessageRead: (message) => session?.writer.addLasts(endsOfGaps(message, options.slot, models)),
    onOwnMessage: (message) => session?.feed.onOwnMessage(message),
    onTable: (model, oid) => session?.feed.onTable(model, oid),
    onPartialTruncate: (model) => session?.feed.onPartialTruncate(model),
    onCommit: handOver,
    onDrift: options.onDrift,
    onRecovery: options.onRecovery,
  })

  function handOver(lsn: Lsn): void {
    if (session === null || lsn <= handedOver) return
    handedOver = lsn
    session.feed.onHandedOver(lsn)
    session.writer.addMark(lsn)
  }

  async function connect(): Promise<void> {
    const opened = await connection.open()
    // A server that is full, or that follows another one, can be read and not written.
    await opened.checkWritable(store.probeKey, writerId)
  }

  function fail(error: RowcastError): void {
    const failing = session
    if (failing === null) return
    end()
    failure = error
    failing.feed.onFailure(error)
  }

  function end(): void {
    if (session === null) return
    session.timer?.clear()
    entryCount += session.writer.entryCount
    session.writer.end()
    replicas?.forget()
    session = null
  }

  function begin(start: RelayStart, feed: RelayFeed): void {
    end()
    const gap = past.owes(start.gap)
    const { current } = connection
    if (current === null || !current.isOpen) {
      feed.onFailure(new RowcastError('BROKER_LOST', 'The connection to Redis was lost.'))
      return
    }
    const { found } = past
    const epoch = planEpoch({ ...start, gap }, found, past.published, runtime.newId())
    past.writes(epoch)
    const isNew = epoch.id !== found?.epoch.id
    const last = isNew || found === null ? epoch.floor : found.last
    const keys = store.keys.epoch(epoch.id)
    const writer = new StreamWriter({
      ...{ log: current, keys, writerKey: store.writerKey, writerId, last },
      onAccepted(lsn, lastEntry) {
        feed.onWritten(lsn)
        const onKept = () => {
          past.publishes(epoch, lastEntry, lsn)
          feed.onAccepted(lsn)
        }
        if (replicas === null) onKept()
        else replicas.accepted(onKept)
      },
      ...{ onPressure: feed.onPressure, onFailure: fail, monotonicMs: runtime.monotonicMs },
    })
    const trimmer = new StreamTrimmer(keys, broker.retention, runtime.monotonicMs)
    const opened: Session = { feed, epoch, writer, trimmer, relations: new Set(), ticks: 0, timer: null }
    session = opened
    handedOver = LSN_ZERO
    builder.reset(keys.changes, last)
    if (tables !== NO_TABLES) writer.addTables(tables)
    writer.addMark(start.floorLsn)
    open(opened, current, isNew, start.floorLsn).catch((error: unknown) => {
      if (session === opened) fail(toBrokerError(error))
    })
  }

  /** Looks once more whether the stream is as it was found, now that the slot is ours; then writing may begin. */
  async function open(opened: Session, current: EntryLog, isNew: boolean, floorLsn: Lsn): Promise<void> {
    await reported
    if (session !== opened) return
    await store.take(current, writerId, async () => {
      await checkIsOurs(current, past.found?.epoch.id ?? null)
      if (session !== opened) return null
      const mark = { lsn: floorLsn, last: opened.epoch.floor, writer: writerId, tables: null }
      return isNew ? store.beginning(opened.epoch, mark, broker.retention.minutes) : []
    })
    if (session !== opened) return
    past.hasWritten()
    if (isNew) {
      const { id, kind, reason } = opened.epoch
      const floor = formatEntryId(opened.epoch.floor)
      logger.info('A new epoch of the stream begins.', { epoch: id, kind, reason, floor })
    }
    const lasts = await LastPositions.read(current, store.keys.epoch(opened.epoch.id))
    if (session !== opened) return
    failure = null
    opened.writer.release(lasts)
    opened.timer = runtime.setInterval(() => {
      tick(opened, current).catch((error: unknown) => {
        if (session === opened) fail(toBrokerError(error))
      })
    }, TICK_MS)
  }

  async function tick(opened: Session, current: EntryLog): Promise<void> {
    opened.ticks += 1
    opened.writer.beat(TICK_MS)
    await checkIsOurs(current, opened.epoch.id)
    if (tables !== NO_TABLES) await keepTables(opened, current)
    for (const trim of await opened.trimmer.plan(current, opened.writer.last)) opened.writer.addWrite(trim)
  }

  /** Gateways show nothing without the document: one that somebody has deleted or damaged is written again. */
  async function keepTables({ epoch, writer, ticks }: Session, current: EntryLog): Promise<void> {
    const { tables: name } = store.keys.epoch(epoch.id)
    let isKept = (await current.measureText(name)) === Buffer.byteLength(tables)
    if (isKept && ticks % READ_TICKS === 0) isKept = (await current.readText(name)) === tables
    if (!isKept) writer.addTables(tables)
  }

  /** Between two streams: what gateways are to know before the next one begins. */
  function reportAside(report: (current: EntryLog, epochId: string) => Promise<void>): void {
    const [current, published] = [connection.current, past.published]
    if (current === null || !current.isOpen || published === null) return
    const onFailure = (failure: unknown) =>
      logger.debug('Gateways could not be notified yet.', { code: toBrokerError(failure).code })
    reported = reported.then(() => report(current, published.epochId)).catch(onFailure)
  }

  /** @throws BROKER_STREAM_CONTESTED, BROKER_STREAM_LOST */
  async function checkIsOurs(current: EntryLog, epochId: string | null): Promise<void> {
    const newest = await store.readNewest(current)
    if (newest?.id === (epochId ?? undefined)) return
    if (newest === null) throw new RowcastError('BROKER_STREAM_LOST', 'The stream is no longer in Redis.')
    throw new RowcastError('BROKER_STREAM_CONTESTED', 'Another tap has begun an epoch of the stream.')
  }

  return {
    get failure() {
      return failure
    },
    get warning() {
      const status = replicas?.status
      return status !== undefined && status.behindMs >= REPLICAS_BEHIND_MS ? replicasMissing(status) : null
    },
    connect,
    begin,
    end,
    async readPast(server) {
      const { current } = connection
      if (current === null) throw new RowcastError('BROKER_LOST', 'The connection to Redis was lost.')
      return past.read(current, server).catch((error: unknown) => {
        if (isRowcastError(error, 'BROKER_OLD_TIMELINE')) failure = error
        throw error
      })
    },
    take(bytes, start, end) {
      if (session !== null) builder.take(bytes, start, end)
    },
    keepalive(walEnd) {
      if (!builder.isInTransaction) handOver(walEnd)
    },
    tellTables(states) {
      const text = formatTableStates(states)
      if (text === tables) return
      tables = text
      models = new Set(states.map(({ model }) => model))
      if (session !== null) session.writer.addTables(text)
      else reportAside((current, epochId) => store.reportTables(current, { epochId, writerId }, text))
    },
    tellGap(error) {
      const reason = String(error.details['reason'] ?? '')
      reportAside((current, epochId) =>
        store.reportGap(current, { epochId, writerId }, { reason, newId: runtime.newId() }),
      )
    },
    async close() {
      end()
      replicas?.close()
      connection.close()
    },
    status: () => ({
      ...{ isConnected: connection.current?.isOpen ?? false, isActive: session !== null },
      epoch: session?.epoch.id ?? null,
      lastEntry: session === null ? null : formatEntryId(session.writer.last),
      waitingBytes: session?.writer.waitingBytes ?? 0,
      entryCount: entryCount + (session?.writer.entryCount ?? 0),
      replicas: replicas?.status ?? null,
    }),
  }
}
