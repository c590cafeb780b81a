/** When `tail` and `record` see what commits. */
import { expect } from 'vitest'
import type { TestDatabase } from '../support/database.ts'

/**
 * Resolves once as many looks see what commits from now on. A slot is listed, and active, from its creation on, which waits for the transactions
 * that are open anywhere on the server; its position comes with its end.
 */
export async function untilLooking(database: TestDatabase, count: number): Promise<void> {
  await expect.poll(() => looksOf(database), { timeout: 60_000 }).toBe(count)
}

async function looksOf(database: TestDatabase): Promise<number> {
  const rows = await database.query(
    `SELECT FROM pg_replication_slots
       WHERE database = current_database() AND temporary AND active AND confirmed_flush_lsn IS NOT NULL`,
  )
  return rows.length
}
