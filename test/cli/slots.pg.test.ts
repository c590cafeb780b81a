/** `rowcast slots` on a real server: what renamed deployments left behind is found and dropped, and nothing else is. */
import { describe, expect, it } from 'vitest'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { defaultSlot } from '../../src/source/facts/default-slot.ts'
import { skipMarkName } from '../../src/source/setup/skip-marks.ts'
import { dropFromInventory } from '../../src/source/slot/slot-inventory.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { openService } from '../support/live-service.ts'
import { openCliFolder } from './run-cli.ts'

interface Listed {
  readonly name: string
  readonly origin: string
  readonly heldBytes: number
  readonly isLeftBehind: boolean
}

const makeSlot = (database: TestDatabase, name: string, plugin = 'pgoutput') =>
  database.query('SELECT pg_create_logical_replication_slot($1, $2)', [name, plugin])

const isThere = async (database: TestDatabase, name: string) =>
  (await database.query('SELECT FROM pg_replication_slots WHERE slot_name = $1', [name])).length === 1

describe('rowcast slots', () => {
  it('lists each slot of rowcast with what it holds and whose it is; drops what was left behind, and nothing else', async () => {
    await using database = await openDatabase({ migrate: true })
    await using other = await openDatabase()
    const own = slotOf(database)
    const renamed = `rowcast_${database.name}_old`
    const custom = `shop_${database.name}`
    const ofOther = defaultSlot(other.name)
    const spare = `decoding_${database.name}`
    const mark = skipMarkName(`gone_${database.name}`, toLsn(0x10n))
    // Ahead of the slot: one that it has passed its reader drops.
    const markBeside = skipMarkName(own, toLsn(0x7fff_ffff_0000_0000n))
    const env = { DATABASE_URL: database.url, ROWCAST_SLOT: own, ROWCAST_PUBLICATION: 'rowcast' }
    await using folder = await openCliFolder(env)
    await makeSlot(database, renamed)
    await makeSlot(database, custom)
    await makeSlot(database, spare, 'test_decoding')
    await makeSlot(other, ofOther)
    for (const name of [mark, markBeside])
      await database.query('SELECT pg_create_physical_replication_slot($1)', [name])
    await database.query(`SELECT pg_logical_emit_message(false, 'test', repeat('x', 100000))`)
    const drop = (name: string, isForeign = false) =>
      dropFromInventory(database.target, { name, project: own, isForeign })
    try {
      await using service = await openService(database)
      await service.service.rowcast.ready()
      const { code, stdout } = await folder.run(['slots', '--json'])
      const { slots } = JSON.parse(stdout) as { slots: readonly Listed[] }
      const about = (name: string) => slots.find((slot) => slot.name === name)
      expect(code).toBe(3)
      expect(about(own)).toMatchObject({
        ...{ origin: 'project', reader: `rowcast: ${own}`, database: database.name, isLeftBehind: false },
      })
      expect(about(renamed)).toMatchObject({ origin: 'name', walStatus: 'reserved', isLeftBehind: true })
      expect(about(renamed)?.heldBytes).toBeGreaterThan(100_000)
      expect(about(ofOther)).toMatchObject({ origin: 'default', database: other.name, isLeftBehind: true })
      expect(about(custom)).toMatchObject({ origin: 'unknown', isLeftBehind: false })
      expect(about(spare)).toMatchObject({ origin: 'unknown', isLeftBehind: false })
      expect(about(mark)).toMatchObject({ origin: 'mark', markOf: null, isLeftBehind: true })
      expect(about(markBeside)).toMatchObject({ origin: 'mark', markOf: own, isLeftBehind: false })
      const printed = (await folder.run(['slots'])).stdout
      expect(printed).toMatch(
        new RegExp(`${own}  this project's of database ${database.name}\n +holds .* read by process`),
      )
      expect(printed).toContain('rowcast slots --drop ')

      // One that is read stays, whoever asks; so does what nothing says that it is ours.
      const active = await folder.run(['slots', '--drop', own, '--foreign'])
      expect([active.code, active.stderr]).toEqual([
        1,
        expect.stringMatching(/SOURCE_SLOT_IN_USE.*is not dropped/s),
      ])
      const foreign = { code: 'CLI_BAD_OPTION', hint: expect.stringContaining('--foreign') }
      for (const name of [custom, spare]) await expect(drop(name)).rejects.toMatchObject(foreign)
      await expect(drop('no_such_slot')).rejects.toMatchObject({ code: 'CLI_BAD_OPTION' })
    } finally {
      await database.query(
        'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1',
        [markBeside],
      )
    }
    await expect(drop(own, true)).rejects.toMatchObject({ hint: expect.stringContaining('rowcast disable') })
    for (const name of [own, custom, spare]) expect(await isThere(database, name)).toBe(true)

    const dropped = await folder.run(['slots', '--drop', renamed])
    expect(dropped).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining(`"${renamed}"`) })
    for (const name of [ofOther, mark]) await drop(name)
    await drop(custom, true)
    for (const name of [renamed, ofOther, mark, custom]) expect(await isThere(database, name)).toBe(false)
  }, 60_000)

  it('a role that may not drop hears so, and the slot stays', async () => {
    await using database = await openDatabase({ migrate: true })
    const role = `looker_${database.name}`
    const slot = `rowcast_${database.name}_old`
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'looker'`)
    try {
      await makeSlot(database, slot)
      const url = new URL(database.url)
      url.username = role
      url.password = 'looker'
      await expect(
        dropFromInventory(parseConnectionTarget(url.href), { name: slot, project: 'rowcast_none' }),
      ).rejects.toMatchObject({ code: 'SOURCE_PERMISSION_DENIED' })
      expect(await isThere(database, slot)).toBe(true)
    } finally {
      await database.query(`DROP ROLE ${role}`)
    }
  })
})
