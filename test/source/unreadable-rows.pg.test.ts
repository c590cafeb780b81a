/** Rows that PostgreSQL cannot send as it is asked: another form, or a name for the change and a way past it. */
import { expect, test } from 'vitest'
import { isRowcastError, type RowcastError } from '../../src/errors.ts'
import { skipSlot } from '../../src/source/skip-slot.ts'
import { parseLsn } from '../../src/wire/lsn.ts'
import { openScenario, TABLES } from '../scenarios/scenario.ts'
import { slotOf } from '../support/live-rowcast.ts'

test('a type without a send function: the stream goes on in text form, and nothing is lost or repeated', async () => {
  const { sql, watch, rowcast } = await openScenario({
    sql: `${TABLES}; ALTER TABLE items ADD COLUMN acl aclitem[]`,
  })
  const items = watch()
  const others = watch('Other')
  await sql("INSERT INTO items VALUES (1, 'plain')")
  await sql(
    "INSERT INTO items SELECT 2, 'ä€', ARRAY[makeaclitem(oid, oid, 'SELECT', false)] FROM pg_roles LIMIT 1",
  )
  await sql('INSERT INTO others VALUES (7)')
  await sql("UPDATE items SET note = 'later' WHERE id = 2")
  expect((await items.take(3)).map(({ action, new: row }) => [action, row])).toEqual([
    ['INSERT', { id: 1, note: 'plain' }],
    ['INSERT', { id: 2, note: 'ä€' }],
    ['UPDATE', { id: 2, note: 'later' }],
  ])
  expect((await others.next()).new).toEqual({ id: 7 })
  expect(rowcast.status()).toMatchObject({ isReady: true, lastError: null, failures: 0 })
})

test.each(['text', 'binary'])(
  'a SQL_ASCII database with a byte of no UTF-8: that value alone is unreadable (%s)',
  async (form) => {
    const { sql, watch, rowcast } = await openScenario({
      encoding: 'SQL_ASCII',
      options: { binary: form === 'binary' },
    })
    const items = watch()
    await sql("INSERT INTO items VALUES (1, 'fine \u00e9')")
    await sql("INSERT INTO items VALUES (2, E'bad \\xff')")
    await sql("INSERT INTO items VALUES (3, 'fine')")
    const [first, second, third] = await items.take(3)
    expect(first?.new).toEqual({ id: 1, note: 'fine \u00e9' })
    expect(second?.new).toMatchObject({
      id: 2,
      note: { reason: 'unreadable', value: Uint8Array.from(Buffer.from('bad \xff', 'latin1')) },
    })
    expect(third?.new).toEqual({ id: 3, note: 'fine' })
    expect(rowcast.status()).toMatchObject({ isReady: true, lastError: null })
  },
)

/** A row whose enum has lost its label: no form helps. */
async function openPoison() {
  const scenario = await openScenario({
    sql: `CREATE TYPE mood AS ENUM ('good', 'bad'); ${TABLES}; ALTER TABLE items ADD COLUMN mood mood`,
    options: { logger: collect() },
  })
  return scenario
}

const logged: { level: string; code: unknown }[] = []

function collect() {
  logged.length = 0
  const log =
    (level: string) =>
    (_message: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void logged.push({ level, code: fields['code'] })
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
}

test('a change that no form can bring: it is named, the waits grow, and skip goes past it with a gap', async () => {
  const { database, sql, watch, rowcast } = await openPoison()
  const first = watch()
  await sql("INSERT INTO items VALUES (1, 'secret', 'bad')")
  await first.next()
  await sql("DELETE FROM pg_enum WHERE enumlabel = 'bad'")
  await sql("UPDATE items SET note = 'secret two' WHERE id = 1")
  await sql('INSERT INTO others VALUES (1)')
  await expect.poll(() => rowcast.status().lastError?.code, { timeout: 30_000 }).toBe('SOURCE_ROW_UNREADABLE')
  await expect.poll(() => rowcast.status().failures, { timeout: 30_000 }).toBeGreaterThan(1)
  const status = rowcast.status()
  const error = status.lastError as RowcastError
  expect(status.isReady).toBe(false)
  expect(error.details).toMatchObject({ sqlstate: '22P03', table: 'public.items' })
  expect(error.message).toMatch(/rowcast skip --to [0-9A-F]+\/[0-9A-F]+/)
  expect(error.message).not.toContain('secret')
  expect(logged.filter(({ code, level }) => code === error.code && level === 'error')).toHaveLength(1)

  const others = watch('Other')
  const to = parseLsn(String(error.details['skipTo']))
  const request = { slot: slotOf(database), to, patienceMs: 30_000 }
  expect(await skipSlot(database.target, { ...request, isDry: true })).toMatchObject({
    to: error.details['skipTo'],
  })
  await skipSlot(database.target, { ...request, isDry: false })
  await expect(skipSlot(database.target, { ...request, isDry: false })).rejects.toThrow('CLI_BAD_OPTION')
  expect(isRowcastError(await first.failure(), 'RESYNC_REQUIRED')).toBe(true)
  expect(isRowcastError(await others.failure(), 'RESYNC_REQUIRED')).toBe(true)
  await rowcast.ready()
  expect(rowcast.status()).toMatchObject({ isReady: true, lastError: null, failures: 0 })
  const after = watch('Other')
  await sql('INSERT INTO others VALUES (2)')
  await expect.poll(async () => (await after.next()).new).toEqual({ id: 2 })
})
