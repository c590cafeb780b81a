/**
 * What is written to record the vectors: every message of pgoutput on every shape of table and row, with content that
 * is the same on each run. Xids, OIDs, LSNs and times are the server's.
 */

/** Names of the publications. */
export const PUBLICATIONS = 'vectors'

/** Fills the memory of logical decoding without a published row, so that the open transaction is streamed. */
export const FILLER = `INSERT INTO filler SELECT repeat('x', 200) FROM generate_series(1, 600)`

const TYPES_COLUMNS = `
  id int4 PRIMARY KEY, t_text text, t_varchar varchar(20), t_char char(4), t_uuid uuid, t_citext citext, t_inet inet,
  t_cidr cidr, t_bit bit(3), t_varbit varbit(8), t_xml xml, t_int2 int2, t_oid oid, t_int8 int8, t_float4 float4,
  t_float8 float8, t_numeric numeric(20, 4), t_money money, t_timestamp timestamp(3), t_timestamptz timestamptz(6),
  t_date date, t_time time(3), t_timetz timetz(6), t_json json, t_jsonb jsonb, t_bytea bytea, t_bool bool, t_mood mood,
  t_acl aclitem, t_domain word, t_pair pair, t_ints int4[], t_texts text[], t_moods mood[], t_range int4range`

const TYPES_VALUES = `
  1, 'Zoë 🦀', 'a', 'ab', '00000000-0000-4000-8000-000000000001', 'CiText', '10.1.2.3/8', '10.0.0.0/8', '101', '1101',
  '<a/>', -32768, 4294967295, 9223372036854775807, 0.1, '-Infinity', -1234.5678, '-12.34', '2020-02-29 12:34:56.789',
  '2020-02-29 12:34:56.789012+02', '0044-03-15 BC', '23:59:59.999', '12:34:56.789012+02:30', '{"a": [1, null]}',
  '{"a": [1, null]}', '\\x00ff', true, 'über', 'postgres=r/postgres', 'word', '(1,two)', '{1,NULL,-2}',
  '{"",NULL,"a,b","NULL"}', '{fine,über}', '[1,5)'`

/** Tables of every replica identity, types of every kind, publications. @param major decides what there is */
export function schemaStatements(major: number): readonly string[] {
  return [
    'CREATE EXTENSION citext',
    "CREATE TYPE mood AS ENUM ('fine', 'über')",
    "CREATE DOMAIN word AS text CHECK (VALUE <> '')",
    'CREATE TYPE pair AS (a int4, b text)',
    'CREATE SCHEMA "schéma"',
    'CREATE TABLE "schéma"."täble" (id int4 PRIMARY KEY, "näme" text, big text, m mood, flag bool)',
    'ALTER TABLE "schéma"."täble" ALTER COLUMN big SET STORAGE EXTERNAL',
    `CREATE TABLE types (${TYPES_COLUMNS})`,
    'CREATE TABLE full_identity (id int4 PRIMARY KEY, v text, big text)',
    'ALTER TABLE full_identity ALTER COLUMN big SET STORAGE EXTERNAL',
    'ALTER TABLE full_identity REPLICA IDENTITY FULL',
    'CREATE TABLE index_identity (id int4, code text NOT NULL UNIQUE, v text)',
    'ALTER TABLE index_identity REPLICA IDENTITY USING INDEX index_identity_code_key',
    'CREATE TABLE nothing_identity (id int4 PRIMARY KEY, v text)',
    'ALTER TABLE nothing_identity REPLICA IDENTITY NOTHING',
    'CREATE TABLE no_key (v text)',
    'CREATE TABLE no_columns ()',
    'CREATE TABLE two_keys (a int4, b text, v text, PRIMARY KEY (b, a))',
    'CREATE TABLE parted (id int4 PRIMARY KEY, v text) PARTITION BY RANGE (id)',
    'CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100)',
    'CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (100) TO (200)',
    'CREATE TABLE generated (id int4 PRIMARY KEY, twice int4 GENERATED ALWAYS AS (id * 2) STORED, v text)',
    'CREATE TABLE filler (v text)',
    `CREATE PUBLICATION ${PUBLICATIONS} FOR TABLE "schéma"."täble", types, full_identity, index_identity,
       nothing_identity, no_key, no_columns, two_keys, parted, generated WITH (publish_via_partition_root = true)`,
    ...(major < 15
      ? []
      : [
          'CREATE TABLE narrow (id int4 PRIMARY KEY, shown text, hidden text)',
          `ALTER PUBLICATION ${PUBLICATIONS} ADD TABLE narrow (id, shown) WHERE (id > 10)`,
          'CREATE SCHEMA whole',
          'CREATE TABLE whole.t (id int4 PRIMARY KEY)',
          'CREATE PUBLICATION vectors_schema FOR TABLES IN SCHEMA whole',
        ]),
    ...(major < 18 ? [] : [`ALTER PUBLICATION ${PUBLICATIONS} SET (publish_generated_columns = stored)`]),
  ]
}

/** Publications that a version has. */
export function listPublications(major: number): string {
  return major < 15 ? PUBLICATIONS : `${PUBLICATIONS},vectors_schema`
}

/** Committed changes: rows of every table, key changes, TOAST, TRUNCATE, DDL, logical messages, origins. */
export function changeStatements(major: number): readonly string[] {
  return [...rowStatements(), ...(major < 15 ? [] : FILTERED_ROWS), ...OTHER_MESSAGES]
}

const FILTERED_ROWS = [
  "INSERT INTO narrow VALUES (10, 'out', 'x'), (11, 'in', 'x')",
  'UPDATE narrow SET id = 9 WHERE id = 11',
  'UPDATE narrow SET id = 12 WHERE id = 10',
  'INSERT INTO whole.t VALUES (1)',
]

/** A value of 2,100 bytes is stored out of line; one of 5 is not. */
function rowStatements(): readonly string[] {
  return [
    'BEGIN',
    `INSERT INTO "schéma"."täble" VALUES (1, 'Zoë', repeat('x', 2100), 'über', true), (2, NULL, '', 'fine', false)`,
    `UPDATE "schéma"."täble" SET "näme" = 'a' WHERE id = 1`,
    'UPDATE "schéma"."täble" SET id = 3 WHERE id = 2',
    'UPDATE "schéma"."täble" SET id = 4 WHERE id = 1',
    'DELETE FROM "schéma"."täble"',
    'COMMIT',
    `INSERT INTO types VALUES (${TYPES_VALUES})`,
    'INSERT INTO types (id) VALUES (2)',
    "UPDATE types SET t_text = 'b' WHERE id = 1",
    'DELETE FROM types WHERE id = 2',
    `INSERT INTO full_identity VALUES (1, 'one', 'small'), (2, NULL, repeat('y', 2100))`,
    "UPDATE full_identity SET v = 'two'",
    'DELETE FROM full_identity',
    "INSERT INTO index_identity VALUES (1, 'a', 'x'), (2, 'b', NULL)",
    "UPDATE index_identity SET v = 'y' WHERE code = 'a'",
    "UPDATE index_identity SET code = 'c' WHERE code = 'b'",
    'DELETE FROM index_identity',
    "INSERT INTO nothing_identity VALUES (1, 'one')",
    "INSERT INTO no_key VALUES ('a'), (NULL)",
    'INSERT INTO no_columns DEFAULT VALUES',
    "INSERT INTO two_keys VALUES (1, 'a', 'x')",
    "UPDATE two_keys SET v = 'y'",
    'UPDATE two_keys SET a = 2',
    'DELETE FROM two_keys',
    "INSERT INTO parted VALUES (1, 'low'), (101, 'high')",
    'UPDATE parted SET id = 102 WHERE id = 1',
    'DELETE FROM parted',
    "INSERT INTO generated (id, v) VALUES (21, 'x')",
    'UPDATE generated SET id = 22 WHERE id = 21',
  ]
}

const OTHER_MESSAGES = [
  'TRUNCATE full_identity',
  'TRUNCATE full_identity, no_columns, "schéma"."täble" RESTART IDENTITY CASCADE',
  'TRUNCATE two_keys CASCADE',
  'TRUNCATE parted',
  'ALTER TABLE two_keys ADD COLUMN later numeric(6, 2) DEFAULT 1.5',
  "INSERT INTO two_keys VALUES (3, 'c', 'z')",
  'ALTER TABLE two_keys REPLICA IDENTITY FULL',
  'ALTER TABLE two_keys DROP COLUMN v',
  'DELETE FROM two_keys',
  "SELECT pg_logical_emit_message(true, 'préfix', 'héllo')",
  "SELECT pg_logical_emit_message(true, '', '')",
  "SELECT pg_logical_emit_message(false, 'at once', '\\x00ff'::bytea)",
  "BEGIN; INSERT INTO no_key VALUES ('rolled back'); SELECT pg_logical_emit_message(false, 'survives', 'x'); ROLLBACK",
  "BEGIN; INSERT INTO no_key VALUES ('kept'); SAVEPOINT a; INSERT INTO no_key VALUES ('not kept'); ROLLBACK TO a; COMMIT",
  "SELECT pg_replication_origin_create('orig\u00edn')",
  "SELECT pg_replication_origin_session_setup('orig\u00edn')",
  "BEGIN; SELECT pg_replication_origin_xact_setup('0/ABCDEF12', '2020-01-01'); INSERT INTO no_key VALUES ('from elsewhere'); COMMIT",
  'SELECT pg_replication_origin_session_reset()',
]

/** Prepared transactions that commit and roll back. */
export const TWO_PHASE_STATEMENTS: readonly string[] = [
  "BEGIN; INSERT INTO full_identity VALUES (9, 'nine', NULL); PREPARE TRANSACTION 'gid-ü'",
  "COMMIT PREPARED 'gid-ü'",
  "BEGIN; INSERT INTO full_identity VALUES (10, 'ten', NULL); PREPARE TRANSACTION 'gid 2'",
  "ROLLBACK PREPARED 'gid 2'",
]

/** A step of a streamed transaction; `isFlood`: it makes PostgreSQL send a block of the transaction. */
export interface StreamStep {
  readonly sql: string
  readonly isFlood?: boolean
}

/** Large transactions: two segments and a subtransaction that rolls back; one that aborts as a whole. */
export const STREAM_STEPS: readonly StreamStep[] = [
  { sql: 'BEGIN' },
  { sql: `INSERT INTO "schéma"."täble" VALUES (5, 'five', repeat('z', 2100), 'fine', true)` },
  { sql: "INSERT INTO full_identity VALUES (5, 'five', 'small')" },
  { sql: FILLER, isFlood: true },
  { sql: `UPDATE "schéma"."täble" SET flag = false` },
  { sql: "UPDATE full_identity SET v = 'six'" },
  { sql: 'SAVEPOINT a' },
  { sql: "INSERT INTO no_key VALUES ('of the savepoint')" },
  { sql: FILLER, isFlood: true },
  { sql: 'ROLLBACK TO a' },
  { sql: "SELECT pg_logical_emit_message(true, 'streamed', 'content')" },
  { sql: 'DELETE FROM full_identity' },
  { sql: 'TRUNCATE index_identity, two_keys' },
  { sql: FILLER, isFlood: true },
  { sql: 'COMMIT' },
  { sql: 'BEGIN' },
  { sql: "INSERT INTO no_key VALUES ('aborts')" },
  { sql: FILLER, isFlood: true },
  { sql: 'ROLLBACK' },
  { sql: "SELECT pg_replication_origin_session_setup('orig\u00edn')" },
  { sql: 'BEGIN' },
  { sql: "SELECT pg_replication_origin_xact_setup('0/ABCDEF12', '2020-01-01')" },
  { sql: "INSERT INTO no_key VALUES ('from elsewhere')" },
  { sql: FILLER, isFlood: true },
  { sql: 'COMMIT' },
  { sql: 'SELECT pg_replication_origin_session_reset()' },
]

/** A large transaction that is prepared. */
export const STREAM_PREPARE_STEPS: readonly StreamStep[] = [
  { sql: 'BEGIN' },
  { sql: "INSERT INTO no_key VALUES ('prepared')" },
  { sql: FILLER, isFlood: true },
  { sql: "PREPARE TRANSACTION 'streamed gid'" },
  { sql: "COMMIT PREPARED 'streamed gid'" },
]
