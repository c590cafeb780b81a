/**
 * Stage 5, source. Facts about the database → the steps that make the registered models live, or the
 * problems that forbid it. Pure; what it returns is shown to people before and after it runs.
 */
import { errorEntry, RowcastError } from '../../errors.ts'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../wire/quote.ts'
import type { DatabaseFacts, TableFacts, TableIdentity } from '../facts/database-facts.ts'
import { formerSlotProblem } from '../facts/default-slot.ts'
import type { PublicationFacts } from '../facts/publication-facts.ts'
import { isSameTable, type QualifiedTable } from '../facts/table-name.ts'
import {
  identitiesToChange,
  identityProblems,
  identitySteps,
  isIdentityToChange,
  mustPublishGenerated,
} from './identity-plan.ts'
import { rescueSteps } from './identity-rescue.ts'
import { nameOf } from './replica-identity.ts'
import type { SetupGoal, SetupStep } from './setup-goal.ts'
import { memorySteps } from './setup-memory.ts'
import { tableProblems, withoutUnreplicable } from './table-problems.ts'

export type { SetupGoal, SetupStep } from './setup-goal.ts'

/** What has to be done, or what stands in the way. */
export interface SetupPlan {
  /** In the order they must run; empty when everything is in place. */
  readonly steps: readonly SetupStep[]
  /** Each with its hint; when there is one, nothing is done at all. */
  readonly problems: readonly RowcastError[]
  /**
   * What is to be taken back whatever the problems are, because the application's statements fail by it; `steps` begin
   * with it.
   */
  readonly undo: readonly SetupStep[]
  /** Optional tables that are left out, and why. */
  readonly skipped: readonly RowcastError[]
}

/**
 * Plans the set-up. What was there before is written down first. Replica identities come before the publication of
 * their tables, so that no table is ever published in a state in which the application's own UPDATE or DELETE would
 * fail; the slot comes last, so that it never decodes a change from before its publication.
 */
export function planSetup(all: DatabaseFacts, wanted: SetupGoal): SetupPlan {
  const { facts, goal, skipped } = withoutUnreplicable(all, wanted)
  const problems = [
    ...serverProblems(facts),
    ...tableProblems(facts, goal),
    ...identityProblems(facts, goal),
    ...slotProblems(facts, goal),
  ]
  const undo = rescueSteps(facts, goal)
  if (problems.length > 0) return { steps: [], problems, undo, skipped }
  const identities = identitiesToChange(facts, goal)
  const steps = [
    ...undo,
    ...rememberSteps(facts, goal, identities),
    ...generatedColumnSteps(facts, goal),
    ...identitySteps(facts, goal),
    ...publicationSteps(facts, goal),
    ...slotSteps(facts, goal),
  ]
  return { steps, problems: rightsProblems(facts, steps, goal), undo, skipped }
}

/** Whether a problem is one of single tables: what is published of the others can be streamed. */
export function isOfTables({ code }: RowcastError): boolean {
  return errorEntry(code).concerns === 'tables'
}

function serverProblems(facts: DatabaseFacts): RowcastError[] {
  const problems: RowcastError[] = []
  if (facts.walLevel !== 'logical') {
    problems.push(
      new RowcastError(
        'SOURCE_WAL_LEVEL',
        `The server runs with wal_level = ${facts.walLevel}; it must be logical.`,
      ),
    )
  }
  if (!facts.mayReplicate) {
    const role = facts.replicationRole ?? facts.role
    problems.push(
      new RowcastError('SOURCE_NO_REPLICATION_RIGHT', `The role ${role} may not replicate.`, {
        hint: `As a superuser run: ALTER ROLE ${quoteIdentifier(role)} WITH REPLICATION; (Amazon RDS: GRANT rds_replication TO ${quoteIdentifier(role)};)`,
      }),
    )
  }
  return problems
}

function slotProblems(facts: DatabaseFacts, goal: SetupGoal): RowcastError[] {
  const slot = facts.slot
  if (slot === null) {
    const problem = formerSlotProblem(goal, facts)
    return problem === null ? [] : [problem]
  }
  const problem = slotMismatch(slot.plugin, slot.slotType, slot.database, facts.database)
  if (problem === null) return []
  return [new RowcastError('SOURCE_SLOT_MISMATCH', `Replication slot "${goal.slot}" ${problem}.`)]
}

function slotMismatch(
  plugin: string | null,
  slotType: string,
  slotDatabase: string | null,
  database: string,
) {
  if (slotType !== 'logical') return 'is a physical slot'
  if (plugin !== 'pgoutput') return `uses the output plugin ${plugin}, not pgoutput`
  if (slotDatabase !== database) return `belongs to database ${slotDatabase}, not ${database}`
  return null
}

/** Before the identities: FULL counts every column, and one that is not published would make each UPDATE fail. */
export function generatedColumnSteps(facts: DatabaseFacts, goal: SetupGoal): SetupStep[] {
  if (facts.publication === null || facts.publication.publishesGenerated) return []
  if (!mustPublishGenerated(facts)) return []
  const sql = `ALTER PUBLICATION ${quoteIdentifier(goal.publication)} SET (${GENERATED_OPTION})`
  return [
    {
      kind: 'publication',
      sql,
      why: 'Full identities include generated columns; a table may get one at any time.',
    },
  ]
}

/** A publication is made empty, and remembers; its tables come into it after their identities are set. */
function rememberSteps(
  facts: DatabaseFacts,
  goal: SetupGoal,
  identities: readonly TableIdentity[],
): SetupStep[] {
  const existing = facts.publication
  const steps = memorySteps(facts, goal, {
    identities,
    added: existing === null ? [] : missingTables(facts, existing, goal),
    areOptionsChanged:
      existing !== null &&
      (!publishesEverything(existing) || (mustPublishGenerated(facts) && !existing.publishesGenerated)),
  })
  if (existing !== null) return steps
  const sql = `CREATE PUBLICATION ${quoteIdentifier(goal.publication)} WITH (${publicationOptions(facts)})`
  const why = 'It will name the tables whose changes PostgreSQL sends.'
  // Without the comment `disable` would not know it for ours.
  return [{ kind: 'publication', sql, why, isWithNext: true }, ...steps]
}

function publicationOptions(facts: DatabaseFacts): string {
  return mustPublishGenerated(facts) ? `${PUBLICATION_OPTIONS}, ${GENERATED_OPTION}` : PUBLICATION_OPTIONS
}

/**
 * What can be added. Of a table that is a member already and is not published, the options decide: a partitioned one whose
 * partitions are published instead, or a partition whose rows come under the name of its root.
 */
function missingTables(
  facts: DatabaseFacts,
  publication: PublicationFacts,
  goal: SetupGoal,
): readonly (QualifiedTable & { readonly model?: string })[] {
  if (publication.isForAllTables === true) return []
  const childTables = facts.tables.filter((table) => table.isChild)
  const isMember = (wanted: QualifiedTable) => publication.named.some((each) => isSameTable(each, wanted))
  return [...goal.tables, ...childTables].filter(
    (wanted) => !isPublished(publication, wanted) && !isMember(wanted),
  )
}

function publicationSteps(facts: DatabaseFacts, goal: SetupGoal): SetupStep[] {
  const name = quoteIdentifier(goal.publication)
  const listOf = (tables: readonly QualifiedTable[]) =>
    tables.map((t) => quoteQualified(t.schema, t.table)).join(', ')
  const existing = facts.publication
  if (existing === null) {
    const sql = `ALTER PUBLICATION ${name} ADD TABLE ${listOf(goal.tables)}`
    const locks = goal.tables.map(nameOf)
    return [{ kind: 'publication', locks, sql, why: 'It names the tables whose changes PostgreSQL sends.' }]
  }
  const steps: SetupStep[] = []
  const missing = missingTables(facts, existing, goal)
  if (missing.length > 0) {
    const why = `The publication lacks ${missing.map((t) => t.model ?? t.table).join(', ')}.`
    const sql = `ALTER PUBLICATION ${name} ADD TABLE ${listOf(missing)}`
    steps.push({ kind: 'publication', locks: missing.map(nameOf), sql, why })
  }
  if (!publishesEverything(existing)) {
    const why = 'The publication leaves out some actions, or names partitions instead of their table.'
    steps.push({ kind: 'publication', sql: `ALTER PUBLICATION ${name} SET (${PUBLICATION_OPTIONS})`, why })
  }
  return steps
}

const PUBLICATION_OPTIONS = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"

const GENERATED_OPTION = 'publish_generated_columns = stored'

function isPublished(publication: PublicationFacts, wanted: QualifiedTable): boolean {
  return publication.tables.some((table) => isSameTable(table, wanted))
}

function publishesEverything(publication: PublicationFacts): boolean {
  return (
    publication.publishesInsert &&
    publication.publishesUpdate &&
    publication.publishesDelete &&
    publication.publishesTruncate &&
    publication.viaPartitionRoot
  )
}

function slotSteps(facts: DatabaseFacts, goal: SetupGoal): SetupStep[] {
  if (facts.slot !== null) return []
  const sql = `SELECT pg_create_logical_replication_slot(${quoteLiteral(goal.slot)}, 'pgoutput')`
  return [{ kind: 'slot', sql, why: 'PostgreSQL keeps changes for it until rowcast has confirmed them.' }]
}

/** Identity is to be set, or (never for a partition) the table is to be published. */
function isStillToChange(table: TableFacts, facts: DatabaseFacts, goal: SetupGoal): boolean {
  return isIdentityToChange(table, goal) || (facts.publication === null && !table.isPartition)
}

/** Rights matter only for what is still to be done: a role that may only replicate can run on a prepared database. */
function rightsProblems(facts: DatabaseFacts, steps: readonly SetupStep[], goal: SetupGoal): RowcastError[] {
  const toRun = steps.map((step) => `${step.sql};`).join(' ')
  const foreign = [
    ...facts.tables.filter((table) => isStillToChange(table, facts, goal)),
    ...(facts.publication?.unidentified ?? []).filter(
      (table) => !facts.tables.some((t) => isSameTable(t, table)),
    ),
  ].filter((table) => !table.isOwned)
  if (foreign.length > 0) {
    const names = foreign.map((table) => `${table.schema}.${table.table} (owner ${table.owner})`).join(', ')
    return [
      new RowcastError('SOURCE_NOT_OWNER', `The role ${facts.role} does not own ${names}.`, {
        hint: `Let the owner run, once: ${toRun}`,
      }),
    ]
  }
  const hasPublicationStep = steps.some((step) => step.kind === 'publication')
  if (hasPublicationStep && facts.publication !== null && !facts.publication.isOwned) {
    const happened = `The role ${facts.role} does not own publication "${goal.publication}" (owner ${facts.publication.owner}).`
    return [new RowcastError('SOURCE_NOT_OWNER', happened, { hint: `Let its owner run, once: ${toRun}` })]
  }
  if (hasPublicationStep && facts.publication === null && !facts.mayCreateInDatabase) {
    const happened = `The role ${facts.role} may not create a publication in database ${facts.database}.`
    return [
      new RowcastError('SOURCE_NOT_OWNER', happened, {
        hint: `Run GRANT CREATE ON DATABASE ${quoteIdentifier(facts.database)} TO ${quoteIdentifier(facts.role)}; or let the owner run, once: ${toRun}`,
      }),
    ]
  }
  return []
}
