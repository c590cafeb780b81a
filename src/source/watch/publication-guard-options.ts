/** Stage 5, source. What the publication guard works with, and what it begins with. */
import type { RelationRegistry } from '../../catalog/relation-registry.ts'
import type { Logger } from '../../logger.ts'
import type { Lsn } from '../../wire/lsn.ts'
import type { LastChanges } from '../published/last-changes.ts'
import type { Writers } from '../published/writers.ts'
import type { FoundTable } from '../setup/model-tables.ts'
import type { TableJudge } from '../setup/row-security.ts'
import type { ConfirmCeiling } from '../slot/confirm-ceiling.ts'
import type { PublicationListener } from './publication-listener.ts'
import type { KnownTables } from './session-relay.ts'

/** What is known when a stream begins. */
export interface PublicationStart {
  readonly found: readonly FoundTable[]
  /** Right after that. */
  readonly writers: Writers
  /** What was known to be complete where the stream begins, and no later; null: nothing. `own`: what this process knows. */
  readonly known: KnownTables | 'own' | null
  /** All subscriptions have begun with this stream. */
  readonly isFresh: boolean
  /** It brings again what this process has read, and the barriers with it. @default false */
  readonly isRewound?: boolean | undefined
  readonly continuity?: { readonly floorLsn: Lsn } | undefined
  readonly facts?: { readonly serverVersion: number; readonly serverLsn: Lsn } | undefined
}

/** What a guard needs. */
export interface PublicationGuardOptions {
  readonly registry: RelationRegistry
  readonly publication: string
  readonly slot: string
  readonly logger: Logger
  readonly judge?: TableJudge | undefined
  readonly listener: PublicationListener
  /** What the barriers that pass allow to be confirmed. */
  readonly ceiling?: ConfirmCeiling | undefined
  /** What this process knows of the last changes of models, for its barriers. @default nothing */
  readonly lastChanges?: ((models: readonly string[]) => LastChanges | null) | undefined
  /** How far the stream is read. @default to where the server is */
  readonly reachedNow?: (() => Lsn) | undefined
  /** Up to where all is visible to queries, for its barriers; zero while that is not known. @default it is not known */
  readonly seenNow?: (() => Lsn) | undefined
  /** A barrier says up to where all was. */
  readonly onSeen?: ((lsn: Lsn) => void) | undefined
}
