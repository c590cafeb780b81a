/** What the catalog says of a table is, byte by byte, what PostgreSQL itself says of it before a row. */
import type { Buffer } from 'node:buffer'
import { expect, it } from 'vitest'
import { readTableShapes } from '../../src/source/setup/table-shapes.ts'
import { openDatabase } from '../support/database.ts'

const SQL = `
  CREATE TYPE mood AS ENUM ('low', 'high');
  CREATE DOMAIN short AS varchar(8);
  CREATE DOMAIN shorter AS short;
  CREATE SCHEMA other;
  CREATE TABLE plain (gone int, id int PRIMARY KEY, "Na me" varchar(20), price numeric(10, 2), moods mood[], mood mood, s shorter);
  ALTER TABLE plain DROP gone;
  CREATE TABLE other.whole (a int, b short NOT NULL UNIQUE);
  ALTER TABLE other.whole REPLICA IDENTITY FULL;
  CREATE TABLE by_index (a int, b short NOT NULL UNIQUE, PRIMARY KEY (a));
  ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_b_key;
  CREATE TABLE keyless (a text);
  CREATE PUBLICATION shapes FOR ALL TABLES`

const TABLES = [
  ...[
    { schema: 'public', table: 'plain' },
    { schema: 'other', table: 'whole' },
  ],
  ...[
    { schema: 'public', table: 'by_index' },
    { schema: 'public', table: 'keyless' },
  ],
].map((each) => ({ ...each, unpublishedColumns: [] }))

it('a table by its catalog is the table that a stream describes', async () => {
  await using database = await openDatabase()
  await database.query(SQL)
  const slot = `shapes_${database.name}`
  await database.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot])
  try {
    await database.query(`INSERT INTO plain VALUES (1);
      INSERT INTO other.whole VALUES (1, 'b');
      INSERT INTO by_index VALUES (1, 'b');
      INSERT INTO keyless VALUES ('a')`)
    const sent = await database.query<{ data: Buffer }>(
      `SELECT data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'shapes')`,
      [slot],
    )
    const described = (messages: readonly Buffer[]) =>
      [...new Set(messages.map((bytes) => bytes.toString('latin1')))]
        .filter((text) => /^[RY]/.test(text))
        .sort()
    const shapes = await readTableShapes((sql) => database.query(sql), TABLES)
    expect(described(shapes?.messages ?? [])).toEqual(described(sent.map(({ data }) => data)))
    expect(shapes?.messages.length).toBeGreaterThan(TABLES.length)
    expect(await readTableShapes((sql) => database.query(sql), [])).toBe(null)
  } finally {
    await database.query('SELECT pg_drop_replication_slot($1)', [slot])
  }
})
