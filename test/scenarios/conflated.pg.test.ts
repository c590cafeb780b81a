/**
 * A client that reads nothing while a table changes in every way, and is conflated for: what it is given at last, applied as rowcast/client
 * does, are the rows of the table.
 */
import { expect, it } from 'vitest'
import { applyChange, type ListChange } from '../../src/client/apply-change.ts'
import type { RegisterOptions } from '../../src/config/register-options.ts'
import { createRandom } from '../chaos/random.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { type AnyModelChange, OTHER, openScenario } from './scenario.ts'

/** A text that PostgreSQL stores out of line, and sends only where it changes, but under FULL. */
const ITEM = buildModel(
  [
    ...[buildField('id', 'Int'), buildField('note', 'String'), buildField('big', 'String')],
    buildField('deletedAt', 'DateTime', { isRequired: false, column: 'deleted_at' }),
  ],
  { name: 'Item', table: 'items' },
)
const SQL = `CREATE TABLE items (id int PRIMARY KEY, note text NOT NULL, big text NOT NULL, deleted_at timestamp(3));
  ALTER TABLE items ALTER big SET STORAGE EXTERNAL; CREATE TABLE others (id int PRIMARY KEY)`
const KEYS = 6
const STATEMENTS = 300
/** The key of the last row. */
const LAST = 99
const SEED = Number(process.env['ROWCAST_SEED'] ?? 1)

interface Row {
  readonly id: number
  readonly note: string
  readonly big: string
}

/** Statements of which some do nothing: the row is not there, or another has the key. */
function* statements(): Generator<string> {
  const random = createRandom(SEED)
  const big = (n: number) => `repeat('${n % 10}', 3000)`
  for (let n = 0; n < STATEMENTS; n += 1) {
    const [id, to] = [random.integer(1, KEYS), random.integer(1, KEYS)]
    yield random.pick([
      `INSERT INTO items VALUES (${id}, 'in ${n}', ${big(n)}) ON CONFLICT DO NOTHING`,
      `UPDATE items SET note = 'in ${n}' WHERE id = ${id}`,
      `UPDATE items SET note = 'out ${n}' WHERE id = ${id}`,
      `UPDATE items SET big = ${big(n)} WHERE id = ${id}`,
      `UPDATE items SET id = ${to}, note = 'in ${n}' WHERE id = ${id} AND NOT EXISTS (SELECT FROM items WHERE id = ${to})`,
      `UPDATE items SET deleted_at = now() WHERE id = ${id}`,
      `UPDATE items SET deleted_at = NULL WHERE id = ${id}`,
      `DELETE FROM items WHERE id = ${id}`,
      ...(random.chance(0.1) ? ['TRUNCATE items'] : []),
    ])
  }
}

/** How many changes come, up to that of the row with this key. */
async function countUpTo(changes: AsyncIterableIterator<AnyModelChange>, key: number): Promise<number> {
  let count = 1
  for await (const change of changes) {
    if (change.key?.['id'] === key) break
    count += 1
  }
  return count
}

/** As a list takes it: what it has of a change stands in getters. */
function listed({ action, key, new: row, unavailable }: AnyModelChange): ListChange<Row> {
  return { action, key, new: row, unavailable } as ListChange<Row>
}

/** A large value is new, and then often not sent. */
function lastStatements(): string[] {
  const note = (n: number) => `UPDATE items SET note = 'in again ${n}' WHERE id = 1`
  return [
    `INSERT INTO items VALUES (1, 'in', '') ON CONFLICT DO NOTHING`,
    `UPDATE items SET big = repeat('!', 3000) WHERE id = 1`,
    ...Array.from({ length: 60 }, (_, n) => note(n)),
  ]
}

it.each<[string, RegisterOptions, { readonly note?: object }, string]>([
  [
    'softDelete and a where',
    { softDelete: 'deletedAt' },
    { note: { startsWith: 'in' } },
    `deleted_at IS NULL AND note LIKE 'in%'`,
  ],
  ['a replica identity of the key alone', { replicaIdentity: 'keep' }, {}, 'true'],
])('with %s', async (_name, register, where, condition) => {
  const scenario = await openScenario({
    ...{ sql: SQL, models: [ITEM, OTHER], register: { Item: register } },
    options: { queueLengthMax: 80 },
  })
  const subscribe = (overflow: 'conflate' | 'end') =>
    scenario.rowcast.subscribe('Item', {
      overflow,
      ...('note' in where ? { where } : {}),
    }) as AsyncIterableIterator<AnyModelChange>
  const [conflated, whole] = [subscribe('conflate'), countUpTo(subscribe('end'), LAST)]
  const others = scenario.watch('Other')
  const all = [...statements(), ...lastStatements()]
  // A transaction for each ten.
  while (all.length > 0) await scenario.sql(all.splice(0, 10).join(';'))
  await scenario.sql(`INSERT INTO items VALUES (${LAST}, 'in the end', ''); INSERT INTO others VALUES (1)`)
  // What is published goes into all queues at once.
  await others.next()
  const shape = {
    key: 'id' as const,
    // The library gives what leaves a `where` with its new row.
    where: (row: Row) => !('note' in where) || row.note.startsWith('in'),
    sort: (a: Row, b: Row) => a.id - b.id,
  }
  let rows: readonly Row[] = []
  let count = 0
  for await (const change of conflated) {
    const oldKey = change.action === 'UPDATE' ? change.oldKey : null
    rows = applyChange(rows, { ...listed(change), old: oldKey ?? change.key }, shape)
    count += 1
    if (change.key?.['id'] === LAST) break
  }
  // How much is conflated depends on who was faster.
  expect(count).toBeLessThanOrEqual(await whole)
  expect(rows.map(({ id, note, big }) => ({ id, note, big }))).toEqual(
    await scenario.sql(`SELECT id, note, big FROM items WHERE ${condition} ORDER BY id`),
  )
})
