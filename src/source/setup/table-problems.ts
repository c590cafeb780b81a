/** Stage 5, source. Tables that cannot be live, for the plan of a set-up. Pure. */
import { RowcastError } from '../../errors.ts'
import { quoteQualified } from '../../wire/quote.ts'
import type { DatabaseFacts, TableFacts } from '../facts/database-facts.ts'
import { isSameTable, type QualifiedTable, type TableName } from '../facts/table-name.ts'
import type { SetupGoal } from './setup-goal.ts'

const RELKIND_NAMES: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialised view',
  f: 'a foreign table',
}

/** What a relation is of which PostgreSQL writes no changes; null for one of which it does. */
export function unreplicableKind({
  kind,
  persistence,
}: {
  readonly kind?: string | null | undefined
  readonly persistence?: string | null | undefined
}): string | null {
  const ofKind = RELKIND_NAMES[kind ?? '']
  if (ofKind !== undefined) return ofKind
  return persistence === 'u' ? 'an unlogged table' : persistence === 't' ? 'a temporary table' : null
}

/** A set-up without the tables that cannot be live, where they are optional. */
export interface ReplicableGoal {
  readonly facts: DatabaseFacts
  readonly goal: SetupGoal
  /** Why each of the others is left out. */
  readonly skipped: readonly RowcastError[]
}

/** Leaves out what is optional and cannot be live; nothing where nothing else is left, for then that is the problem. */
export function withoutUnreplicable(facts: DatabaseFacts, goal: SetupGoal): ReplicableGoal {
  const isSkipped = (wanted: TableName): boolean => {
    const found = findTable(facts, wanted)
    return wanted.isOptional === true && (found === undefined || unreplicableKind(found) !== null)
  }
  const out = goal.tables.filter(isSkipped)
  const tables = goal.tables.filter((wanted) => !out.includes(wanted))
  if (out.length === 0 || tables.length === 0) return { facts, goal, skipped: [] }
  const isOut = (table: QualifiedTable) => out.some((each) => isSameTable(each, table))
  return {
    facts: { ...facts, tables: facts.tables.filter((table) => !isOut(table.root)) },
    goal: { ...goal, tables },
    skipped: tableProblems(facts, { ...goal, tables: out }),
  }
}

/** Missing tables are listed up to here; more of them are a wrong database, and one problem. */
const MISSING_TABLES_LISTED = 3

/** Problems of the tables of live models: those that are not there, and those that PostgreSQL writes no changes of. */
export function tableProblems(facts: DatabaseFacts, goal: SetupGoal): RowcastError[] {
  const missing = goal.tables.filter((wanted) => findTable(facts, wanted) === undefined)
  const problems =
    missing.length > MISSING_TABLES_LISTED
      ? [missingTables(missing, facts, goal)]
      : missing.map((each) => missingTable(each, facts))
  for (const wanted of goal.tables) {
    const found = findTable(facts, wanted)
    const kind = found === undefined ? null : unreplicableKind(found)
    if (kind !== null) problems.push(unreplicable(wanted, kind))
  }
  return problems
}

/** The error of a model whose changes PostgreSQL does not write. */
export function unreplicable({ model, schema, table }: TableName, kind: string): RowcastError {
  return new RowcastError(
    'SOURCE_TABLE_NOT_REPLICABLE',
    `Model ${model} reads from ${quoteQualified(schema, table)}, which is ${kind}; PostgreSQL writes no changes of it.`,
    { details: { model } },
  )
}

function findTable({ tables }: DatabaseFacts, wanted: QualifiedTable): TableFacts | undefined {
  return tables.find((each) => isSameTable(each, wanted))
}

function missingTable({ model, schema, table }: TableName, { database }: DatabaseFacts): RowcastError {
  return new RowcastError(
    'SOURCE_TABLE_MISSING',
    `Model ${model} reads from ${quoteQualified(schema, table)}, which does not exist in database ${database}.`,
  )
}

function missingTables(
  missing: readonly TableName[],
  { database }: DatabaseFacts,
  goal: SetupGoal,
): RowcastError {
  const listed = missing.slice(0, MISSING_TABLES_LISTED)
  const names = listed.map(({ model, schema, table }) => `${quoteQualified(schema, table)} (${model})`)
  const areAll = missing.length === goal.tables.length
  const [count, verb] = areAll ? ['None', 'exists'] : [missing.length, 'do not exist']
  return new RowcastError(
    'SOURCE_TABLE_MISSING',
    `${count} of the ${goal.tables.length} tables that live models read ${verb} in database ${database}: not ${names.join(', not ')}, nor ${missing.length - listed.length} more.`,
  )
}
