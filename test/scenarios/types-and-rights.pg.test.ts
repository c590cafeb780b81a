/** Types and rights that go while changes flow: what cannot be read is one model's, and it recovers by itself. */
import { expect, onTestFinished, test } from 'vitest'
import type { Rowcast } from '../../src/rowcast.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { OTHER, openScenario } from './scenario.ts'

const MODEL = buildModel(
  [
    buildField('id', 'Int'),
    buildField('word', 'String', { isRequired: false }),
    buildField('mood', 'String', { isRequired: false }),
  ],
  { name: 'Item', table: 'items' },
)
const SQL = `CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('good', 'bad');
  CREATE TABLE items (id int PRIMARY KEY, word citext, mood mood); CREATE TABLE others (id int PRIMARY KEY)`

/** Resolves with the next look at the slot and the tables: each makes a health of its own. */
async function looked(rowcast: Rowcast): Promise<void> {
  const { slotHealth } = rowcast.status()
  await expect.poll(() => rowcast.status().slotHealth === slotHealth).toBe(false)
}

test('an extension goes with its type, and is back; a label is renamed', async () => {
  const { sql, watch, rowcast } = await openScenario({ sql: SQL, models: [MODEL, OTHER] })
  const items = watch()
  const others = watch('Other')
  await sql("INSERT INTO items VALUES (1, 'Word', 'good')")
  await sql("ALTER TYPE mood RENAME VALUE 'good' TO 'fine'")
  await sql("INSERT INTO items VALUES (2, 'Word', 'fine')")
  expect((await items.take(2)).map((change) => change.new)).toEqual([
    { id: 1, word: 'Word', mood: 'good' },
    { id: 2, word: 'Word', mood: 'fine' },
  ])
  // The look that finds the column gone is waited for: the row would come before it, or behind it.
  const failure = items.failure()
  await sql('DROP EXTENSION citext CASCADE')
  await failure
  await expect.poll(() => rowcast.status().drifted).toEqual([])
  const refused = watch().failure()
  await sql("INSERT INTO items VALUES (3, 'bad')")
  await sql('INSERT INTO others VALUES (1)')
  expect(await refused).toMatchObject({ code: 'CATALOG_DRIFT' })
  expect((await others.next()).new).toEqual({ id: 1 })
  await sql('CREATE EXTENSION citext; ALTER TABLE items ADD COLUMN word citext')
  // The drift may be over before the look that finds the new column, which ends who is there: the second one from here has begun behind it.
  for (const _ of [1, 2]) await looked(rowcast)
  await expect.poll(() => rowcast.status().drifted).toEqual([])
  const again = watch('Item', await rowcast.changeCursor())
  await sql(`INSERT INTO items (id, word, mood) VALUES (4, E'A\\u0001b', 'fine')`)
  expect((await again.next()).new).toEqual({ id: 4, word: 'A\u0001b', mood: 'fine' })
  expect(rowcast.status()).toMatchObject({ isReady: true, lastError: null, failures: 0 })
})

test("the publication's owner loses all rights: changes go on", async () => {
  const { sql, watch, rowcast, database } = await openScenario({ sql: SQL, models: [MODEL, OTHER] })
  const owner = `owner_${database.name}`
  onTestFinished(async () => {
    await sql(`REASSIGN OWNED BY ${owner} TO CURRENT_USER; DROP OWNED BY ${owner}; DROP ROLE ${owner}`)
  })
  await sql(`CREATE ROLE ${owner} SUPERUSER; ALTER PUBLICATION rowcast OWNER TO ${owner}`)
  await expect.poll(() => rowcast.status().drifted).toEqual([])
  await sql(`ALTER ROLE ${owner} NOSUPERUSER NOLOGIN`)
  const others = watch('Other', await rowcast.changeCursor())
  await sql('INSERT INTO others VALUES (1)')
  expect((await others.next()).new).toEqual({ id: 1 })
})
