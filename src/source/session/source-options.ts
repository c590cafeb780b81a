/** Stage 5, source. What the worker is created with; rowcast-reader.ts fills it in. */
import type { RelationRegistry } from '../../catalog/relation-registry.ts'
import type { TransactionPart } from '../../changes/change.ts'
import type { EmittedMessage } from '../../changes/emitted-message.ts'
import type { SoftDeleteFields } from '../../changes/soft-delete.ts'
import type { MetadataReader } from '../../changes/transaction-metadata.ts'
import type { RowcastError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import type { Lsn } from '../../wire/lsn.ts'
import type { LastChangesKeeper } from '../published/last-changes.ts'
import type { TableJudge } from '../setup/row-security.ts'
import type { SetupGoal } from '../setup/setup-plan.ts'
import type { Retention } from '../slot/retention-window.ts'
import type { SlotLostPolicy } from '../slot/slot-remedy.ts'
import type { SlotBudget } from '../slot/slot-verdict.ts'
import type { PublicationCut } from '../watch/publication-listener.ts'
import type { StreamRelay } from '../watch/session-relay.ts'
import type { StreamStart } from '../watch/session-start.ts'
import type { AwaitedReaders } from './reader-wait.ts'

/** What a source needs. */
export interface ReplicationSourceOptions {
  readonly target: DriverTarget
  readonly goal: SetupGoal
  readonly registry: RelationRegistry
  /** A stream begins; called before its first part. */
  readonly onStreamStarted: (start: StreamStart) => void
  /** Takes each part in commit order, synchronously. */
  readonly publish: (part: TransactionPart) => void
  /** Everything that committed before `lsn` has been published. */
  readonly onPassed: (lsn: Lsn) => void
  /** All that committed before `lsn` is visible to queries. */
  readonly onSeen: (lsn: Lsn) => void
  /** Changes may be missing: RESYNC_REQUIRED with the reason in `details`. */
  readonly onGap: (error: RowcastError) => void
  /** A model's table and the Prisma schema disagree: its changes cannot be read. */
  readonly onDrift: (model: string, drift: RowcastError) => void
  /** They agree again; what changed in between is lost. */
  readonly onRecovery: (model: string) => void
  /** Changes of a model may be missing. */
  readonly onCut: (model: string, cut: PublicationCut) => void
  /** Changes of these models wait behind one that cannot be sent, and why; of all others none is known to. */
  readonly onBlocked: (blocked: ReadonlyMap<string, RowcastError>) => void
  /** Another process has been reading the slot for `standbyPatienceMs`: nothing comes here; or that is over. @default nobody waits here */
  readonly onStandAside?: ((isAside: boolean) => void) | undefined
  /** Those who read what is published, for whom reading from PostgreSQL may wait. @default nobody */
  readonly awaited?: AwaitedReaders | undefined
  /** Keeps where models changed last, across restarts. @default nobody does */
  readonly lastChanges?: LastChangesKeeper | undefined
  /** What applications wrote with `pg_logical_emit_message`. @returns whether anybody listens to it */
  readonly onMessage: (message: EmittedMessage) => boolean
  /** Takes the stream's messages instead of `publish` and `onMessage`. @default none: the changes are for this process */
  readonly relay?: StreamRelay | undefined
  /** What else keeps a model's changes from being delivered. @default nothing */
  readonly judgeTable?: TableJudge | undefined
  readonly softDelete: SoftDeleteFields
  readonly readMetadata?: MetadataReader | undefined
  readonly logger: Logger
  /** Between two looks at replica identities. @default 1_000 // 1 s */
  readonly glanceIntervalMs?: number | undefined
  /** Run `enable()` on each connection attempt before streaming. */
  readonly isEnabledOnConnect: boolean
  /** Ask PostgreSQL for values in binary form. */
  readonly isBinary: boolean
  /** How far behind what was delivered the slot is kept. */
  readonly retention: Retention
  readonly slotLostPolicy: SlotLostPolicy
  /** Null: no limit, only reported. */
  readonly slotBudget: SlotBudget | null
  /** Keep the slot synchronised to standbys; PostgreSQL 17+. */
  readonly isFailover: boolean
  /** How often slot and publication are looked at while changes flow. */
  readonly watchIntervalMs: number
  /** How long WAL may wait without any of it coming before the source is not ready. */
  readonly stalledAfterMs: number
  /** How long another process may read the slot before those who wait here are sent away. @default 10_000 // 10 s */
  readonly standbyPatienceMs?: number | undefined
  readonly applicationName: string
  /** Random number in [0, 1) for the jitter of the waits. */
  readonly random: () => number
}
