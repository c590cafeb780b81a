/** The commands in a project of two databases: each is acted on and named, and one can be chosen. */
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { openCliFolder } from './run-cli.ts'

const TABLE = 'CREATE TABLE "Tag" (id int PRIMARY KEY, name text NOT NULL UNIQUE)'

it('enable, doctor, status, plan and disable act on each database and say which', async () => {
  await using main = await openDatabase()
  await using billing = await openDatabase()
  for (const database of [main, billing]) await database.query(TABLE)
  const sourceOf = (name: string, database: typeof main) =>
    `${name}: { createPrisma, slot: '${slotOf(database)}', models: { Tag: {} }, names: { Tag: '${name}Tag' }, catalog: small }`
  const config = [
    'catalog: undefined, createPrisma: undefined,',
    '...((small, createPrisma) => ({ sources: {',
    `${sourceOf('main', main)}, ${sourceOf('billing', billing)}`,
    '} }))({ ...catalog, enums: {}, joinTables: [], models: { Tag: { ...catalog.models.Tag, relations: [] } } }, () => ({ async $connect() {}, async $disconnect() {} })),',
  ].join('\n')
  const env = { MAIN_DATABASE_URL: main.url, BILLING_DATABASE_URL: billing.url }
  await using folder = await openCliFolder(env, config)
  const linesOf = (text: string): readonly object[] =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)

  const enabled = await folder.run(['enable', '--json'])
  expect(enabled).toMatchObject({ code: 0, stderr: '' })
  expect(linesOf(enabled.stdout)).toMatchObject([
    { source: 'main', done: true },
    { source: 'billing', done: true },
  ])
  expect((await folder.run(['enable'])).stdout).toMatch(
    /^Source main\n.*nothing to do\.\n\nSource billing\n.*nothing to do\.\n$/s,
  )
  const looked = await folder.run(['doctor', '--json'])
  expect(linesOf(looked.stdout)).toMatchObject([{ source: 'main' }, { source: 'billing' }])
  const status = await folder.run(['status', '--json', '--source', 'billing'])
  expect(linesOf(status.stdout)).toMatchObject([{ source: 'billing', slot: slotOf(billing) }])
  const disabled = await folder.run(['disable', '--yes', '--source', 'main'])
  expect(disabled).toMatchObject({ code: 0 })
  const planned = await folder.run(['plan', '--stdout'])
  expect(planned.stdout.match(/CREATE PUBLICATION/g)).toHaveLength(1)

  const ambiguous = await folder.run(['tail', '--limit', '1'])
  expect(ambiguous.code).toBe(1)
  expect(ambiguous.stderr).toMatch(/several sources: main, billing.*--source main/s)
  expect((await folder.run(['status', '--source', 'shop'])).stderr).toMatch(
    /no source "shop".*main, billing/s,
  )
})
