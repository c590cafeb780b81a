/**
 * Stage 5, source. What a source's streams work with, one connection after the other: what the stream brings, what is
 * looked at meanwhile, and what stands before a change that cannot be sent. Positions and open transactions outlive a connection.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { moneyScaleMessage } from '../../catalog/money-scale.ts'
import type { RowcastError } from '../../errors.ts'
import type { ReplicationConnection } from '../../wire/replication-connection.ts'
import { isRewound } from '../published/continuity.ts'
import { describeLastChanges } from '../published/last-changes.ts'
import { DriftWatch } from '../watch/drift-watch.ts'
import type { IdentityKeeper } from '../watch/identity-keeper.ts'
import { PublicationGuard } from '../watch/publication-guard.ts'
import type { PublicationListener } from '../watch/publication-listener.ts'
import type { RelayFeed } from '../watch/session-relay.ts'
import type { WatchHealth } from '../watch/watch-health.ts'
import { createStreamPosition, type StreamPosition } from './ack-state.ts'
import { BlockedModels } from './blocked-models.ts'
import { FormKeeper } from './form-keeper.ts'
import { createModelNews } from './model-news.ts'
import { createOwnFaults, type OwnFaults } from './own-faults.ts'
import { ReaderWait } from './reader-wait.ts'
import { createCut, createRelayFeed } from './relay-feed.ts'
import { pluginOptions, RAW_TEXT_SQL } from './replication-form.ts'
import { StreamIntake } from './replication-intake.ts'
import type { StreamSession } from './session-api.ts'
import { SessionWatch } from './session-watch.ts'
import type { PreparedStream } from './slot-preparation.ts'
import type { ReplicationSourceOptions } from './source-options.ts'
import type { SlotHealth } from './source-status.ts'

/** Creates it; `onProgress` is called as positions move. */
export function createStreamSession(
  options: ReplicationSourceOptions,
  onProgress: () => void,
): StreamSession {
  return new ReplicationSession(options, onProgress)
}

/** One per source. Its parts call each other while a stream lasts, never while they are made. */
class ReplicationSession implements StreamSession {
  readonly position: StreamPosition
  readonly publication: PublicationGuard
  readonly relayFeed: RelayFeed
  readonly #options: ReplicationSourceOptions
  readonly #blocked: BlockedModels
  readonly #faults: OwnFaults
  readonly #forms: FormKeeper
  readonly #intake: StreamIntake
  readonly #watch: SessionWatch
  #connection: ReplicationConnection | null = null

  constructor(options: ReplicationSourceOptions, onProgress: () => void) {
    const { registry, relay } = options
    const position = createStreamPosition(options)
    const connectionNow = (): ReplicationConnection | null => this.#connection
    const look = (): void => this.#watch.look()
    const news = createModelNews(options, position, look)
    const blocked = new BlockedModels({
      onBlocked: options.onBlocked,
      onTables: (tables) => relay?.tellTables(tables),
      onCut: options.onCut,
    })
    const guard = createPublicationGuard(options, position, {
      ...{ onDrift: news.onDrift, onProgress, lastChanges: options.lastChanges },
      onRecovery: (model) => {
        this.#flush()
        news.onRecovery(model)
      },
      onCut: createCut(options, connectionNow, () => {
        this.#flush()
        return position.safeLsn
      }),
      onTables: (tables) => blocked.takeTables(tables),
      onEvidence: look,
    })
    const faults = createOwnFaults(options.logger, () => position.tear())
    const forms = new FormKeeper(options)
    const drifts = new DriftWatch({
      registry,
      accept: (bytes) => this.#intake.accept(bytes, 0, bytes.length),
    })
    const readerWait = new ReaderWait({ readers: options.awaited, connectionNow, guard: faults.guard })
    const shared = {
      position,
      guard,
      blocked,
      drifts,
      faults,
      forms,
      news,
      readerWait,
      look,
      connectionNow,
      onProgress,
    }
    this.position = position
    this.publication = guard
    this.relayFeed = createRelayFeed({ ...shared, relay })
    this.#options = options
    this.#blocked = blocked
    this.#faults = faults
    this.#forms = forms
    this.#intake = new StreamIntake(options, shared)
    this.#watch = new SessionWatch(options, { ...shared, receivedBytes: () => this.#intake.receivedBytes })
  }

  get slotHealth(): SlotHealth | null {
    return this.#watch.slotHealth
  }

  get stalledMs(): number {
    return this.#watch.stalledMs
  }

  get watchHealth(): WatchHealth {
    return this.#watch.health
  }

  get identities(): IdentityKeeper {
    return this.#watch.identities
  }

  get hasDelivered(): boolean {
    return this.#intake.trace.hasDelivered
  }

  /** Before a look at the catalog ends cursors, whatever the stream is at: also within a transaction. */
  #flush(): void {
    try {
      this.#intake.flush()
    } catch (error) {
      if (error instanceof Error) this.#connection?.abort(this.#faults.name(error))
    }
  }

  look(): void {
    this.#watch.look()
  }

  async stream(
    connection: ReplicationConnection,
    found: PreparedStream,
    onStarted: (prepared: PreparedStream) => boolean,
  ): Promise<void> {
    const { slot, publication } = this.#options.goal
    const beyond = this.#blocked.passOver(found, this.#intake.trace.wholeLsn)
    const prepared = beyond ?? found
    const rewound = isRewound(prepared.continuity, this.position.reachedLsn)
    this.#connection = connection
    this.#intake.expect(prepared)
    const form = this.#forms.begin(prepared.facts.modelTables)
    if (form.isRaw) await connection.query(RAW_TEXT_SQL)
    await connection.startStream(
      { slot, startLsn: prepared.continuity.floorLsn, options: pluginOptions(publication, form) },
      this.#intake.createHandler(() => {
        this.#begin(prepared)
        // Before the guard: a gap of the stream says more than one of a model.
        const isFresh = onStarted(prepared)
        if (isFresh) this.#intake.beginsAfresh()
        this.#options.onSeen(this.position.seenLsn)
        const { modelTables } = prepared.facts
        this.publication.begin({ ...prepared, found: modelTables, isFresh, isRewound: rewound })
        if (beyond !== null) this.#blocked.giveUp()
        const money = moneyScaleMessage(prepared.facts.moneyScale)
        if (money !== null) this.#intake.accept(money, 0, money.length)
      }),
    )
  }

  nameFault(error: Error): Error {
    return this.#faults.name(error)
  }

  adapt(error: RowcastError): boolean {
    return this.#forms.adapt(error, this.#intake.trace.table)
  }

  explain(error: RowcastError): RowcastError {
    const { trace } = this.#intake
    const named = trace.explain(error)
    if (named === null) return error
    const { registry } = this.#options
    const models = trace.relationOids.flatMap((oid) => registry.entryOf(oid)?.model?.name ?? [])
    this.#blocked.find(named, models)
    return named
  }

  async ended(connection: ReplicationConnection, signal: AbortSignal): Promise<Error | null> {
    const reason = await connection.closed
    await whileWaiting(this.position, signal)
    return reason
  }

  end(): void {
    this.#connection = null
    this.#watch.end()
    this.#options.relay?.end()
  }

  #begin(prepared: PreparedStream): void {
    this.#intake.begin(prepared)
    this.#watch.begin(prepared.facts)
  }
}

function createPublicationGuard(
  options: ReplicationSourceOptions,
  position: StreamPosition,
  listener: PublicationListener,
): PublicationGuard {
  const { goal, logger, registry, lastChanges, onSeen } = options
  return new PublicationGuard({
    ...{ registry, logger, listener, judge: options.judgeTable },
    ...{ slot: goal.slot, publication: goal.publication, ceiling: position.ceiling },
    reachedNow: () => position.reachedLsn,
    seenNow: () => position.seenLsn,
    onSeen(lsn) {
      position.seen.hear(lsn)
      onSeen(lsn)
    },
    lastChanges: lastChanges && ((models) => describeLastChanges(lastChanges, position, models)),
  })
}

/** A broker that is well takes milliseconds; what it does not accept is sent again. */
const PATIENCE_MS = 1_000
const POLL_MS = 10

/**
 * Resolves once what the stream has brought is accepted, at the latest after a second, or with the signal. Where streams end before a
 * change that cannot be sent, as soon as each has begun, what stands before that change gets through only so.
 */
async function whileWaiting(position: StreamPosition, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS
  while (position.isWaiting && !signal.aborted && performance.now() < untilMs) await delay(POLL_MS)
}
