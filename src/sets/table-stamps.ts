/**
 * Beside the spine, sets. What shows that a query finds other rows although nothing of them was written: a table is written again, altered or
 * swapped, partitions come and go, a label gets another name, a role loses a right. The stream brings none of that. A stamp is equal for two
 * looks at the catalog where nothing like it was committed between them.
 */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { SharedLooks } from '../source/db/shared-looks.ts'
import { withinAnswerTime } from '../wire/answer-deadline.ts'
import type { RawQueries } from './join-table-rows.ts'

/** Where tables are looked for that name no schema, and what publishes them. */
export interface TableNames {
  readonly schema: string
  readonly publication: string
}

export interface TableStampsOptions {
  /** A Prisma Client: it looks at what will be read. */
  readonly prisma: unknown
  readonly answerTimeoutMs: number
  readonly names: TableNames
}

/**
 * The table, all that hang below it, and the partitioned ones above it; the types of its columns, with those that they are lists or domains of.
 * Without pg_partition_tree, which waits for whoever works on a partition.
 */
const RELATED_SQL = `
  root AS (
    SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = asked.nspname AND c.relname = asked.relname
  ), tree(oid) AS (
    SELECT oid FROM root UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
  ), above(oid) AS (
    SELECT oid FROM root
    UNION SELECT i.inhparent FROM above JOIN pg_catalog.pg_class c ON c.oid = above.oid AND c.relispartition
            JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.oid
  ), base(oid) AS (
    SELECT a.atttypid FROM root JOIN pg_catalog.pg_attribute a ON a.attrelid = root.oid
    UNION SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END FROM base
            JOIN pg_catalog.pg_type t ON t.oid = base.oid AND (t.typtype = 'd' OR t.typcategory = 'A')
  )`

/** What publishes the table. By pg_depend, as PostgreSQL 14 has no publications of schemas. */
const PUBLISHING_SQL = `
  publishing AS (SELECT p.*, p.xmin AS written FROM pg_catalog.pg_publication p WHERE p.pubname = $2),
  named AS (
    SELECT pr.oid, pr.prrelid, pr.xmin AS written, pg_catalog.to_jsonb(pr) ->> 'prqual' AS filter
      FROM publishing JOIN pg_catalog.pg_publication_rel pr ON pr.prpubid = publishing.oid
     WHERE pr.prrelid IN (SELECT oid FROM tree UNION ALL SELECT oid FROM above)
  ), schemas AS (
    SELECT d.objid AS oid, d.xmin AS written FROM publishing
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_publication'::pg_catalog.regclass AND d.refobjid = publishing.oid
      JOIN pg_catalog.pg_depend s ON s.classid = d.classid AND s.objid = d.objid
           AND s.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
     WHERE d.classid = pg_catalog.to_regclass('pg_catalog.pg_publication_namespace')
       AND s.refobjid IN (SELECT c.relnamespace FROM pg_catalog.pg_class c WHERE c.oid IN (SELECT oid FROM above))
  )`

/**
 * `xmin` of a row of the catalog is the transaction that wrote it: VACUUM, ANALYZE and indexes write those of pg_class in place. A column
 * of a partition is altered with that of the table, but for what a generated one is made of.
 */
const EVIDENCE_SQL = `
  evidence(text) AS (
    SELECT pg_catalog.concat_ws(':', 'class', c.oid, c.xmin, c.relfilenode) FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid
    UNION ALL SELECT pg_catalog.concat_ws(':', 'link', i.inhrelid, i.inhparent, i.xmin)
      FROM tree JOIN pg_catalog.pg_inherits i ON i.inhrelid = tree.oid
    UNION ALL SELECT pg_catalog.concat_ws(':', 'column', a.attnum, a.xmin)
      FROM root JOIN pg_catalog.pg_attribute a ON a.attrelid = root.oid AND a.attnum > 0
    UNION ALL SELECT pg_catalog.concat_ws(':', 'generated', d.oid, d.xmin) FROM tree JOIN pg_catalog.pg_attrdef d ON d.adrelid = tree.oid
     WHERE EXISTS (SELECT FROM root JOIN pg_catalog.pg_attribute a ON a.attrelid = root.oid AND a.attgenerated <> '')
    UNION ALL SELECT pg_catalog.concat_ws(':', 'label', e.oid, e.xmin) FROM base JOIN pg_catalog.pg_enum e ON e.enumtypid = base.oid
    UNION ALL SELECT pg_catalog.concat_ws(':', 'publication', oid, written) FROM publishing
    UNION ALL SELECT pg_catalog.concat_ws(':', 'named', oid, written) FROM named
    UNION ALL SELECT pg_catalog.concat_ws(':', 'schema', oid, written) FROM schemas
    UNION ALL SELECT pg_catalog.concat_ws(':', 'role', current_user, pg_catalog.row_security_active(oid),
                     pg_catalog.has_table_privilege(oid, 'SELECT')) FROM root
  )`

/** Whether the stream brings all that is written to the rows: to whole tables that are logged, by a publication without a row filter. */
const IS_SENT_SQL = `
  EXISTS (SELECT FROM publishing WHERE pubinsert AND pubupdate AND pubdelete AND (puballtables OR EXISTS (SELECT FROM schemas)
                                       OR EXISTS (SELECT FROM named WHERE prrelid IN (SELECT oid FROM above))))
  AND NOT EXISTS (SELECT FROM named WHERE filter IS NOT NULL)
  AND NOT EXISTS (SELECT FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid WHERE c.relkind NOT IN ('r', 'p') OR c.relpersistence <> 'p')
  AND NOT EXISTS (SELECT FROM root JOIN pg_catalog.pg_inherits i ON i.inhparent = root.oid WHERE root.relkind = 'r')`

const STAMPS_SQL = `
SELECT asked.model, stamp.text AS stamp
  FROM pg_catalog.jsonb_to_recordset($1::pg_catalog.text::pg_catalog.jsonb)
       AS asked(model pg_catalog.text, nspname pg_catalog.text, relname pg_catalog.text), LATERAL (
  WITH RECURSIVE ${RELATED_SQL}, ${PUBLISHING_SQL}, ${EVIDENCE_SQL}
  SELECT CASE WHEN ${IS_SENT_SQL} THEN (
    SELECT pg_catalog.hashtextextended(pg_catalog.string_agg(text, ' ' ORDER BY text), 0)::pg_catalog.text FROM evidence
  ) END AS text) AS stamp`

type Stamps = ReadonlyMap<string, string>

const NONE: Stamps = new Map()

/** Those of the tables of one rowcast. However many ask at once, one statement after the other is made for all of them. */
export class TableStamps {
  readonly #options: TableStampsOptions
  readonly #asked = new Map<string, ModelSpec>()
  readonly #looks = new SharedLooks(() => this.#read())

  constructor(options: TableStampsOptions) {
    this.#options = options
  }

  /** That of the model's table, begun after the call; null where not all that is written to it comes, or nobody knows: reading the rows says why. */
  async of(model: ModelSpec): Promise<string | null> {
    this.#asked.set(model.name, model)
    const stamps = await this.#looks.look().catch(() => NONE)
    return stamps.get(model.name) ?? null
  }

  async #read(): Promise<Stamps> {
    const { prisma, answerTimeoutMs, names } = this.#options
    const asked = [...this.#asked.values()].map(({ name, schema, table }) => ({
      ...{ model: name, nspname: schema ?? names.schema, relname: table },
    }))
    this.#asked.clear()
    const answer = (prisma as RawQueries).$queryRawUnsafe(
      STAMPS_SQL,
      JSON.stringify(asked),
      names.publication,
    )
    const rows = await withinAnswerTime(answer, answerTimeoutMs)
    return new Map(
      rows.flatMap(({ model, stamp }) => (stamp == null ? [] : [[String(model), String(stamp)] as const])),
    )
  }
}
