/** Names made to break out of SQL, as schema, table, column and publication: set up, streamed and read back. */
import { expect, it } from 'vitest'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { quoteIdentifier, quoteQualified } from '../../src/wire/quote.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'

/** PostgreSQL takes any character but zero, up to 63 bytes. */
const NAMES: readonly string[] = [
  'quo"te',
  '"',
  '""; DROP TABLE victim; --',
  "apos'trophe'; DROP TABLE victim; --",
  'back\\slash\\"',
  '$$dollar$$ $1 %s %I',
  'dot.ted."public"',
  'line\nbreak\ttab',
  'select',
  'UPPER lower',
  'naïve 日本語 🐘',
  '\u202eright to left',
  '\n\\! kill -9 0\n\\q',
  'escape\u001b[2J\u009b2J\u007f',
  `${'é'.repeat(31)}x`,
  `${'"'.repeat(62)}x`,
]
const SCHEMA = 'sch"ema; DROP SCHEMA public CASCADE; --'
const PUBLICATION = 'pub"lication\'; DROP TABLE victim; --'

it('every name is only a name', async () => {
  await using database = await openDatabase()
  await database.query('CREATE TABLE victim (id int)')
  await database.query(`CREATE SCHEMA ${quoteIdentifier(SCHEMA)}`)
  const models = NAMES.map((name, i) => {
    const fields = [
      buildField('id', 'Int', { column: `id ${name}`.slice(0, 20) }),
      buildField('value', 'String', { column: name }),
    ]
    return buildModel(fields, { name: `Model${i}`, schema: i % 2 === 0 ? SCHEMA : 'public', table: name })
  })
  for (const { schema, table, fields } of models) {
    const [id, value] = fields.map(({ column }) => quoteIdentifier(column))
    await database.query(
      `CREATE TABLE ${quoteQualified(schema ?? '', table)} (${id} int PRIMARY KEY, ${value} text)`,
    )
  }
  const catalog: ModelCatalog = {
    formatVersion: 1,
    models: Object.fromEntries(models.map((model) => [model.name, model])),
    enums: {},
    joinTables: [],
  }
  const rowcast = createRowcast({
    catalog,
    connectionString: database.url,
    slot: slotOf(database),
    publication: PUBLICATION,
  })
  await using _stopped = { [Symbol.asyncDispose]: () => rowcast.stop() }
  for (const { name } of models) rowcast.register(name)
  await rowcast.enable()
  expect(await rowcast.enable()).toEqual([])
  rowcast.start()
  await rowcast.ready()
  for (const { name, schema, table, fields } of models) {
    const changes = rowcast.subscribe(name)
    const target = quoteQualified(schema ?? '', table)
    const value = quoteIdentifier(fields[1]?.column ?? '')
    await database.query(`INSERT INTO ${target} VALUES (1, $1)`, [table])
    await database.query(`UPDATE ${target} SET ${value} = 'after'`)
    await database.query(`DELETE FROM ${target}`)
    expect((await changes.next()).value).toMatchObject({ action: 'INSERT', new: { id: 1, value: table } })
    expect((await changes.next()).value).toMatchObject({
      action: 'UPDATE',
      old: { value: table },
      new: { value: 'after' },
      changed: ['value'],
    })
    expect((await changes.next()).value).toMatchObject({ action: 'DELETE', old: { id: 1, value: 'after' } })
    await changes.return?.()
  }
  const [kept] = await database.query<{ kept: boolean }>(
    `SELECT to_regclass('public.victim') IS NOT NULL AS kept`,
  )
  expect(kept?.kept).toBe(true)
})
