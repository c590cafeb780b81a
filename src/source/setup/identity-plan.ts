/**
 * Stage 5, source. Which replica identities to set, and which tables must not be published as they are: an identity
 * that does not find a row, or that the publication does not cover, makes the application's own UPDATE and DELETE
 * fail. Pure. Source: PostgreSQL manual, "Logical Replication: Publication", and CheckCmdReplicaIdentity.
 */
import { RowcastError } from '../../errors.ts'
import { quoteIdentifier, quoteQualified } from '../../wire/quote.ts'
import type { DatabaseFacts, TableFacts, TableIdentity } from '../facts/database-facts.ts'
import type { UnidentifiedTable } from '../facts/publication-facts.ts'
import { isSameTable, type QualifiedTable } from '../facts/table-name.ts'
import { refusalOfFull, rescueStep } from './identity-rescue.ts'
import { fullIdentityProblem, modeFor, nameOf, VERSION_18 } from './replica-identity.ts'
import type { SetupGoal, SetupStep } from './setup-goal.ts'

/** Whether the table shall log whole rows and does not yet. */
export function isIdentityToChange(table: TableFacts, goal: SetupGoal): boolean {
  return table.replicaIdentity !== 'f' && modeFor(table, goal) === 'full'
}

/**
 * Whether the publication has to include generated columns: FULL counts them among the columns it needs. A table without
 * one may get one at any time, and then its UPDATE and DELETE would fail.
 */
export function mustPublishGenerated({ serverVersion, publication, tables }: DatabaseFacts): boolean {
  if (serverVersion < VERSION_18) return false
  return publication?.isOwned !== false || tables.some((table) => table.hasStoredGeneratedColumn)
}

/** Partitions that came later and should have FULL, as their root has: repaired while changes flow, see `repairSteps`. */
export function newPartitions(facts: DatabaseFacts, goal: SetupGoal): readonly TableFacts[] {
  return facts.tables.filter((table) => {
    if (!table.isPartition || table.kind !== 'r' || !isIdentityToChange(table, goal)) return false
    const root = facts.tables.find((each) => isSameTable(each, table.root))
    if (root?.replicaIdentity !== 'f' || !table.isOwned || fullIdentityProblem(table) !== null) return false
    // What would be taken back by the next look makes PostgreSQL refuse statements until then, look after look.
    return refusalOfFull(table, facts, goal) === null
  })
}

/** An identity as it is. */
export function identityOf({ schema, table, replicaIdentity, identityIndex }: TableFacts): TableIdentity {
  return { schema, table, identity: replicaIdentity, index: identityIndex }
}

/** The tables whose identities `identitySteps` sets, with the ones they have. */
export function identitiesToChange(facts: DatabaseFacts, goal: SetupGoal): readonly TableIdentity[] {
  return [
    ...facts.tables.filter((table) => isIdentityToChange(table, goal)),
    ...unidentifiedOthers(facts).filter((table) => isJoinTable(table, goal)),
  ].map(({ schema, table, replicaIdentity, identityIndex }) => ({
    ...{ schema, table, identity: replicaIdentity, index: identityIndex },
  }))
}

/** Identities to set: of the models' tables, and of join tables that happen to be published without one. */
export function identitySteps(facts: DatabaseFacts, goal: SetupGoal): SetupStep[] {
  const ofModels = facts.tables.filter((table) => isIdentityToChange(table, goal)).map(fullStep)
  const ofJoinTables = unidentifiedOthers(facts)
    .filter((table) => isJoinTable(table, goal))
    .map((table) => ({
      kind: 'replica-identity' as const,
      locks: [nameOf(table)],
      sql: identifySql(table),
      why: `Without it PostgreSQL refuses every DELETE from ${table.table}, which the publication includes.`,
    }))
  return [...ofModels, ...ofJoinTables]
}

/** Sets FULL. */
export function fullStep(table: QualifiedTable): SetupStep {
  const why = `UPDATE and DELETE of ${table.table} then carry the whole old row.`
  return { kind: 'replica-identity', locks: [nameOf(table)], sql: setFullSql(table), why }
}

/** What forbids to publish a table, or to give it the identity that is wanted. */
export function identityProblems(facts: DatabaseFacts, goal: SetupGoal): RowcastError[] {
  const ofModels = facts.tables.flatMap((table) => {
    const mode = modeFor(table, goal)
    if (mode === 'keep' && rescueStep(table, facts, goal) !== null) return []
    if (table.kind === 'p') return partitionedProblem(table, facts) ?? []
    const isFull = table.replicaIdentity === 'f' || mode === 'full'
    return (isFull ? fullIdentityProblem(table) : keptIdentityProblem(table)) ?? []
  })
  const ofOthers = unidentifiedOthers(facts)
    .filter((table) => !isJoinTable(table, goal))
    .map((table) => {
      const name = quoteQualified(table.schema, table.table)
      const happened = `Publication "${goal.publication}" includes ${name}, of which nothing identifies a row: PostgreSQL refuses its UPDATE and DELETE.`
      return new RowcastError('SOURCE_IDENTITY_MISSING', happened, {
        hint: `Run ${identifySql(table)}; or give it a primary key, or take it out of the publication.`,
      })
    })
  return [...ofModels, ...ofOthers, ...refusedProblems(facts, goal)]
}

/** Set-up gives a publication UPDATE and DELETE, and would make PostgreSQL refuse those of other tables in it. */
function refusedProblems({ publication, tables }: DatabaseFacts, goal: SetupGoal): RowcastError[] {
  const willBeFull = (table: QualifiedTable) => {
    const known = tables.find((each) => isSameTable(each, table))
    return known !== undefined && modeFor(known, goal) === 'full'
  }
  // Of a model's table with a column list `fullIdentityProblem` says it.
  const refused = (publication?.refused ?? []).filter((table) => !willBeFull(table))
  return refused.map(({ isListed, ...table }) => {
    const name = quoteQualified(table.schema, table.table)
    const [what, hint] = isListed
      ? ['column list lacks columns of', `List the columns of its replica identity, and no identity FULL`]
      : ['row filter asks for columns beyond', `Run ${setFullSql(table)}`]
    return new RowcastError(
      'SOURCE_IDENTITY_CONFLICT',
      `Publication "${goal.publication}" is to have UPDATE and DELETE, and its ${what} the replica identity of ${name}: PostgreSQL would refuse them.`,
      { hint: `${hint}; or use a publication of its own.` },
    )
  })
}

/** Of a table that is published already, the harm is done: its new partitions are looked after. */
function partitionedProblem(table: TableFacts, { publication }: DatabaseFacts): RowcastError | null {
  if (table.isPartition || table.hasPrimaryKey) return null
  if (publication?.tables.some((each) => isSameTable(each, table)) === true) return null
  const name = quoteQualified(table.schema, table.table)
  return new RowcastError(
    'SOURCE_IDENTITY_MISSING',
    `${name} is partitioned and has no primary key: once it is published, PostgreSQL would refuse UPDATE and DELETE in every new partition.`,
    { hint: `Give ${name} a primary key, which has the columns of its partition key in it.` },
  )
}

function keptIdentityProblem(table: TableFacts): RowcastError | null {
  // A partitioned table logs nothing itself; its partitions are judged one by one.
  if (table.hasRowIdentity || table.kind === 'p') return null
  const name = quoteQualified(table.schema, table.table)
  return new RowcastError(
    'SOURCE_IDENTITY_MISSING',
    `Nothing identifies a row of ${name}, and its replica identity is to be kept: once published, PostgreSQL would refuse its UPDATE and DELETE.`,
    { hint: `Run ${setFullSql(table)}; or register its model without replicaIdentity: 'keep'.` },
  )
}

/** Published tables that cannot be changed and stand under no model. */
function unidentifiedOthers(facts: DatabaseFacts): readonly UnidentifiedTable[] {
  const all = facts.publication?.unidentified ?? []
  return all.filter((table) => !facts.tables.some((known) => isSameTable(known, table)))
}

function isJoinTable(table: QualifiedTable, goal: SetupGoal): boolean {
  return goal.joinTables?.some((join) => isSameTable(join, table)) ?? false
}

function setFullSql(table: QualifiedTable): string {
  return `ALTER TABLE ${quoteQualified(table.schema, table.table)} REPLICA IDENTITY FULL`
}

function identifySql(table: UnidentifiedTable): string {
  if (table.uniqueIndex === null) return setFullSql(table)
  return `ALTER TABLE ${quoteQualified(table.schema, table.table)} REPLICA IDENTITY USING INDEX ${quoteIdentifier(table.uniqueIndex)}`
}
