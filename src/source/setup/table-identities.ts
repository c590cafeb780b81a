/**
 * Stage 5, source. What the models' tables log of a row's former self, by the database's catalog: a partition that was made
 * meanwhile logs keys alone, and a column or an index that came or went can make PostgreSQL refuse the application's own
 * UPDATE and DELETE. Read with each look of the watch. Source: CheckCmdReplicaIdentity and RelationBuildPublicationDesc.
 */
import { RowcastError } from '../../errors.ts'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../wire/quote.ts'
import { publishedRelationsSql } from '../db/published-relations-sql.ts'
import type { QualifiedTable } from './database-facts.ts'
import { virtualColumnHint } from './replica-identity.ts'
import type { SetupGoal } from './setup-goal.ts'

/**
 * `partial`: it does not log whole old rows, and its model counts on them. The others make PostgreSQL refuse UPDATE and
 * DELETE: nothing identifies a row (`none`), or FULL counts a column that is not published.
 */
export type IdentityFaultKind = 'partial' | 'none' | 'virtual' | 'generated' | 'columns'

/** A table whose replica identity is not what its model, or the application, needs. */
export interface IdentityFault extends QualifiedTable {
  readonly model: string
  readonly kind: IdentityFaultKind
}

/** Runs one statement without parameters: a walsender takes only the simple query protocol. */
type RunQuery = <Row extends object>(text: string) => Promise<readonly Row[]>

/** Reads them; none where all is well. */
export function readIdentityFaults(
  query: RunQuery,
  goal: SetupGoal,
  serverVersion: number,
): Promise<readonly IdentityFault[]> {
  return query<IdentityFault>(identityFaultsSql(goal, serverVersion))
}

/** Without pg_partition_tree, which waits for whoever works on a partition. */
function identityFaultsSql({ tables, publication }: SetupGoal, serverVersion: number): string {
  const rows = tables.map((each) => {
    const names = [each.model, each.schema, each.table].map(quoteLiteral).join(', ')
    return `(${names}, ${each.replicaIdentity === 'keep'})`
  })
  return `
  WITH RECURSIVE wanted(model, nspname, relname, keeps) AS (VALUES ${rows.join(', ')}), own AS (
    SELECT w.model, w.keeps, c.oid, c.relkind FROM wanted w JOIN pg_namespace n ON n.nspname = w.nspname
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relname AND c.relkind IN ('r', 'p')
  ), child_tables(model, keeps, oid) AS (
    SELECT own.model, own.keeps, i.inhrelid FROM own JOIN pg_inherits i ON i.inhparent = own.oid AND own.relkind = 'r'
    UNION
    SELECT h.model, h.keeps, i.inhrelid FROM child_tables h JOIN pg_inherits i ON i.inhparent = h.oid
  ), parts(model, keeps, oid, root) AS (
    SELECT own.model, own.keeps, i.inhrelid, own.oid FROM own JOIN pg_inherits i ON i.inhparent = own.oid AND own.relkind = 'p'
    UNION
    SELECT p.model, p.keeps, i.inhrelid, p.root FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid
  ), logging(model, keeps, oid, published) AS (
    SELECT model, keeps, oid, oid FROM own WHERE relkind = 'r'
    UNION ALL
    SELECT p.model, p.keeps, p.oid, p.root FROM parts p JOIN pg_class leaf ON leaf.oid = p.oid AND leaf.relkind <> 'p'
    UNION ALL
    SELECT model, keeps, oid, oid FROM child_tables
  ), judged AS (
    SELECT l.model::text AS "model", n.nspname::text AS "schema", c.relname::text AS "table",
           CASE WHEN c.relreplident = 'f' AND EXISTS (
                  SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 'v') THEN 'virtual'
                WHEN c.relreplident = 'f' AND to_jsonb(p) ->> 'pubgencols' = 'n' AND EXISTS (
                  SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 's') THEN 'generated'
                WHEN c.relreplident = 'f' AND EXISTS (
                  SELECT FROM pg_publication_rel pr WHERE pr.prpubid = p.oid AND pr.prrelid = l.published
                     AND to_jsonb(pr) ->> 'prattrs' IS NOT NULL) THEN 'columns'
                WHEN c.relreplident <> 'f' AND NOT EXISTS (
                  SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
                     AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END) THEN 'none'
                WHEN c.relreplident <> 'f' AND NOT l.keeps THEN 'partial' END AS "kind"
      FROM logging l JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_publication p ON p.pubname = ${quoteLiteral(publication)} AND (p.pubupdate OR p.pubdelete)
           JOIN (${publishedRelationsSql(serverVersion, `p.pubname = ${quoteLiteral(publication)}`)}) t
             ON t.pubid = p.oid AND t.relid = l.published
  )
  SELECT * FROM judged WHERE "kind" IS NOT NULL ORDER BY 1, 2, 3`
}

/** The error that says so, with what to run. */
export function identityError(fault: IdentityFault, publication: string): RowcastError {
  const name = quoteQualified(fault.schema, fault.table)
  const { model, schema, table } = fault
  const details = { model, schema, table }
  const refused = `PostgreSQL refuses UPDATE and DELETE of ${name} (${model})`
  switch (fault.kind) {
    case 'partial':
      return new RowcastError(
        'SOURCE_IDENTITY_NOT_FULL',
        `${name} does not log whole old rows, which ${model} counts on.`,
        {
          details,
          hint: `Run \`rowcast enable\`, or as its owner ALTER TABLE ${name} REPLICA IDENTITY FULL;`,
        },
      )
    case 'none':
      return new RowcastError('SOURCE_IDENTITY_MISSING', `${refused}: nothing identifies a row of it.`, {
        details,
        hint: `Run ALTER TABLE ${name} REPLICA IDENTITY FULL; or give it a primary key.`,
      })
    case 'virtual':
      return new RowcastError(
        'SOURCE_IDENTITY_CONFLICT',
        `${refused}: REPLICA IDENTITY FULL counts its virtual generated column, which cannot be published.`,
        { details, hint: virtualColumnHint(name) },
      )
    case 'generated':
      return new RowcastError(
        'SOURCE_IDENTITY_CONFLICT',
        `${refused}: publication "${publication}" leaves out its generated columns.`,
        {
          details,
          hint: `Run ALTER PUBLICATION ${quoteIdentifier(publication)} SET (publish_generated_columns = stored);`,
        },
      )
    case 'columns':
      return new RowcastError(
        'SOURCE_IDENTITY_CONFLICT',
        `${refused}: publication "${publication}" lists some of its columns, and REPLICA IDENTITY FULL counts all.`,
        { details, hint: `Publish all of its columns, or run ALTER TABLE ${name} REPLICA IDENTITY DEFAULT;` },
      )
  }
}
