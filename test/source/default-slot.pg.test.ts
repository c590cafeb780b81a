/** Two projects on one server, neither of which names its slot; and a database with the slot of an earlier version. */
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase } from '../support/database.ts'

const SLOTS_SQL = 'SELECT slot_name AS name, database FROM pg_replication_slots'
const OWN_SLOTS_SQL = `${SLOTS_SQL} WHERE database = current_database()`

it('each has a slot of its own', async () => {
  await using shop = await openDatabase({ migrate: true })
  await using blog = await openDatabase({ migrate: true })
  for (const database of [shop, blog]) {
    const rowcast = createRowcast({ connectionString: database.url, catalog })
    rowcast.register('User')
    await rowcast.enable()
    rowcast.start()
    await rowcast.ready()
    const first = rowcast.subscribe('User')[Symbol.asyncIterator]().next()
    await database.query(`INSERT INTO users (email) VALUES ('ada@example.com')`)
    expect((await first).value).toMatchObject({ action: 'INSERT', new: { email: 'ada@example.com' } })
    await rowcast.stop()
  }
  const names = [shop, blog].map(({ name }) => ({ name: `rowcast_${name}`, database: name }))
  expect(await shop.query(SLOTS_SQL)).toEqual(expect.arrayContaining(names))
  for (const database of [shop, blog]) {
    const rowcast = createRowcast({ connectionString: database.url, catalog })
    rowcast.register('User')
    await rowcast.disable()
  }
})

it('a slot of the former default is not left to hold WAL: a person says which', async () => {
  await using database = await openDatabase({ migrate: true })
  await database.query(`SELECT pg_create_logical_replication_slot('rowcast', 'pgoutput')`)
  const build = (slot?: string) => {
    const rowcast = createRowcast({ connectionString: database.url, catalog, slot })
    rowcast.register('User')
    return rowcast
  }
  await expect(build().enable()).rejects.toMatchObject({
    code: 'SOURCE_SLOT_RENAMED',
    hint: expect.stringContaining("slot: 'rowcast'"),
  })
  // Whoever writes the name of the default has said which.
  await build(`rowcast_${database.name}`).enable()
  await build(`rowcast_${database.name}`).disable()
  await build('rowcast').enable()
  expect(await database.query(OWN_SLOTS_SQL)).toEqual([{ name: 'rowcast', database: database.name }])
})
