/**
 * Stage 5, source. What is set back at once, because the application's own UPDATE and DELETE fail by what we have published:
 * FULL counts a column that cannot be published, or the index that identified rows is gone. The model may lose `old`, or
 * its subscriptions, by it. Pure. Source: CheckCmdReplicaIdentity and pub_contains_invalid_column.
 */
import { quoteIdentifier, quoteQualified } from '../../wire/quote.ts'
import type { DatabaseFacts, TableFacts } from '../facts/database-facts.ts'
import { isSameTable } from '../facts/table-name.ts'
import { fullIdentityProblem, identityText, modeFor, nameOf, VERSION_18 } from './replica-identity.ts'
import type { SetupGoal, SetupStep } from './setup-goal.ts'
import { parseSetupMemory } from './setup-memory.ts'

/** The steps that make PostgreSQL take the application's UPDATE and DELETE again. */
export function rescueSteps(facts: DatabaseFacts, goal: SetupGoal): SetupStep[] {
  return facts.tables.flatMap((table) => rescueStep(table, facts, goal) ?? [])
}

/** The step of one table; null where its statements do not fail by us, or we have no right to help. */
export function rescueStep(table: TableFacts, facts: DatabaseFacts, goal: SetupGoal): SetupStep | null {
  // An child is published by itself, a partition with its root.
  const published = table.isChild ? table : table.root
  const isPublished = facts.publication?.tables.some((each) => isSameTable(each, published)) ?? false
  if (table.kind !== 'r' || !(isPublished || isFullRefusedElsewhere(table, facts, goal))) return null
  const reason =
    table.replicaIdentity === 'f' ? refusalOfFull(table, facts, goal) : refusalOfOther(table, facts, goal)
  if (reason === null) return null
  const identity = table.isOwned ? identityThatServes(table) : null
  if (identity === null)
    return isRefusedByOthers(table, goal) ? null : unpublishStep(table, facts, reason, goal)
  const why = `PostgreSQL refuses UPDATE and DELETE of ${table.table}: ${reason}.`
  const sql = `ALTER TABLE ${quoteQualified(table.schema, table.table)} REPLICA IDENTITY ${identity}`
  return { kind: 'replica-identity', locks: [nameOf(table)], sql, why }
}

/** What FULL counts, or would count, and nobody publishes, as far as FULL or the publication is ours. */
export function refusalOfFull(table: TableFacts, facts: DatabaseFacts, goal: SetupGoal): string | null {
  const { publication, serverVersion } = facts
  const isFullOurs = isIdentityOurs(table, facts, goal)
  if (table.hasVirtualGeneratedColumn) return 'its identity is FULL, and it has a virtual generated column'
  if (table.columnListsIn.includes(goal.publication) || (isFullOurs && table.columnListsIn.length > 0))
    return 'its identity is FULL, and a publication lists some of its columns'
  const isHiddenHere = serverVersion >= VERSION_18 && publication?.publishesGenerated === false
  // Of our own publication the option is set instead.
  const isHidden =
    (isHiddenHere && !publication.isOwned) || (isFullOurs && table.generatedHiddenIn.length > 0)
  return table.hasStoredGeneratedColumn && isHidden
    ? 'its identity is FULL, and a publication leaves out its generated columns'
    : null
}

/** Whether the identity is what set-up makes of it. */
function isIdentityOurs(table: TableFacts, { publication }: DatabaseFacts, goal: SetupGoal): boolean {
  const known = parseSetupMemory(publication?.comment ?? null)?.identities ?? []
  return modeFor(table, goal) === 'full' || known.some((each) => isSameTable(each, table))
}

/** Of a table that has left our publication, and still has what we set. */
function isFullRefusedElsewhere(table: TableFacts, facts: DatabaseFacts, goal: SetupGoal): boolean {
  return table.replicaIdentity === 'f' && isIdentityOurs(table, facts, goal) && isRefusedByOthers(table, goal)
}

/** Whether they would go on to be refused if our publication were not there. */
function isRefusedByOthers(table: TableFacts, { publication }: SetupGoal): boolean {
  if (table.replicaIdentity !== 'f') return table.hasRowIdentity
  const isHidden = table.hasStoredGeneratedColumn && table.generatedHiddenIn.length > 0
  return isHidden || table.columnListsIn.some((name) => name !== publication)
}

function refusalOfOther(table: TableFacts, facts: DatabaseFacts, goal: SetupGoal): string | null {
  if (!table.hasRowIdentity) return 'nothing identifies a row of it'
  if (table.isIdentityRefused !== true || !isIdentityOurs(table, facts, goal)) return null
  return 'the list or the row filter of a publication does not go with its identity'
}

/** Null: none does. */
function identityThatServes(table: TableFacts): string | null {
  if (table.hasPrimaryKey && table.isKeyRefused !== true) return 'DEFAULT'
  if (table.uniqueIndex !== null) return identityText({ identity: 'i', index: table.uniqueIndex })
  return table.replicaIdentity !== 'f' && fullIdentityProblem(table) === null ? 'FULL' : null
}

/** The last resort, of a table that is in the publication because set-up put it there: its model's subscriptions end. */
function unpublishStep(
  table: TableFacts,
  { publication }: DatabaseFacts,
  reason: string,
  goal: SetupGoal,
): SetupStep | null {
  const memory = parseSetupMemory(publication?.comment ?? null)
  const isNamed = publication?.named.some((each) => isSameTable(each, table)) ?? false
  const isOurs = memory?.isMade === true || memory?.added.some((each) => isSameTable(each, table)) === true
  if (publication?.isOwned !== true || !table.isOwned || !isNamed || !isOurs) return null
  const why = `PostgreSQL refuses UPDATE and DELETE of ${table.table}: ${reason}, and nothing else identifies a row.`
  const sql = `ALTER PUBLICATION ${quoteIdentifier(goal.publication)} DROP TABLE ${quoteQualified(table.schema, table.table)}`
  return { kind: 'publication', locks: [nameOf(table)], sql, why }
}
