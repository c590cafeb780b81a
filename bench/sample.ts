/** The sample's tables in a database of the benchmarks. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchDatabase } from './database.ts'

const MIGRATIONS = join(import.meta.dirname, '../../../prisma/migrations')

export async function migrate(database: BenchDatabase): Promise<void> {
  const folders = (await readdir(MIGRATIONS, { withFileTypes: true })).filter((each) => each.isDirectory())
  for (const { name } of folders.sort((a, b) => (a.name < b.name ? -1 : 1)))
    await database.query(await readFile(join(MIGRATIONS, name, 'migration.sql'), 'utf8'))
}

/** One author of a post that has so many comments. */
export async function writeComments(database: BenchDatabase, count: number): Promise<void> {
  await database.query(`
    INSERT INTO users (email) VALUES ('author@example.com');
    INSERT INTO "Post" ("authorId", title) SELECT id, 'A post' FROM users;
    INSERT INTO "Comment" ("postId", body)
      SELECT id, 'Comment ' || n || repeat(' x', 100) FROM "Post", generate_series(1, ${count}) n;
    ANALYZE`)
}

/** One more of them. */
export function commentSql(id: number): string {
  return `INSERT INTO "Comment" (id, "postId", body) SELECT ${id}, min(id), 'Comment ${id}' || repeat(' x', 100) FROM "Post"`
}

/** Changes of them are published beside those of the orders. */
export async function makeCommentsLive(database: BenchDatabase): Promise<void> {
  await database.query(
    'ALTER TABLE "Comment" REPLICA IDENTITY FULL; ALTER PUBLICATION rowcast ADD TABLE "Comment"',
  )
}
