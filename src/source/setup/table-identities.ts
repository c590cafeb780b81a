/**
 * Stage 5, source. What the models' tables log of a row's former self, by the database's catalog: a partition that was made
 * meanwhile logs keys alone, and a column or an index that came or went can make PostgreSQL refuse the application's own
 * UPDATE and DELETE. Read with each look of the watch. Source: CheckCmdReplicaIdentity and RelationBuildPublicationDesc.
 */
import { RowcastError } from '../../errors.ts'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../wire/quote.ts'
import { publishedRelationsSql } from '../db/published-relations-sql.ts'
import type { RunQuery } from '../db/run-query.ts'
import {
  HAS_UPDATE_OR_DELETE_SQL,
  refusalsOfFullSql,
  refusalsOfIndexSql,
} from '../facts/refused-statements.ts'
import type { QualifiedTable } from '../facts/table-name.ts'
import { tableTreeSql } from '../facts/table-tree-sql.ts'
import { virtualColumnHint } from './replica-identity.ts'
import type { SetupGoal } from './setup-goal.ts'

/** Why PostgreSQL refuses UPDATE and DELETE: a publication does not go with the identity. */
export type RefusalKind = 'virtual' | 'generated' | 'columns' | 'filter'

/** A publication, anybody's, under which an identity makes PostgreSQL refuse UPDATE and DELETE. */
export interface IdentityRefusal {
  readonly kind: RefusalKind
  readonly publication: string
}

/**
 * `partial`: it does not log whole old rows, and its model counts on them. The others make PostgreSQL refuse UPDATE and
 * DELETE: nothing identifies a row (`none`), or a publication does not go with the identity.
 */
export type IdentityFaultKind = 'partial' | 'none' | RefusalKind

/** A table whose replica identity is not what its model, or the application, needs. */
export interface IdentityFault extends QualifiedTable {
  readonly model: string
  readonly kind: IdentityFaultKind
  readonly isFull: boolean
  /** The publication that refuses; null for `partial` and `none`. */
  readonly publication: string | null
  /** What forbids the other identity: the key where it is FULL, FULL where it is not. */
  readonly otherRefusal: IdentityRefusal | null
}

/** Reads them; none where all is well. */
export function readIdentityFaults(
  query: RunQuery,
  goal: SetupGoal,
  serverVersion: number,
): Promise<readonly IdentityFault[]> {
  return query<IdentityFault>(identityFaultsSql(goal, serverVersion))
}

function identityFaultsSql({ tables, publication }: SetupGoal, serverVersion: number): string {
  const rows = tables.map((each) => {
    const names = [each.model, each.schema, each.table].map(quoteLiteral).join(', ')
    return `(${names}, ${each.replicaIdentity === 'keep'})`
  })
  const own = quoteLiteral(publication)
  const first = `ORDER BY pubname = ${own} DESC, pubname LIMIT 1`
  return `
  WITH RECURSIVE wanted(model, nspname, relname, keeps) AS (VALUES ${rows.join(', ')}), own AS (
    SELECT w.model, w.keeps, c.oid AS root, c.oid, c.relkind FROM wanted w JOIN pg_namespace n ON n.nspname = w.nspname
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relname AND c.relkind IN ('r', 'p')
  ), ${tableTreeSql({ as: 'child_tables', trees: 'children', below: 'own', keeps: ['model', 'keeps'] })},
  ${tableTreeSql({ as: 'parts', trees: 'partitions', below: 'own', keeps: ['model', 'keeps', 'root'] })}, logging(model, keeps, oid, published) AS (
    SELECT model, keeps, oid, oid FROM own WHERE relkind = 'r'
    UNION ALL
    SELECT p.model, p.keeps, p.oid, p.root FROM parts p JOIN pg_class leaf ON leaf.oid = p.oid AND leaf.relkind <> 'p'
    UNION ALL
    SELECT model, keeps, oid, oid FROM child_tables
  ), ours AS (${publishedRelationsSql(serverVersion, `p.pubname = ${own} AND ${HAS_UPDATE_OR_DELETE_SQL}`)}
  ), judged AS (
    SELECT l.model::text AS "model", n.nspname::text AS "schema", c.relname::text AS "table", is_full AS "isFull",
           CASE WHEN is_full THEN of_full.kind
                WHEN i.indexrelid IS NULL AND is_ours THEN 'none'
                WHEN of_index.kind IS NOT NULL THEN of_index.kind
                WHEN is_ours AND NOT l.keeps THEN 'partial' END AS "kind",
           CASE WHEN is_full THEN of_full.pubname ELSE of_index.pubname END AS "publication",
           CASE WHEN is_full AND of_index.kind IS NOT NULL THEN jsonb_build_object('kind', of_index.kind, 'publication', of_index.pubname)
                WHEN NOT is_full AND of_full.kind IS NOT NULL THEN jsonb_build_object('kind', of_full.kind, 'publication', of_full.pubname)
           END AS "otherRefusal"
      FROM logging l JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
           CROSS JOIN LATERAL (SELECT c.relreplident = 'f' AS is_full, EXISTS (SELECT FROM ours WHERE ours.relid = l.published) AS is_ours) as_it_is
           LEFT JOIN LATERAL (
             SELECT * FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
                AND CASE c.relreplident WHEN 'i' THEN i.indisreplident WHEN 'n' THEN false ELSE i.indisprimary END LIMIT 1) i ON true
           LEFT JOIN LATERAL (${refusalsOfFullSql(serverVersion)} ${first}) of_full ON true
           LEFT JOIN LATERAL (${refusalsOfIndexSql(serverVersion)} ${first}) of_index ON i.indexrelid IS NOT NULL
  )
  SELECT * FROM judged WHERE "kind" IS NOT NULL ORDER BY 1, 2, 3`
}

/** The error that says so, with what to run. */
export function identityError(fault: IdentityFault): RowcastError {
  const name = quoteQualified(fault.schema, fault.table)
  const { model, schema, table, kind, publication, isFull, otherRefusal } = fault
  const details = { model, schema, table }
  const refused = `PostgreSQL refuses UPDATE and DELETE of ${name} (${model})`
  if (kind === 'none')
    return new RowcastError('SOURCE_IDENTITY_MISSING', `${refused}: nothing identifies a row of it.`, {
      details,
      hint: `Run ALTER TABLE ${name} REPLICA IDENTITY FULL; or give it a primary key.`,
    })
  if (kind === 'partial') return partialError(fault, name)
  const refusal = { kind, publication: publication ?? '' }
  const also =
    otherRefusal === null
      ? ''
      : `; ${isFull ? 'the key' : 'FULL'} is no help, as ${because(otherRefusal, !isFull)}`
  return new RowcastError('SOURCE_IDENTITY_CONFLICT', `${refused}: ${because(refusal, isFull)}${also}.`, {
    details,
    hint: `${remedy(refusal, name, isFull)}${otherRefusal === null ? otherIdentity(refusal, name, isFull) : ''}`,
  })
}

function partialError({ model, schema, table, otherRefusal }: IdentityFault, name: string): RowcastError {
  const happened = `${name} does not log whole old rows, which ${model} counts on`
  const details = { model, schema, table }
  if (otherRefusal === null)
    return new RowcastError('SOURCE_IDENTITY_NOT_FULL', `${happened}.`, {
      details,
      hint: `Run \`rowcast enable\`, or as its owner ALTER TABLE ${name} REPLICA IDENTITY FULL;`,
    })
  const first = otherRefusal.kind === 'virtual' ? 'Make the column STORED.' : remedy(otherRefusal, name, true)
  return new RowcastError(
    'SOURCE_IDENTITY_NOT_FULL',
    `${happened}: under REPLICA IDENTITY FULL PostgreSQL would refuse its UPDATE and DELETE (${because(otherRefusal, true)}).`,
    {
      details,
      hint: `${first} Then run \`rowcast enable\`; or register the model with { replicaIdentity: 'keep' } (its changes have no \`old\`).`,
    },
  )
}

function because({ kind, publication }: IdentityRefusal, isFull: boolean): string {
  switch (kind) {
    case 'virtual':
      return 'REPLICA IDENTITY FULL counts its virtual generated column, which cannot be published'
    case 'generated':
      return `publication "${publication}" leaves out its generated columns`
    case 'columns':
      return `publication "${publication}" lists some of its columns, and ${isFull ? 'REPLICA IDENTITY FULL counts all' : 'not all of its key'}`
    case 'filter':
      return `publication "${publication}" filters its rows by columns that its key lacks`
  }
}

function remedy({ kind, publication }: IdentityRefusal, name: string, isFull: boolean): string {
  const quoted = quoteIdentifier(publication)
  switch (kind) {
    case 'virtual':
      return virtualColumnHint(name)
    case 'generated':
      return `Run ALTER PUBLICATION ${quoted} SET (publish_generated_columns = stored);`
    case 'columns':
      return `Publish ${isFull ? 'all of its columns' : 'its key'} in ${quoted}.`
    case 'filter':
      return `Filter by columns of its key alone in ${quoted}.`
  }
}

/** What else would help, where nothing forbids it. */
function otherIdentity({ kind }: IdentityRefusal, name: string, isFull: boolean): string {
  if (kind === 'virtual') return ''
  return ` Or run ALTER TABLE ${name} REPLICA IDENTITY ${isFull ? 'DEFAULT' : 'FULL'};`
}
