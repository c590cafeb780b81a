/**
 * Stage 5, source. Where the models' tables stand, by the database's catalog: what the stream alone never shows,
 * because PostgreSQL sends nothing for a table that is gone or not published. Looked at before each stream and by
 * the watch while it lasts.
 */
import type { ModelTable } from '../../catalog/model-table-names.ts'
import type { RelationRegistry } from '../../catalog/relation-registry.ts'
import { RowcastError } from '../../errors.ts'
import { quoteLiteral, quoteQualified } from '../../wire/quote.ts'
import { opaqueColumnsSql } from '../db/opaque-columns-sql.ts'
import { isColumnSentSql, publishedRelationsSql } from '../db/published-relations-sql.ts'
import type { RunQuery } from '../db/run-query.ts'
import { TAKES_MESSAGES_SQL } from '../facts/server-facts.ts'
import { tableTreeSql } from '../facts/table-tree-sql.ts'
import { createMissedError } from '../published/gap-notices.ts'
import type { PublishedTable } from '../published/published-tables.ts'
import { publishedTableSql } from '../published/published-tables-sql.ts'
import { columnsOf, type RawColumn } from '../published/table-columns.ts'
import { type RowSecuredTable, rowSecurityExemptSql, type TableJudge } from './row-security.ts'
import type { SetupGoal } from './setup-goal.ts'
import { unreplicable, unreplicableKind } from './table-problems.ts'

/** A model's table, or one that inherits from it. */
export interface ModelTableState extends ModelTable, RowSecuredTable {
  readonly doesExist: boolean
  /** pg_class.relkind and relpersistence; null where there is none. */
  readonly kind?: string | null | undefined
  readonly persistence?: string | null | undefined
  readonly isPublished: boolean
  /** Null where it is not published. */
  readonly published: PublishedTable | null
  /** `settling`: changes of its model may be missing until transactions that wrote to it have ended. */
  readonly standing: 'unknown' | 'settling' | 'verified'
  /** Changes of its model wait behind one that PostgreSQL cannot send. @default false */
  readonly isBlocked?: boolean | undefined
}

/** The same as one look at the catalog has it. */
export interface FoundTable extends Omit<ModelTableState, 'standing'> {
  /**
   * Whether what is published of it was decided before everything that the slot can still send. False where that is not
   * needed, as barriers say it.
   */
  readonly isOlderThanSlot: boolean
  /** Columns of types whose binary form is not known. @default none */
  readonly opaqueColumns?: readonly string[] | undefined
}

type FoundRow = Omit<FoundTable, 'published'> & {
  readonly published: (Omit<PublishedTable, 'columns'> & { readonly columns: readonly RawColumn[] }) | null
}

/** Reads the tables of all models. */
export async function readModelTables(
  query: RunQuery,
  goal: SetupGoal,
  serverVersion: number,
): Promise<readonly FoundTable[]> {
  const ofModels = new Map(goal.tables.map(({ model, columns }) => [model, columns]))
  const rows = await query<FoundRow>(modelTablesSql(goal, serverVersion))
  return rows.map(({ published, ...row }) => {
    if (published === null) return { ...row, published }
    const columns = columnsOf(published.columns, ofModels.get(row.model))
    return { ...row, published: { ...published, columns } }
  })
}

function modelTablesSql(goal: SetupGoal, serverVersion: number): string {
  const rows = goal.tables.map((t) => `(${[t.model, t.schema, t.table].map(quoteLiteral).join(', ')})`)
  return `
  WITH RECURSIVE wanted(model, nspname, relname) AS (VALUES ${rows.join(', ')}), own AS (
    SELECT w.model, w.nspname, w.relname, c.oid, c.relkind FROM wanted w
      LEFT JOIN pg_namespace n ON n.nspname = w.nspname
      LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relname AND c.relkind NOT IN ('i', 'I', 'S')
  ), ${tableTreeSql({ as: 'child_tables', trees: 'children', below: 'own', keeps: ['model'] })}, found(model, nspname, relname, oid) AS (
    SELECT model, nspname, relname, oid FROM own
    UNION ALL
    SELECT child_tables.model, n.nspname::text, c.relname::text, child_tables.oid
      FROM child_tables JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE child_tables.oid NOT IN (SELECT oid FROM own WHERE oid IS NOT NULL)
  ), published AS (${publishedRelationsSql(serverVersion, `p.pubname = ${quoteLiteral(goal.publication)}`)}
  )
  SELECT f.model::text AS "model", f.nspname::text AS "schema", f.relname::text AS "table",
         f.oid IS NOT NULL AS "doesExist", relation.relkind::text AS "kind", relation.relpersistence::text AS "persistence", t.relid IS NOT NULL AS "isPublished",
         CASE WHEN f.oid IN (SELECT oid FROM own) THEN ${rowSecurityExemptSql('f.oid')} END AS "rowSecurityExempt",
         CASE WHEN t.relid IS NOT NULL THEN evidence.published END AS "published",
         NOT ${TAKES_MESSAGES_SQL} AND coalesce(evidence.age > (SELECT age(catalog_xmin) FROM pg_replication_slots
                                   WHERE slot_name = ${quoteLiteral(goal.slot)}), false) AS "isOlderThanSlot",
         ARRAY(SELECT a.attname::text FROM pg_attribute a
                WHERE a.attrelid = f.oid AND a.attnum > 0 AND NOT a.attisdropped
                  AND NOT ${isColumnSentSql(serverVersion)}) AS "unpublishedColumns",
         ${opaqueColumnsSql('f.oid')} AS "opaqueColumns"
    FROM found f LEFT JOIN pg_class relation ON relation.oid = f.oid LEFT JOIN published t ON t.relid = f.oid
      LEFT JOIN LATERAL (${publishedTableSql(goal.publication, serverVersion)}) evidence ON true`
}

/** Models of which no change, or not every change, can come or may be delivered, by name, and why. */
export function judgeModelTables(
  tables: readonly ModelTableState[],
  publication: string,
  judge: TableJudge = () => null,
): ReadonlyMap<string, RowcastError> {
  const faults = new Map<string, RowcastError>()
  for (const state of tables) {
    const { model, schema, table, doesExist, isPublished, standing } = state
    const name = quoteQualified(schema, table)
    const details = { model, schema, table }
    if (!doesExist) {
      const happened = `Table ${name} of model ${model} does not exist.`
      faults.set(model, new RowcastError('CATALOG_DRIFT', happened, { details }))
    } else if (!isPublished && unreplicableKind(state) !== null) {
      faults.set(model, unreplicable(state, unreplicableKind(state) ?? ''))
    } else if (!isPublished && !faults.has(model)) {
      const happened = `Publication "${publication}" does not include ${name} of model ${model}: its changes do not come.`
      faults.set(model, new RowcastError('SOURCE_TABLE_NOT_PUBLISHED', happened, { details }))
    } else if (!faults.has(model)) {
      const fault = judge(state) ?? (standing === 'settling' ? createChangedError(state) : null)
      if (fault !== null) faults.set(model, fault)
    }
  }
  return faults
}

function createChangedError({ model, schema, table }: ModelTableState): RowcastError {
  const happened = `What is published of ${quoteQualified(schema, table)} of model ${model} has changed.`
  return new RowcastError('SOURCE_TABLE_CHANGED', happened, { details: { model, schema, table } })
}

/** What ends a stream of version 14 that may send rows of partitions under a name that they do not have any more. */
export function createStaleRootError(): RowcastError {
  return new RowcastError(
    'SOURCE_TABLE_CHANGED',
    'A partition came or went. This version of PostgreSQL goes on to send its rows as before, until the stream restarts.',
    { hint: 'Nothing: it begins again at once. PostgreSQL 15 and later need no such thing.' },
  )
}

/** Whom a guard notifies. */
export interface ModelTableListener {
  onDrift(model: string, why: RowcastError): void
  onRecovery(model: string): void
}

/** What a guard works with. */
export interface ModelTableGuardOptions {
  readonly registry: RelationRegistry
  readonly publication: string
  readonly listener: ModelTableListener
  readonly judge?: TableJudge | undefined
  /** Models that a look may lack, and what keeps them closed meanwhile. @default none: each look has all models */
  readonly expected?: {
    readonly models: Iterable<string>
    readonly faultOf: (model: string) => RowcastError
  }
}

/** Keeps the registry's faults in step with the catalog; remembers which of them are its own. */
export class ModelTableGuard {
  readonly #options: ModelTableGuardOptions
  #raised = new Map<string, RowcastError>()

  constructor(options: ModelTableGuardOptions) {
    this.#options = options
  }

  /** Takes a look at the catalog. */
  update(tables: readonly ModelTableState[]): void {
    const { registry, listener } = this.#options
    const drifted = [...registry.faults.keys()]
    registry.expect(tables.filter((table) => table.doesExist))
    for (const model of drifted) if (!registry.faults.has(model)) listener.onRecovery(model)
    const faults = this.#judge(tables)
    for (const [model, why] of faults) {
      const known = this.#raised.get(model)
      if (known?.message === why.message && registry.faults.get(model) === known) continue
      this.#raised.set(model, why)
      registry.hold(model, why)
      listener.onDrift(model, why.code === 'SOURCE_TABLE_CHANGED' ? createMissedError(model) : why)
    }
    for (const model of [...this.#raised.keys()]) {
      if (faults.has(model)) continue
      this.#raised.delete(model)
      registry.release(model)
      // The stream may have a fault of its own to report.
      if (!registry.faults.has(model)) listener.onRecovery(model)
    }
  }

  #judge(tables: readonly ModelTableState[]): ReadonlyMap<string, RowcastError> {
    const { publication, judge, expected } = this.#options
    const faults = new Map(judgeModelTables(tables, publication, judge))
    const found = new Set(tables.map(({ model }) => model))
    if (expected === undefined) return faults
    for (const model of expected.models) if (!found.has(model)) faults.set(model, expected.faultOf(model))
    return faults
  }
}
