/** Beside the spine, cli. What `doctor` looks at, and what a finding is. */
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import type { ErrorCode, RowcastError } from '../../errors.ts'
import type { DatabaseFacts } from '../../source/facts/database-facts.ts'
import type { SetupGoal } from '../../source/setup/setup-goal.ts'
import type { SourceFacts } from '../../source/slot/slot-facts.ts'
import type { ServerAddress } from '../../wire/server-choice.ts'
import type { DoctorFacts } from './doctor-facts.ts'
import type { FindingCode } from './finding-codes.ts'
import type { HostState } from './host-states.ts'

/** How bad it is: `error` stops changes, `warning` may cost or hurt, `advice` is good to know. */
export type Severity = 'error' | 'warning' | 'advice'

/** One thing that doctor found. */
export interface Finding {
  readonly code: FindingCode | ErrorCode
  readonly severity: Severity
  /** The model it is about; null for the server. */
  readonly model: string | null
  readonly why: string
  /** What to run, set or do. */
  readonly hint: string
  /** Statements that the hint is about. @default none */
  readonly statements?: readonly string[] | undefined
}

/** What doctor looks at. */
export interface Examination {
  readonly facts: DatabaseFacts
  readonly source: SourceFacts
  readonly doctor: DoctorFacts
  /** Why a replication connection could not be had; null when it could. */
  readonly refusal: RowcastError | null
  /** Whether it was a pooler that refused, at `senders`. */
  readonly isPooled: boolean
  readonly goal: SetupGoal
  /** The role that the application queries as. */
  readonly queryRole: string
  /** Models for whose rows somebody answers; see `modelsWithRowRule`. */
  readonly answered: ReadonlySet<string>
  /** The live models. */
  readonly models: readonly ModelSpec[]
  readonly enums: ModelCatalog['enums']
  /** Models without a field that may be seen. */
  readonly leftOut: readonly string[]
  /** Where the database is said to be. */
  readonly addresses: readonly ServerAddress[]
  /** Who is asked for replication: the same, or the standby of `replicationUrl`. */
  readonly senders: readonly ServerAddress[]
  /** What each of several servers says; none where there is one. */
  readonly hosts: readonly HostState[]
}

/** An error of the error table as a finding. */
export function findingOf({ code, happened, hint }: RowcastError, model: string | null = null): Finding {
  return { code, severity: 'error', model, why: happened, hint }
}

/** 1536 → 1.5 KiB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  const value = bytes / 1024 ** power
  return `${power === 0 ? Math.round(value) : value.toFixed(1)} ${units[power]}`
}
