/** What the stream alone shows, between two looks of the watch; and how far it is safe while it hands changes on. */
import { expect, it } from 'vitest'
import type { TransactionPart } from '../../src/changes/change.ts'
import { parseLsn } from '../../src/wire/lsn.ts'
import { openScenario } from '../scenarios/scenario.ts'

it('a table that was swapped between two looks is noticed by its first row', async () => {
  const { sql, watch } = await openScenario({ options: { watchIntervalMs: 600_000 } })
  const items = watch('Item')
  await sql(`INSERT INTO items VALUES (1, 'seen')`)
  expect((await items.next()).new).toMatchObject({ note: 'seen' })
  await sql('ALTER TABLE items RENAME TO old_items; CREATE TABLE items (LIKE old_items INCLUDING ALL)')
  await sql('ALTER TABLE items REPLICA IDENTITY FULL; ALTER PUBLICATION rowcast ADD TABLE items')
  await sql(`INSERT INTO items VALUES (2, 'of another table')`)
  const end = (await items.failure()) as { readonly code?: unknown }
  expect(['SOURCE_TABLE_CHANGED', 'RESYNC_REQUIRED']).toContain(end.code)
})

it('nothing of a transaction is safe before all of it has been handed on', async () => {
  const { sql, rowcast, watch } = await openScenario()
  const items = watch('Item')
  const early: string[] = []
  let parts = 0
  const check = ({ transaction }: TransactionPart): void => {
    parts += 1
    const { safeLsn } = rowcast.status().positions
    if (parseLsn(safeLsn ?? '0/0') > transaction.commitLsn) early.push(`${safeLsn} in part ${parts}`)
  }
  rowcast.observe({ onPublishing: check, onPublished: check })
  await sql(`INSERT INTO items SELECT n, 'row' FROM generate_series(1, 3000) AS n`)
  await items.take(3_000)
  expect(parts).toBeGreaterThan(4)
  expect(early).toEqual([])
})
