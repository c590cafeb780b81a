/** Stage 5, source. Tables that cannot be live, for the plan of a set-up. Pure. */
import { RowcastError } from '../errors.ts'
import { quoteQualified } from '../wire/quote.ts'
import type { DatabaseFacts, QualifiedTable, TableFacts, TableName } from './database-facts.ts'
import type { SetupGoal } from './setup-goal.ts'

const RELKIND_NAMES: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialised view',
  f: 'a foreign table',
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
    const name = quoteQualified(wanted.schema, wanted.table)
    const kind =
      RELKIND_NAMES[found?.kind ?? ''] ?? (found?.persistence === 'u' ? 'an unlogged table' : undefined)
    if (kind !== undefined || found?.persistence === 't') {
      problems.push(
        new RowcastError(
          'SOURCE_TABLE_NOT_REPLICABLE',
          `Model ${wanted.model} reads from ${name}, which is ${kind ?? 'a temporary table'}; PostgreSQL writes no changes of it.`,
        ),
      )
    }
  }
  return problems
}

function findTable({ tables }: DatabaseFacts, wanted: QualifiedTable): TableFacts | undefined {
  return tables.find(({ schema, table }) => schema === wanted.schema && table === wanted.table)
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
  const count = missing.length === goal.tables.length ? 'None' : `${missing.length}`
  const verb = missing.length === goal.tables.length ? 'exists' : 'do not exist'
  return new RowcastError(
    'SOURCE_TABLE_MISSING',
    `${count} of the ${goal.tables.length} tables that live models read ${verb} in database ${database}: not ${names.join(', not ')}, nor ${missing.length - listed.length} more.`,
  )
}
