/** What a publication publishes, read without opening a table: PostgreSQL's own view is the oracle, on every version. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import { isColumnSentSql, publishedRelationsSql } from '../../src/source/db/published-relations-sql.ts'
import { majorOf } from '../scenarios/scenario.ts'
import { openDatabase } from '../support/database.ts'

const SCHEMA = `
  CREATE SCHEMA a; CREATE SCHEMA b;
  CREATE TABLE a.plain (id int PRIMARY KEY, note text, gone text, made int GENERATED ALWAYS AS (id + 1) STORED);
  ALTER TABLE a.plain DROP COLUMN gone;
  CREATE UNLOGGED TABLE a.unlogged (id int PRIMARY KEY);
  CREATE TABLE a.parent (id int PRIMARY KEY, note text);
  CREATE TABLE b.child (more text) INHERITS (a.parent);
  CREATE VIEW a.view AS SELECT 1 AS id;
  CREATE TABLE a.root (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
  CREATE TABLE a.leaf PARTITION OF a.root FOR VALUES IN ('x');
  CREATE TABLE b.branch PARTITION OF a.root FOR VALUES IN ('y', 'z') PARTITION BY LIST (id);
  CREATE TABLE b.twig PARTITION OF b.branch FOR VALUES IN (1);
  CREATE TABLE a."Odd ""name" PARTITION OF b.branch FOR VALUES IN (2);
  CREATE TABLE b.foreign_root (id int) PARTITION BY LIST (id);
  CREATE TABLE b.local PARTITION OF b.foreign_root FOR VALUES IN (1);
  CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER elsewhere FOREIGN DATA WRAPPER elsewhere;
  CREATE FOREIGN TABLE b.remote PARTITION OF b.foreign_root FOR VALUES IN (2) SERVER elsewhere`

const TABLES = [
  ...[
    'a.plain',
    'a.plain (id)',
    'a.plain (id, note)',
    'a.plain WHERE (id < 10)',
    'a.parent',
    'ONLY a.parent',
  ],
  ...[
    'a.root',
    'a.root (id, region)',
    'a.root WHERE (id > 3)',
    'a.leaf',
    'b.branch',
    'b.twig',
    'b.twig (id, region)',
  ],
  ...['b.child', 'b.child (id, more)', 'b.foreign_root', 'b.local', 'a."Odd ""name"'],
]

const publications = fc.record({
  of: fc.oneof(
    { weight: 1, arbitrary: fc.constant('ALL TABLES') },
    {
      weight: 5,
      arbitrary: fc
        .uniqueArray(fc.constantFrom(...TABLES), {
          minLength: 1,
          maxLength: 5,
          selector: (each) => each.split(' ')[0],
        })
        .map((tables) => tables.map((each) => `TABLE ${each}`).join(', ')),
    },
    { weight: 2, arbitrary: fc.constantFrom('TABLES IN SCHEMA a', 'TABLES IN SCHEMA a, b') },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom(...TABLES.filter((each) => !each.includes('('))), fc.constantFrom('a', 'b'))
        .map(([table, schema]) => `TABLE ${table}, TABLES IN SCHEMA ${schema}`),
    },
  ),
  viaRoot: fc.boolean(),
  generated: fc.constantFrom('', ', publish_generated_columns = stored'),
})

it('is what pg_publication_tables says of it', async () => {
  await using database = await openDatabase()
  const version = (await majorOf(database)) * 10_000
  await database.query(SCHEMA)
  if (version >= 180_000)
    await database.query('ALTER TABLE a.plain ADD unseen int GENERATED ALWAYS AS (id + 2) VIRTUAL')
  const attnames = version < 150_000 ? 'NULL' : 'pt.attnames'
  // Its view lists a partition beside its root; see the test below.
  const isUnderRoot = `EXISTS (SELECT FROM pg_publication p JOIN pg_publication_rel pr ON pr.prpubid = p.oid
                                JOIN pg_partition_ancestors(c.oid) up ON up.relid = pr.prrelid AND up.relid <> c.oid
                               WHERE p.pubname = 'tried' AND p.pubviaroot)`
  const theirs = `
    SELECT pt.schemaname::text AS schema, pt.tablename::text AS table, ${
      version < 150_000
        ? 'NULL'
        : `ARRAY(
             SELECT a.attname::text FROM pg_attribute a WHERE a.attname = ANY (${attnames}) AND a.attrelid = c.oid
                AND (a.attgenerated = '' OR ${version} >= 180000) ORDER BY 1)`
    } AS columns
      FROM pg_publication_tables pt JOIN pg_namespace n ON n.nspname = pt.schemaname
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = pt.tablename
     WHERE pt.pubname = 'tried' AND NOT (${version} < 150000 AND ${isUnderRoot}) ORDER BY 1, 2`
  const ours = `
    SELECT n.nspname::text AS schema, c.relname::text AS table, ${
      version < 150_000
        ? 'NULL'
        : `ARRAY(
             SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                AND ${isColumnSentSql(version)} ORDER BY 1)`
    } AS columns
      FROM (${publishedRelationsSql(version, `p.pubname = 'tried'`)}) t JOIN pg_class c ON c.oid = t.relid
      JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2`
  await fc.assert(
    fc.asyncProperty(publications, async ({ of, viaRoot, generated }) => {
      const sql = `CREATE PUBLICATION tried FOR ${of} WITH (publish_via_partition_root = ${viaRoot}${version < 180_000 ? '' : generated})`
      // What this version does not have, or PostgreSQL refuses, is no publication.
      const isMade = await database.query(sql).then(
        () => true,
        () => false,
      )
      fc.pre(isMade)
      try {
        expect(await database.query(ours), sql).toEqual(await database.query(theirs))
      } finally {
        await database.query('DROP PUBLICATION tried')
      }
    }),
    { numRuns: 50 },
  )
})

it('names the tables under which the stream sends rows, also where a partition is named beside its root', async () => {
  await using database = await openDatabase()
  const version = (await majorOf(database)) * 10_000
  await database.query(SCHEMA)
  await database.query(
    'CREATE PUBLICATION tried FOR TABLE a.root, a.leaf, b.twig WITH (publish_via_partition_root = true)',
  )
  const slot = `${database.name}_tried`
  await database.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput', true)`, [slot])
  await database.query(`INSERT INTO a.root VALUES (7, 'x'), (1, 'y'); SELECT 1`)
  const messages = await database.query<{ data: Buffer }>(
    `SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'tried')`,
    [slot],
  )
  const sent = messages.flatMap(({ data }) => {
    const message = decodeMessage(data, 0, data.length)
    return message.kind === 'insert' ? [message.relationOid] : []
  })
  expect(sent).toHaveLength(2)
  const ours = await database.query<{ relid: number }>(
    `SELECT relid::int FROM (${publishedRelationsSql(version, `p.pubname = 'tried'`)}) t`,
  )
  expect(ours.map(({ relid }) => relid)).toEqual([...new Set(sent)])
})
