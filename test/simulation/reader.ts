/** One process of rowcast: the real source, taps and gateways, and the real bus, on sockets and a broker of the model. */
import type { Duplex } from 'node:stream'
import type { RedisBroker, Role } from '../../src/broker/broker-options.ts'
import { type BrokerRuntime, systemRuntime } from '../../src/broker/broker-runtime.ts'
import type { BrokerEngine } from '../../src/broker/entry-log.ts'
import { BrokerArchiveSlot, type ChangeReader, createScaledSource } from '../../src/broker/scaled-source.ts'
import type { BusSubscription, InProcessBus, OverflowPolicy } from '../../src/bus/bus.ts'
import { BusObservers } from '../../src/bus/bus-observer.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { createMessageHub } from '../../src/bus/message-hub.ts'
import { StreamPresence } from '../../src/bus/replication-presence.ts'
import { serverStopping } from '../../src/bus/server-stopping.ts'
import { busSink, NO_SINK, type SourceSink } from '../../src/bus/source-sink.ts'
import { guardTimers, NODE_TIMERS } from '../../src/bus/time-slices.ts'
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import { createRelationRegistry, type RelationRegistry } from '../../src/catalog/relation-registry.ts'
import { createGuard, type Guard } from '../../src/guard.ts'
import type { Logger } from '../../src/logger.ts'
import { parseLibraryFilter } from '../../src/rowcast-related.ts'
import { withDatabaseSession } from '../../src/source/db/sql.ts'
import { readSystemIdentifier } from '../../src/source/db/system-identifier.ts'
import { parseSnapshot, parseXidBound } from '../../src/source/db/visibility.ts'
import { resolveDurability } from '../../src/source/durability-options.ts'
import { createReplicationSource, type ReplicationSource } from '../../src/source/replication-source.ts'
import { createSetupGoal } from '../../src/source/setup/setup-goal.ts'
import type { DriverTarget } from '../../src/wire/driver-target.ts'
import type { Random } from '../chaos/random.ts'
import type { AskedChanges } from './asked-changes.ts'
import type { Link } from './link.ts'
import type { ModelClient } from './model-client.ts'
import { createReaderFace, type ReaderFace } from './reader-face.ts'
import type { Site } from './site.ts'
import { type Machine, runOn } from './virtual-time.ts'

/** How it is set. */
export interface ReaderSettings {
  readonly slot: string
  readonly retainBytes: number
  readonly isBinary: boolean
  readonly queueLengthMax: number
  readonly logBytesMax: number
  /** What the broker keeps. */
  readonly brokerBytes: number
  /** Between two looks at replica identities. */
  readonly glanceIntervalMs: number
}

/** What it runs on. */
export interface ReaderParts {
  readonly site: Site
  readonly catalog: ModelCatalog
  readonly random: Random
  readonly logger: Logger
  readonly settings: ReaderSettings
  /** Null: it is alone. */
  readonly engine: BrokerEngine | null
  readonly role: Role
  /** What it runs on, where processes pause and clocks differ. */
  readonly machine: Machine | null
  /** What it reads rows with; null where the world has no sets of rows. */
  readonly prisma: ModelClient | null
}

/** What is asked for, and how. */
export interface Asking extends AskedChanges {
  readonly overflow?: OverflowPolicy | undefined
}

/** How long whoever subscribes waits for the stream. */
const ACCEPT_MS = 10_000
const PUBLICATION = 'rowcast'
/** What one part of a log may take, with what it costs beside its bytes. */
const LOG_PART_BYTES = 4_000
const WATCH_MS = 10_000

/** A process. */
export class Reader {
  readonly bus: InProcessBus
  /** What subscribes to sets of rows; null where the world has none. */
  readonly face: ReaderFace | null
  readonly source: ChangeReader
  readonly role: Role
  readonly #presence: StreamPresence
  readonly #registry: RelationRegistry
  readonly #parts: ReaderParts
  readonly #links = new Set<Link>()
  /** Ends what the broker's engine has open for it. */
  readonly #ending = new AbortController()
  readonly startedAtMs = performance.now()
  isOver = false

  /** Begins a process. */
  static begin(parts: ReaderParts): Reader {
    return runOn(parts.machine, () => new Reader(parts))
  }

  private constructor(parts: ReaderParts) {
    const { catalog, logger, settings, role, engine } = parts
    const guard = createGuard(logger)
    this.#parts = parts
    this.role = role
    const observers = new BusObservers(guard)
    this.#presence = new StreamPresence(ACCEPT_MS, guard)
    observers.add(this.#presence)
    const archive = new BrokerArchiveSlot()
    const { queueLengthMax, logBytesMax } = settings
    const ownBus = createMemoryBus({
      ...{
        queueLengthMax,
        models: catalog.models,
        guard,
        observers,
        older: engine === null ? undefined : archive,
      },
      log: { bytesMax: logBytesMax, bytesReadMax: 2 * logBytesMax, ageMaxMs: 600_000 },
      timers: guardTimers(NODE_TIMERS, guard),
    })
    this.face = parts.prisma === null ? null : this.#createFace(ownBus, guard, parts.prisma)
    this.bus = this.face?.bus ?? ownBus
    this.#registry = this.#createRegistry()
    this.source =
      engine === null
        ? this.#createSource(this.#registry, busSink(this.bus, createMessageHub(100, guard)))
        : this.#createScaled(engine, archive)
    this.source.start()
  }

  /** As the service does: a subscription is accepted once it would begin with what commits from now on. */
  get isAccepting(): boolean {
    const wait = this.#presence.whenLive()
    wait?.catch(() => {})
    return wait === null
  }

  /** As the library does. @throws why the model's changes cannot be read */
  subscribe(
    model: string,
    after: string | null,
    { overflow = 'end', actions, ...input }: Asking = { actions: [] },
  ): BusSubscription {
    const fault = this.#registry.faults.get(model)
    if (fault !== undefined) throw fault
    const { catalog } = this.#parts
    const filter = parseLibraryFilter(catalog.models[model] as ModelSpec, catalog, input)
    return runOn(this.machine, () =>
      this.bus.subscribe({
        ...{ model, actions, filter, overflow },
        ...(after === null ? {} : { after }),
      }),
    )
  }

  /** Whether it has the model's changes to give. */
  isReadable(model: string): boolean {
    return !this.#registry.faults.has(model)
  }

  /** As `changeCursor` does: behind it comes all that a query made afterwards may not see. */
  cursorNow(): string | null {
    const { snapshot } = this.#parts.site.database
    this.bus.history?.earlier.ask(parseXidBound(snapshot, null))
    return this.bus.cursorBefore(parseSnapshot(snapshot))
  }

  /** Whether it reads PostgreSQL itself, and has no broker. */
  get isAlone(): boolean {
    return this.#parts.engine === null
  }

  /** What is beyond its bound; null: nothing. */
  get excess(): string | null {
    const { queueLengthMax, logBytesMax } = this.#parts.settings
    // One more: what waits to know whether it is the last of its transaction comes with it.
    for (const [model, { longest }] of this.bus.backlogs())
      if (longest > queueLengthMax + 1)
        return `a queue of ${model} holds ${longest}, and its bound is ${queueLengthMax}`
    const log = this.bus.history?.log
    const most = logBytesMax + LOG_PART_BYTES
    return log !== undefined && log.byteLength > 2 * most
      ? `the log holds ${log.byteLength} bytes, and its bound is ${most}`
      : null
  }

  get machine(): Machine | null {
    return this.#parts.machine
  }

  get isPaused(): boolean {
    return this.machine?.isPaused ?? false
  }

  get links(): readonly Link[] {
    return [...this.#links]
  }

  /** The process is gone at once: nothing it would still send arrives. */
  async crash(): Promise<void> {
    this.isOver = true
    for (const link of this.links) link.cut()
    this.#ending.abort()
    this.bus.close(new Error('The process is gone.'))
    await this.source.stop()
  }

  /** It ends as a service does. */
  async stop(): Promise<void> {
    this.isOver = true
    await this.source.stop()
    this.bus.stop(serverStopping)
  }

  get #models() {
    return Object.values(this.#parts.catalog.models)
  }

  get #target(): DriverTarget {
    const stream = (): Duplex => {
      const link = this.#parts.site.server.link()
      this.#links.add(link)
      link.machine = this.machine
      link.socket.once('close', () => this.#links.delete(link))
      if (this.isOver) link.cut()
      return link.socket
    }
    return { host: 'model', port: 5432, user: 'app', database: 'app', password: 'none', ssl: false, stream }
  }

  #createFace(ownBus: InProcessBus, guard: Guard, prisma: ModelClient): ReaderFace {
    const { catalog, role, engine } = this.#parts
    return createReaderFace({
      ...{ ownBus, guard, catalog, prisma, presence: this.#presence, target: this.#target },
      ...{ answerTimeoutMs: ACCEPT_MS, scaling: { role, broker: engine === null ? null : this.#broker } },
      reader: {
        hasOldImages: (model) => this.#registry.hasOldImages(model) ?? true,
        faults: () => this.#registry.faults,
        whenReady: () => this.source.whenReady(),
        isFollowing: () => this.source.status().isReady,
      },
    })
  }

  #createRegistry(): RelationRegistry {
    const { catalog } = this.#parts
    return createRelationRegistry({
      catalog,
      models: this.#models,
      defaultSchema: 'public',
      keepsIdentity: new Set(),
    })
  }

  #createSource(registry: RelationRegistry, sink: SourceSink): ReplicationSource {
    const { catalog, logger, random, settings } = this.#parts
    return createReplicationSource({
      ...{ target: this.#target, registry, logger, softDelete: new Map() },
      goal: createSetupGoal({
        ...{ catalog, schema: 'public', slot: settings.slot, publication: PUBLICATION },
        models: this.#models.map((spec) => ({ spec })),
      }),
      ...resolveDurability({ retain: { bytes: settings.retainBytes, minutes: 10 } }),
      ...sink,
      ...{
        isEnabledOnConnect: false,
        isBinary: settings.isBinary,
        glanceIntervalMs: settings.glanceIntervalMs,
        applicationName: `rowcast: ${settings.slot}`,
      },
      random: () => randomShare(random),
    })
  }

  get #broker(): RedisBroker {
    return {
      ...{ url: 'redis://model', answerTimeoutMs: 10_000, replicas: 0, prefix: null },
      retention: { bytes: this.#parts.settings.brokerBytes, minutes: 60 },
    }
  }

  #createScaled(engine: BrokerEngine, archive: BrokerArchiveSlot): ChangeReader {
    const { logger, settings, role } = this.#parts
    const target = this.#target
    const { slot } = settings
    return createScaledSource({
      ...{ role, slot, publication: PUBLICATION, logger, archive, bus: this.bus, softDelete: new Map() },
      ...{
        registry: this.#registry,
        createRegistry: () => this.#createRegistry(),
        watchIntervalMs: WATCH_MS,
      },
      broker: this.#broker,
      engine: this.#owned(engine),
      runtime: this.#runtime,
      models: this.#models.map(({ name }) => name),
      onMessage() {},
      askDatabase: (ask) => withDatabaseSession(target, (sql) => ask((text) => sql.query(text))),
      readSystemId: (signal) => readSystemIdentifier({ ...target, waits: { signal } }),
      createTapSource: (relay, relations) => this.#createSource(relations, { ...NO_SINK, relay }),
    })
  }

  /** Connections of a process that is gone are gone. */
  #owned(engine: BrokerEngine): BrokerEngine {
    const { signal } = this.#ending
    return {
      followMs: engine.followMs,
      open: (options) =>
        engine.open({
          ...options,
          signal: options.signal ? AbortSignal.any([options.signal, signal]) : signal,
        }),
    }
  }

  get #runtime(): BrokerRuntime {
    const { random } = this.#parts
    return {
      // Its clock and its timers are virtual, as all are.
      ...systemRuntime,
      newId: () => `${random.integer(0, 2 ** 31)}-${random.integer(0, 2 ** 31)}`,
      random: () => randomShare(random),
    }
  }
}

function randomShare(random: Random): number {
  return random.integer(0, 1_000_000) / 1_000_001
}
