/**
 * Stage 5, source. Which replica identities to set, and which tables must not be published as they are: an identity
 * that does not find a row, or that the publication does not cover, makes the application's own UPDATE and DELETE
 * fail. Pure. Source: PostgreSQL manual, "Logical Replication: Publication", and CheckCmdReplicaIdentity.
 */
import { RowcastError } from '../errors.ts'
import { quoteIdentifier, quoteQualified } from '../wire/quote.ts'
import type {
  DatabaseFacts,
  IdentityWish,
  QualifiedTable,
  TableFacts,
  TableIdentity,
  UnidentifiedTable,
} from './database-facts.ts'
import type { SetupGoal, SetupStep } from './setup-goal.ts'

const VERSION_18 = 180_000

/** Whether two names are one table. */
export function isSameTable(a: QualifiedTable, b: QualifiedTable): boolean {
  return a.schema === b.schema && a.table === b.table
}

function wishFor(table: TableFacts, goal: SetupGoal): IdentityWish {
  return goal.tables.find((wanted) => isSameTable(wanted, table.root))?.replicaIdentity ?? 'full'
}

/** Whether the table shall log whole rows and does not yet. */
export function isIdentityToChange(table: TableFacts, goal: SetupGoal): boolean {
  return table.replicaIdentity !== 'f' && wishFor(table, goal) === 'full'
}

/** Whether the publication has to include generated columns: FULL counts them among the columns it needs. */
export function mustPublishGenerated(facts: DatabaseFacts): boolean {
  return facts.serverVersion >= VERSION_18 && facts.tables.some((table) => table.hasStoredGeneratedColumn)
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
  const ofModels = facts.tables
    .filter((table) => isIdentityToChange(table, goal))
    .map((table) => ({
      kind: 'replica-identity' as const,
      locks: [nameOf(table)],
      sql: setFullSql(table),
      why: `UPDATE and DELETE of ${table.table} then carry the whole old row.`,
    }))
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

/** What forbids to publish a table, or to give it the identity that is wanted. */
export function identityProblems(facts: DatabaseFacts, goal: SetupGoal): RowcastError[] {
  const ofModels = facts.tables.flatMap((table) => {
    const isFull = table.replicaIdentity === 'f' || wishFor(table, goal) === 'full'
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
      { mend: `Make the column STORED, or ${keep}.` },
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
