/**
 * Stage 5, source. Which replica identities to set, and which tables must not be published as they are: an identity
 * that does not find a row, or that the publication does not cover, makes the application's own UPDATE and DELETE
 * fail. Pure. Source: PostgreSQL manual, "Logical Replication: Publication", and CheckCmdReplicaIdentity.
 */
import { RowcastError } from '../errors.ts'
import { quoteIdentifier, quoteQualified } from '../wire/quote.ts'
import {
  type DatabaseFacts,
  type IdentityWish,
  isSameTable,
  type QualifiedTable,
  type TableFacts,
  type TableIdentity,
  type UnidentifiedTable,
} from './database-facts.ts'
import type { SetupGoal, SetupStep } from './setup-goal.ts'
import { parseSetupMemory } from './setup-memory.ts'

const VERSION_18 = 180_000

function wishFor(table: TableFacts, goal: SetupGoal): IdentityWish {
  return goal.tables.find((wanted) => isSameTable(wanted, table.root))?.replicaIdentity ?? 'full'
}

/** Whether the table shall log whole rows and does not yet. */
export function isIdentityToChange(table: TableFacts, goal: SetupGoal): boolean {
  return table.replicaIdentity !== 'f' && wishFor(table, goal) === 'full'
}

/**
 * Whether the publication has to include generated columns: FULL counts them among the columns it needs. A table without
 * one may get one at any time, and then its UPDATE and DELETE would fail.
 */
export function mustPublishGenerated({ serverVersion, publication, tables }: DatabaseFacts): boolean {
  if (serverVersion < VERSION_18) return false
  return publication?.isOwned !== false || tables.some((table) => table.hasStoredGeneratedColumn)
}

/**
 * Identities to set back at once: FULL counts a virtual generated column, which cannot be published, so PostgreSQL refuses
 * the application's UPDATE and DELETE.
 */
export function undoSteps(facts: DatabaseFacts): SetupStep[] {
  const known = parseSetupMemory(facts.publication?.comment ?? null)?.identities ?? []
  return facts.tables
    .filter((table) => isToBeUndone(table, facts))
    .map((table) => {
      const before = known.find((each) => isSameTable(each, table))
      const sql = `ALTER TABLE ${quoteQualified(table.schema, table.table)} REPLICA IDENTITY ${before?.identity === 'i' ? identityText(before) : 'DEFAULT'}`
      const why = `With FULL, PostgreSQL refuses UPDATE and DELETE of ${table.table}: it has a virtual generated column.`
      return { kind: 'replica-identity', locks: [nameOf(table)], sql, why }
    })
}

function isToBeUndone(table: TableFacts, { publication }: DatabaseFacts): boolean {
  const isRefused = table.kind === 'r' && table.replicaIdentity === 'f' && table.hasVirtualGeneratedColumn
  const isPublished = publication?.tables.some((each) => isSameTable(each, table.root)) ?? false
  return isRefused && isPublished && table.isOwned && table.hasPrimaryKey
}

/** What may be mended while changes flow, without changing what anybody decided: see `repairSteps`. */
export function newPartitions(facts: DatabaseFacts, goal: SetupGoal): readonly TableFacts[] {
  return facts.tables.filter((table) => {
    if (!table.isPartition || table.kind !== 'r' || !isIdentityToChange(table, goal)) return false
    const root = facts.tables.find((each) => isSameTable(each, table.root))
    return root?.replicaIdentity === 'f' && table.isOwned && fullIdentityProblem(table) === null
  })
}

/** SQL for an identity. */
export function identityText({ identity, index }: Pick<TableIdentity, 'identity' | 'index'>): string {
  if (identity === 'i' && index !== null) return `USING INDEX ${quoteIdentifier(index)}`
  if (identity === 'f') return 'FULL'
  return identity === 'n' ? 'NOTHING' : 'DEFAULT'
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
    const wish = wishFor(table, goal)
    if (wish === 'keep' && isToBeUndone(table, facts)) return []
    if (table.kind === 'p') return partitionedProblem(table, facts) ?? []
    const isFull = table.replicaIdentity === 'f' || wish === 'full'
    return (isFull ? fullIdentityProblem(table) : keptIdentityProblem(table)) ?? []
  })
  const ofOthers = unidentifiedOthers(facts)
    .filter((table) => !isJoinTable(table, goal))
    .map((table) => {
      const name = quoteQualified(table.schema, table.table)
      const happened = `Publication "${goal.publication}" includes ${name}, of which nothing identifies a row: PostgreSQL refuses its UPDATE and DELETE.`
      return new RowcastError('SOURCE_IDENTITY_MISSING', happened, {
        mend: `Run ${identifySql(table)}; or give it a primary key, or take it out of the publication.`,
      })
    })
  return [...ofModels, ...ofOthers]
}

/** FULL means every column, so a publication that leaves one out makes every UPDATE and DELETE fail. */
function fullIdentityProblem(table: TableFacts): RowcastError | null {
  const name = quoteQualified(table.schema, table.table)
  const keep = `register its model with { replicaIdentity: 'keep' } (changes then have no \`old\`)`
  const [withList] = table.columnListsIn
  if (withList !== undefined) {
    return new RowcastError(
      'SOURCE_IDENTITY_CONFLICT',
      `Publication "${withList}" lists columns of ${name}; with REPLICA IDENTITY FULL its UPDATE and DELETE would fail.`,
      { mend: `Publish all of its columns in ${quoteIdentifier(withList)}, or ${keep}.` },
    )
  }
  if (table.hasVirtualGeneratedColumn) {
    return new RowcastError(
      'SOURCE_IDENTITY_CONFLICT',
      `${name} has a virtual generated column; with REPLICA IDENTITY FULL its UPDATE and DELETE would fail.`,
      {
        mend: table.replicaIdentity === 'f' ? virtualColumnMend(name) : `Make the column STORED, or ${keep}.`,
      },
    )
  }
  const [hiding] = table.hasStoredGeneratedColumn ? table.generatedHiddenIn : []
  if (hiding === undefined) return null
  return new RowcastError(
    'SOURCE_IDENTITY_CONFLICT',
    `Publication "${hiding}" leaves out the generated columns of ${name}; with REPLICA IDENTITY FULL its UPDATE and DELETE would fail.`,
    {
      mend: `Run ALTER PUBLICATION ${quoteIdentifier(hiding)} SET (publish_generated_columns = stored); or ${keep}.`,
    },
  )
}

/** What helps where FULL cannot be: of a virtual generated column PostgreSQL publishes nothing. */
export function virtualColumnMend(name: string): string {
  return `Run ALTER TABLE ${name} REPLICA IDENTITY DEFAULT; at once, and register its model with { replicaIdentity: 'keep' } (its changes then have no \`old\`); or make the column STORED.`
}

/** Of a table that is published already, the harm is done: its new partitions are looked after. */
function partitionedProblem(table: TableFacts, { publication }: DatabaseFacts): RowcastError | null {
  if (table.isPartition || table.hasPrimaryKey) return null
  if (publication?.tables.some((each) => isSameTable(each, table)) === true) return null
  const name = quoteQualified(table.schema, table.table)
  return new RowcastError(
    'SOURCE_IDENTITY_MISSING',
    `${name} is partitioned and has no primary key: once it is published, PostgreSQL would refuse UPDATE and DELETE in every new partition.`,
    { mend: `Give ${name} a primary key, which has the columns of its partition key in it.` },
  )
}

function keptIdentityProblem(table: TableFacts): RowcastError | null {
  // A partitioned table logs nothing itself; its partitions are judged one by one.
  if (table.hasRowIdentity || table.kind === 'p') return null
  const name = quoteQualified(table.schema, table.table)
  return new RowcastError(
    'SOURCE_IDENTITY_MISSING',
    `Nothing identifies a row of ${name}, and its replica identity is to be kept: once published, PostgreSQL would refuse its UPDATE and DELETE.`,
    { mend: `Run ${setFullSql(table)}; or register its model without replicaIdentity: 'keep'.` },
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

/** The name alone. */
export function nameOf({ schema, table }: QualifiedTable): QualifiedTable {
  return { schema, table }
}

function setFullSql(table: QualifiedTable): string {
  return `ALTER TABLE ${quoteQualified(table.schema, table.table)} REPLICA IDENTITY FULL`
}

function identifySql(table: UnidentifiedTable): string {
  if (table.uniqueIndex === null) return setFullSql(table)
  return `ALTER TABLE ${quoteQualified(table.schema, table.table)} REPLICA IDENTITY USING INDEX ${quoteIdentifier(table.uniqueIndex)}`
}
