/**
 * Stage 5, source. Replica identities in SQL, and what forbids FULL. Pure. Source: PostgreSQL manual, "ALTER TABLE",
 * REPLICA IDENTITY; CheckCmdReplicaIdentity.
 */
import { RowcastError } from '../../errors.ts'
import { quoteIdentifier, quoteQualified } from '../../wire/quote.ts'
import type { TableFacts, TableIdentity } from '../facts/database-facts.ts'
import { type IdentityMode, isSameTable, type QualifiedTable } from '../facts/table-name.ts'
import type { SetupGoal } from './setup-goal.ts'

/** The first version with virtual generated columns, and with publications of stored ones. */
export const VERSION_18 = 180_000

/** What the model of the table, or of its root, is registered with. */
export function modeFor(table: TableFacts, goal: SetupGoal): IdentityMode {
  return goal.tables.find((wanted) => isSameTable(wanted, table.root))?.replicaIdentity ?? 'full'
}

/** SQL for an identity. */
export function identityText({ identity, index }: Pick<TableIdentity, 'identity' | 'index'>): string {
  if (identity === 'i' && index !== null) return `USING INDEX ${quoteIdentifier(index)}`
  if (identity === 'f') return 'FULL'
  return identity === 'n' ? 'NOTHING' : 'DEFAULT'
}

/** FULL means every column, so a publication that leaves one out makes every UPDATE and DELETE fail. */
export function fullIdentityProblem(table: TableFacts): RowcastError | null {
  const name = quoteQualified(table.schema, table.table)
  const keep = `register its model with { replicaIdentity: 'keep' } (changes then have no \`old\`)`
  const [withList] = table.columnListsIn
  if (withList !== undefined) {
    return new RowcastError(
      'SOURCE_IDENTITY_CONFLICT',
      `Publication "${withList}" lists columns of ${name}; with REPLICA IDENTITY FULL its UPDATE and DELETE would fail.`,
      { hint: `Publish all of its columns in ${quoteIdentifier(withList)}, or ${keep}.` },
    )
  }
  if (table.hasVirtualGeneratedColumn) {
    return new RowcastError(
      'SOURCE_IDENTITY_CONFLICT',
      `${name} has a virtual generated column; with REPLICA IDENTITY FULL its UPDATE and DELETE would fail.`,
      {
        hint: table.replicaIdentity === 'f' ? virtualColumnHint(name) : `Make the column STORED, or ${keep}.`,
      },
    )
  }
  const [hiding] = table.hasStoredGeneratedColumn ? table.generatedHiddenIn : []
  if (hiding === undefined) return null
  return new RowcastError(
    'SOURCE_IDENTITY_CONFLICT',
    `Publication "${hiding}" leaves out the generated columns of ${name}; with REPLICA IDENTITY FULL its UPDATE and DELETE would fail.`,
    {
      hint: `Run ALTER PUBLICATION ${quoteIdentifier(hiding)} SET (publish_generated_columns = stored); or ${keep}.`,
    },
  )
}

/** What helps where FULL cannot be: of a virtual generated column PostgreSQL publishes nothing. */
export function virtualColumnHint(name: string): string {
  return `Run ALTER TABLE ${name} REPLICA IDENTITY DEFAULT; at once, and register its model with { replicaIdentity: 'keep' } (its changes then have no \`old\`); or make the column STORED. The next time, set the identity in the statement that adds the column: ALTER TABLE ${name} ADD COLUMN … VIRTUAL, REPLICA IDENTITY DEFAULT;`
}

/** The name alone. */
export function nameOf({ schema, table }: QualifiedTable): QualifiedTable {
  return { schema, table }
}
