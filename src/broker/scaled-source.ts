/**
 * Beside the bus, broker. What a process with a broker reads its changes with, by its role: a tap, a gateway, or both,
 * behind the face of the source that one process alone has.
 */
import type { InProcessBus } from '../bus/bus.ts'
import type { RelationRegistry } from '../catalog/relation-registry.ts'
import type { EmittedMessage } from '../changes/emitted-message.ts'
import type { SoftDeleteFields } from '../changes/soft-delete.ts'
import type { MetadataReader } from '../changes/transaction-metadata.ts'
import { RowcastError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { ReplicationSource, SourceStatus } from '../source/replication-source.ts'
import type { TableJudge } from '../source/setup/row-security.ts'
import type { StreamRelay } from '../source/watch/session-relay.ts'
import { stopParts } from '../stop-parts.ts'
import { formatLsn } from '../wire/lsn.ts'
import { BrokerArchive } from './broker-archive.ts'
import type { RedisBroker, Role } from './broker-options.ts'
import type { BrokerRuntime } from './broker-runtime.ts'
import { createEngine } from './engines.ts'
import { EntryFeeder, type FeederOutput } from './entry-feeder.ts'
import type { EntryId } from './entry-id.ts'
import type { BrokerEngine } from './entry-log.ts'
import type { EpochFollowerOptions } from './epoch-follower.ts'
import { EpochStore } from './epoch-store.ts'
import { createGateway, type Gateway } from './gateway.ts'
import { RelationCache } from './relation-cache.ts'
import type { ReplicaStatus } from './replica-watch.ts'
import { createTapRelay, type TapRelay } from './tap-relay.ts'

/** A source, as far as an application's process needs one. */
export type ChangeReader = Omit<ReplicationSource, 'whenState'>

/** What the broker's side of a process looks like at a moment. */
export interface BrokerStatus {
  readonly isConnected: boolean
  /** Whether this process is the tap that writes; null for a gateway. */
  readonly isActive: boolean | null
  /** The stretch of the stream; changes with each gap and each failover. */
  readonly epoch: string | null
  /** The last entry written or read, `<LSN as a decimal number>-<index>`. */
  readonly lastEntry: string | null
  /** Bytes that a tap has handed to Redis and Redis has not accepted; null for a gateway. */
  readonly waitingBytes: number | null
  /** Milliseconds since a gateway has heard of a tap; null for a tap, and before the first word. */
  readonly tapSilentMs: number | null
  /** Redis' replicas, as a tap that waits for some sees them; null: it waits for none. */
  readonly replicas: ReplicaStatus | null
}

/** A source over a broker. */
export interface ScaledSource extends ChangeReader {
  brokerStatus(): BrokerStatus
}

export interface ScaledSourceOptions {
  readonly role: Role
  readonly broker: RedisBroker
  /** @default the one at the broker's address */
  readonly engine?: BrokerEngine | undefined
  /** @default the machine's */
  readonly runtime?: BrokerRuntime | undefined
  readonly slot: string
  readonly publication: string
  readonly logger: Logger
  /** Made before the bus is, and filled in here. */
  readonly archive: BrokerArchiveSlot
  /** Names of the models that are registered. */
  readonly models: readonly string[]
  /** Relations of this process' gateway. */
  readonly registry: RelationRegistry
  /** Empty registries, for those who read on their own. */
  readonly createRegistry: () => RelationRegistry
  readonly softDelete: SoftDeleteFields
  readonly readMetadata?: MetadataReader | undefined
  /** See `ReplicationSourceOptions`. */
  readonly judgeTable?: TableJudge | undefined
  readonly bus: InProcessBus
  /** Identifier of the database cluster; rejects while it cannot be asked. */
  readonly readSystemId: (signal: AbortSignal) => Promise<string>
  /** See `EpochFollowerOptions`. */
  readonly askDatabase: EpochFollowerOptions['askDatabase']
  readonly watchIntervalMs: number
  readonly onMessage: (message: EmittedMessage) => void
  /** The source of a tap, with relations of its own. */
  readonly createTapSource: (relay: StreamRelay, registry: RelationRegistry) => ReplicationSource
}

/** A fresh gateway's log begins with as much of the stream, within what a log may keep. */
const PRELOAD_BYTES = 8 * 1024 * 1024

/** Holds the archive's place until the source is made: the bus is made first. */
export class BrokerArchiveSlot {
  archive: BrokerArchive | null = null

  hasReached(position: Parameters<BrokerArchive['hasReached']>[0]): Promise<boolean> {
    return this.#present.hasReached(position)
  }

  read(...asked: Parameters<BrokerArchive['read']>): ReturnType<BrokerArchive['read']> {
    return this.#present.read(...asked)
  }

  get #present(): BrokerArchive {
    if (this.archive === null) throw new RowcastError('BUG', 'A cursor was looked for before start().')
    return this.archive
  }
}

/** Creates it; nothing connects before `start()`. */
export function createScaledSource(options: ScaledSourceOptions): ScaledSource {
  const tap = options.role === 'gateway' ? null : createTap(options)
  const gateway = options.role === 'tap' ? null : createReader(options)

  return {
    async enable() {
      if (tap !== null) return tap.source.enable()
      throw new RowcastError('BROKER_WRONG_ROLE', 'A gateway sets nothing up in PostgreSQL.', {
        hint: 'Call enable() in the tap, or run it with `enableOnStart: true`.',
      })
    },
    start() {
      tap?.source.start()
      gateway?.start()
    },
    stop() {
      return stopParts([
        () => tap?.source.stop(),
        () => gateway?.stop(),
        () => options.archive.archive?.close(),
      ])
    },
    whenReady: () => gateway?.whenReady() ?? tap?.source.whenReady() ?? Promise.resolve(),
    status: () => toSourceStatus(options, tap, gateway),
    brokerStatus() {
      const tapStatus = tap?.relay.status() ?? null
      const gatewayStatus = gateway?.status() ?? null
      const shown = gatewayStatus ?? tapStatus
      return {
        isConnected: shown?.isConnected ?? false,
        isActive: tapStatus?.isActive ?? null,
        epoch: shown?.epoch ?? null,
        lastEntry: shown?.lastEntry ?? null,
        waitingBytes: tapStatus?.waitingBytes ?? null,
        tapSilentMs: gatewayStatus?.tapSilentMs ?? null,
        replicas: tapStatus?.replicas ?? null,
      }
    },
  }
}

/** The tap's side of a process. */
interface Tap {
  readonly source: ReplicationSource
  readonly relay: TapRelay
}

function createTap(options: ScaledSourceOptions): Tap {
  const { broker, slot, logger } = options
  const registry = options.createRegistry()
  const relay = createTapRelay({
    ...{ engine: engineOf(options), runtime: options.runtime, broker, slot, logger, registry },
    // The Prisma schema of a gateway decides about its subscribers; this is for the tap's own log.
    onDrift: (model, drift) => logger.warn(drift.message, { code: drift.code, model }),
    onRecovery: (model) => logger.info(`The changes of ${model} can be read again.`, { model }),
  })
  return { relay, source: options.createTapSource(relay, registry) }
}

function engineOf({ engine, broker }: ScaledSourceOptions): BrokerEngine {
  return engine ?? createEngine(broker)
}

function createReader(options: ScaledSourceOptions): Gateway {
  const { broker, slot, softDelete, readMetadata, registry, runtime } = options
  const engine = engineOf(options)
  const store = new EpochStore(broker.prefix, slot)
  const relations = new RelationCache()
  const createFeeder = (own: RelationRegistry) => (output: FeederOutput, position: EntryId) =>
    new EntryFeeder({ registry: own, relations, softDelete, readMetadata, output }, position)
  const gateway = createGateway({
    ...options,
    ...{ engine, store, relations, preloadBytes: PRELOAD_BYTES },
    createFeeder: createFeeder(registry),
  })
  options.archive.archive = new BrokerArchive({
    ...{ engine, runtime, name: `rowcast-archive:${slot}`, store, relations },
    patienceMs: options.broker.answerTimeoutMs,
    epochNow: () => gateway.epoch,
    safeNow: () => gateway.safeLsn,
    createFeeder: (output, position) => createFeeder(options.createRegistry())(output, position),
  })
  return gateway
}

/** A source's status; what only PostgreSQL could say is null at a gateway. */
function toSourceStatus(
  { slot, publication }: ScaledSourceOptions,
  tap: Tap | null,
  gateway: Gateway | null,
): SourceStatus {
  const tapStatus = tap === null ? null : toTapStatus(tap)
  const read = gateway?.status()
  if (tapStatus !== null && read === undefined) return tapStatus
  if (tapStatus !== null && read !== undefined) {
    return { ...tapStatus, isReady: read.isReady, lastError: read.lastError ?? tapStatus.lastError }
  }
  const safeLsn = read?.safeLsn == null ? null : formatLsn(read.safeLsn)
  return {
    ...{ slot, publication, slotHealth: null, confirmedLsn: null },
    state: read?.state ?? 'idle',
    isReady: read?.isReady ?? false,
    isCatchingUp: read?.isReady === false && read.isConnected,
    lastError: read?.lastError ?? null,
    failures: read?.failures ?? 0,
    streamsStarted: read?.connects ?? 0,
    stalledMs: 0,
    failedLooks: 0,
    identityFaults: [],
    positions: { safeLsn, confirmedLsn: null, serverLsn: safeLsn, lagBytes: read?.lagBytes ?? 0 },
    system: read?.system ?? null,
  }
}

/** A tap that stands by is as ready as one that writes: it is there to take over. */
function toTapStatus({ source, relay }: Tap): SourceStatus {
  const status = source.status()
  const isReady = (status.isReady || status.state === 'standby') && relay.failure === null
  return { ...status, isReady, lastError: relay.failure ?? status.lastError ?? relay.warning }
}
