/** Types and rights that go while changes flow: what cannot be read is one model's, and it recovers by itself. */
import { expect, onTestFinished, test } from 'vitest'
import { isRowcastError } from '../../src/errors.ts'
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
  const failure = items.failure()
  await sql('DROP EXTENSION citext CASCADE')
  await sql("INSERT INTO items VALUES (3, 'bad')")
  await sql('INSERT INTO others VALUES (1)')
  // The look may be before the row: a client that was ended by a replaced table comes again, and hears what is amiss.
  const ended = await failure
  const said = isRowcastError(ended, 'RESYNC_REQUIRED') ? await watch().failure() : ended
  expect(said).toMatchObject({ code: 'CATALOG_DRIFT' })
  expect((await others.next()).new).toEqual({ id: 1 })
  await sql('CREATE EXTENSION citext; ALTER TABLE items ADD COLUMN word citext')
  await expect.poll(() => rowcast.status().drifted).toEqual([])
  const readAgain = async (id: number) => {
    const again = watch('Item', await rowcast.changeCursor())
    await sql(`INSERT INTO items (id, word, mood) VALUES (${id}, E'A\\u0001b', 'fine')`)
    expect((await again.next()).new).toEqual({ id, word: 'A\u0001b', mood: 'fine' })
  }
  // The look that finds the new column may come behind the cursor: it ends who is there, once.
  await readAgain(4).catch((error: unknown) => {
    expect(error).toMatchObject({ code: expect.stringMatching(/^(RESYNC_REQUIRED|SOURCE_TABLE_CHANGED)$/) })
    return readAgain(5)
  })
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
