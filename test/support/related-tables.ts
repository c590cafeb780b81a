/**
 * The tables of the oracle of related rows. Nobody can subscribe to a join table: what its rows were after each transaction is kept beside
 * it, in the same transaction, in a table that is a model. Where rows cascade, foreign keys do it.
 */
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import type { TestDatabase } from './database.ts'
import type { Tables } from './naive-keys.ts'
import { MARKED_TABLES, tablesOf } from './relation-schema.ts'

/** The model of the rows of join tables. */
export const PAIRS = 'Pair'
export const PAIRS_SCHEMA = `
model Pair {
  kind String
  a    Int
  b    Int
  @@id([kind, a, b])
}
`

const MIRROR = `
CREATE TABLE "Pair" (kind text, a int, b int, PRIMARY KEY (kind, a, b));
CREATE FUNCTION mirror() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN DELETE FROM "Pair" WHERE kind = TG_TABLE_NAME;
  ELSIF TG_OP = 'INSERT' THEN INSERT INTO "Pair" VALUES (TG_TABLE_NAME, NEW."A", NEW."B");
  ELSIF TG_OP = 'DELETE' THEN DELETE FROM "Pair" WHERE (kind, a, b) = (TG_TABLE_NAME, OLD."A", OLD."B");
  ELSE UPDATE "Pair" SET a = NEW."A", b = NEW."B" WHERE (kind, a, b) = (TG_TABLE_NAME, OLD."A", OLD."B");
  END IF;
  RETURN NULL;
END $$;`

const mirrored = (table: string) => `
CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON "${table}" FOR EACH ROW EXECUTE FUNCTION mirror();
CREATE TRIGGER emptied AFTER TRUNCATE ON "${table}" FOR EACH STATEMENT EXECUTE FUNCTION mirror();`

/** A child may come before its parent in one transaction. */
const cascading = (table: string, column: string, to: string, onDelete: string) =>
  `ALTER TABLE "${table}" ADD FOREIGN KEY ("${column}") REFERENCES "${to}" (id)
     ON DELETE ${onDelete} ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED;`
const CASCADES = [
  cascading('Member', 'teamId', 'Team', 'CASCADE'),
  cascading('Post', 'teamId', 'Team', 'SET NULL'),
  cascading('Team', 'parentId', 'Team', 'CASCADE'),
  cascading('_PostToTag', 'A', 'Post', 'CASCADE'),
]

/** Creates them. @param cascades whether rows go with those that they belong to, and may not point at rows that are not there */
export async function createRelatedTables(
  database: TestDatabase,
  { catalog, cascades }: { readonly catalog: ModelCatalog; readonly cascades: boolean },
): Promise<void> {
  const joins = joinTablesOf(catalog).map(({ table }) => mirrored(table))
  await database.query([MARKED_TABLES, MIRROR, ...joins, ...(cascades ? CASCADES : [])].join('\n'))
}

/** Empties them, for the next world. */
export async function emptyRelatedTables(database: TestDatabase, catalog: ModelCatalog): Promise<void> {
  await database.query(
    `TRUNCATE ${tablesOf(catalog)
      .map(({ table }) => `"${table}"`)
      .join()} CASCADE`,
  )
}

/** The join tables of a catalog. */
export function joinTablesOf(catalog: ModelCatalog): readonly ModelSpec[] {
  return tablesOf(catalog).filter(({ name }) => isJoin(name))
}

export const isJoin = (name: string) => name.startsWith('_')

/** The rows of join tables, as the pairs have them. */
export function joinedRows(pairs: readonly AnyRow[]): Tables {
  const tables: Record<string, AnyRow[]> = {}
  for (const { kind, a, b } of pairs) {
    const rows = tables[String(kind)] ?? []
    rows.push({ A: a, B: b })
    tables[String(kind)] = rows
  }
  return tables
}
