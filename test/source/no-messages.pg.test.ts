/** A role that may not write messages: gaps are found all the same, and nothing that PostgreSQL refuses is run again and again. */
import { expect, it, onTestFinished } from 'vitest'
import { buildRowcast, TABLES } from '../scenarios/scenario.ts'
import { openDatabase } from '../support/database.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

it('finds gaps, and runs no statement that is refused', async () => {
  const database = await openDatabase()
  onTestFinished(() => database[Symbol.asyncDispose]())
  const role = `quiet_${database.name}`
  await database.query(`${TABLES}; CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'quiet'`)
  onTestFinished(async () => {
    await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  })
  const functions = await database.query<{ name: string }>(
    `SELECT oid::regprocedure::text AS name FROM pg_proc WHERE proname = 'pg_logical_emit_message'`,
  )
  for (const { name } of functions) await database.query(`REVOKE EXECUTE ON FUNCTION ${name} FROM PUBLIC`)
  await buildRowcast(database).enable()

  let written = 0
  const proxy = await openTcpProxy(Number(database.target.port), {
    intercept(bytes) {
      if (bytes.includes('pg_logical_emit_message(true')) written += 1
      return bytes
    },
  })
  onTestFinished(() => proxy[Symbol.asyncDispose]())
  const connectionString = `postgresql://${role}:quiet@127.0.0.1:${proxy.port}/${database.name}`
  const rowcast = buildRowcast(database, { options: { connectionString, watchIntervalMs: 50 } })
  onTestFinished(() => rowcast.stop())
  rowcast.start()
  await rowcast.ready()
  for (let round = 0; round < 3; round += 1) {
    const items = rowcast.subscribe('Item')
    const ended = items.next()
    await database.query('ALTER PUBLICATION rowcast DROP TABLE items')
    await expect(ended).rejects.toMatchObject({ code: 'SOURCE_TABLE_NOT_PUBLISHED' })
    await database.query('ALTER PUBLICATION rowcast ADD TABLE items')
    await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
  }
  expect(rowcast.status().isReady).toBe(true)
  expect(written).toBe(0)
})
