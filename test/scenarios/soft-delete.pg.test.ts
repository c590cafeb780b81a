/** Rows that are marked as deleted instead of deleted: reported as if they were. */
import { describe, expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast, takeChanges } from '../support/live-rowcast.ts'
import { ITEM, OTHER, openScenario, outline } from './scenario.ts'

const NOTE = buildModel(
  [...ITEM.fields, buildField('deletedAt', 'DateTime', { isRequired: false, column: 'deleted_at' })],
  { name: 'Item', table: 'items' },
)
const sql = `CREATE TABLE items (id int PRIMARY KEY, note text, deleted_at timestamp(3));
  CREATE TABLE others (id int PRIMARY KEY)`
const AT = new Date('2026-11-23T00:00:00Z')
const row = { id: 1, note: 'a', deletedAt: null }
const marked = { ...row, deletedAt: AT }
const register = { Item: { softDelete: 'deletedAt' } }
const MARK = `UPDATE items SET deleted_at = '2026-11-23'`

describe('softDelete', () => {
  it('reports marking as DELETE, taking the mark back as INSERT, and nothing of marked rows', async () => {
    const scenario = await openScenario({ sql, models: [NOTE, OTHER], register })
    const items = scenario.watch()
    await scenario.sql(`INSERT INTO items VALUES (1, 'a')`)
    await scenario.sql(`${MARK}, id = 2`)
    await scenario.sql(`UPDATE items SET note = 'hidden', id = 1`)
    await scenario.sql(`INSERT INTO items VALUES (9, 'born deleted', now())`)
    await scenario.sql('DELETE FROM items WHERE id = 9')
    await scenario.sql(`UPDATE items SET note = 'b', deleted_at = NULL`)
    await scenario.sql(`UPDATE items SET note = 'c'`)
    await scenario.sql('DELETE FROM items')
    await scenario.sql('TRUNCATE items')
    const changes = await items.take(6)
    expect(outline(changes)).toEqual([
      ['INSERT', null, row],
      ['DELETE', row, null],
      ['INSERT', null, { ...row, note: 'b' }],
      ['UPDATE', { ...row, note: 'b' }, { ...row, note: 'c' }],
      ['DELETE', { ...row, note: 'c' }, null],
      ['TRUNCATE', null, null],
    ])
    const [, gone, back, changed] = changes
    // The key of the row that is gone, not the one it went with.
    expect(gone).toMatchObject({ key: { id: 1 }, changed: [], unavailable: [] })
    expect(back).toMatchObject({ key: { id: 1 }, changed: [] })
    expect(changed).toMatchObject({ changed: ['note'] })
  })

  it('keeps what PostgreSQL did in `operation`', async () => {
    const scenario = await openScenario({ sql, models: [NOTE, OTHER], register })
    const items = scenario.watch()
    await scenario.sql(`INSERT INTO items VALUES (1, 'a')`)
    await scenario.sql(MARK)
    await scenario.sql('UPDATE items SET deleted_at = NULL')
    const [inserted, gone, back] = await items.take(3)
    expect(inserted?.operation).toMatchObject({ action: 'INSERT', old: null, new: row })
    expect(gone?.operation).toMatchObject({ action: 'UPDATE', old: row, new: marked })
    expect(back?.operation).toMatchObject({ action: 'UPDATE', old: marked, new: row })
  })

  it('works with a Boolean, in text form too', async () => {
    const model = buildModel([...ITEM.fields, buildField('isGone', 'Boolean')], {
      name: 'Item',
      table: 'items',
    })
    const scenario = await openScenario({
      sql: 'CREATE TABLE items (id int PRIMARY KEY, note text, "isGone" boolean NOT NULL DEFAULT false)',
      models: [model],
      register: { Item: { softDelete: 'isGone' } },
      options: { binary: false },
    })
    const items = scenario.watch()
    await scenario.sql('INSERT INTO items (id) VALUES (1)')
    await scenario.sql('UPDATE items SET "isGone" = true')
    await scenario.sql(`UPDATE items SET note = 'hidden'`)
    await scenario.sql('UPDATE items SET "isGone" = false')
    expect((await items.take(3)).map((change) => change.action)).toEqual(['INSERT', 'DELETE', 'INSERT'])
  })

  it('subscribes by the action that is reported, and shows rows as Prisma Client does', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database, { models: ['User'] })
    await live.rowcast.stop()
    const rowcast = createRowcast({ catalog, connectionString: database.url, slot: 'soft_delete_typed' })
    // Typed: only an optional DateTime or a Boolean will do.
    rowcast.register('User', { softDelete: 'deletedAt' })
    await rowcast.enable()
    rowcast.start()
    await rowcast.ready()
    const deletes = rowcast.subscribe('User', { action: 'DELETE' })
    const user = await live.prisma.user.create({ data: { email: 'ada@example.com' } })
    await live.prisma.user.update({ where: { id: user.id }, data: { deletedAt: AT } })
    const [gone] = await takeChanges(deletes, 1)
    expect(gone?.old).toStrictEqual(user)
    expect(gone?.operation.new).toStrictEqual(
      await live.prisma.user.findUniqueOrThrow({ where: { id: user.id } }),
    )
    await rowcast.stop()
  })

  it('says so, instead of guessing, when a change comes without the row before; and goes on after that', async () => {
    const scenario = await openScenario({ sql, models: [NOTE, OTHER], register })
    const [items, others] = [scenario.watch(), scenario.watch('Other')]
    await scenario.sql(`INSERT INTO items VALUES (1, 'a')`)
    await items.next()
    await scenario.sql('ALTER TABLE items REPLICA IDENTITY DEFAULT')
    await scenario.sql(MARK)
    expect(await items.failure()).toMatchObject({
      code: 'CATALOG_SOFT_DELETE_UNKNOWN',
      hint: expect.stringContaining('rowcast.enable()'),
    })
    expect(scenario.rowcast.status().drifted.map((each) => each.model)).toEqual(['Item'])
    expect(() => scenario.watch()).toThrow(/CATALOG_SOFT_DELETE_UNKNOWN/)
    await scenario.rowcast.enable()
    await scenario.sql('UPDATE items SET deleted_at = NULL')
    await expect.poll(() => scenario.rowcast.status().drifted).toEqual([])
    const again = scenario.watch()
    await scenario.sql(MARK)
    expect((await again.next()).action).toBe('DELETE')
    await scenario.sql('INSERT INTO others VALUES (1)')
    expect((await others.next()).action).toBe('INSERT')
  })
})
