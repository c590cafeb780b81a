/** `record` and `replay`: what was reported once is reported again, with no PostgreSQL. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openRecording } from '../../src/cli/recording.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { untilLooking } from './look-slots.ts'
import { openCliFolder } from './run-cli.ts'

const envOf = (database: TestDatabase, url = database.url) => ({
  DATABASE_URL: url,
  ROWCAST_SLOT: slotOf(database),
  ROWCAST_PUBLICATION: 'rowcast',
})

describe('record and replay', () => {
  it('give back what was reported, with no PostgreSQL', async () => {
    await using database = await openDatabase({ migrate: true })
    await using folder = await openCliFolder(envOf(database), 'models: { Tag: {}, User: {} }')
    await folder.run(['enable'])
    const recorder = folder.start(['record', 'changes.rec'])
    await recorder.said('Recording')
    const tail = folder.start(['tail', '--json'])
    await untilLooking(database, 2)
    await database.query(
      `INSERT INTO users (email, balance, storage_bytes) VALUES ('a@x', 1.50, 9007199254740993)`,
    )
    await database.query(`UPDATE users SET tags = '{a,b}', avatar = '\\x00ff'`)
    await database.query('DELETE FROM users')
    const reported = [await tail.nextLine(), await tail.nextLine(), await tail.nextLine()]
    await tail.stop()
    const recorded = await recorder.stop()
    expect(recorded.code).toBe(0)
    expect(recorded.stderr).toMatch(/\d+ messages/)
    expect(recorded.stderr).toContain('hidden fields too: keep it as you keep a dump')

    const nowhere = { DATABASE_URL: '' }
    const replayed = await folder.run(['replay', 'changes.rec', '--json'], nowhere)
    expect(replayed).toMatchObject({ code: 0, stderr: '' })
    expect(replayed.stdout.trim().split('\n')).toEqual(reported)
    expect((await folder.run(['replay', 'changes.rec', 'Tag'], nowhere)).stderr).toContain('0 changes')

    // Cut in the middle of the last frame: all before it is there.
    const bytes = await readFile(join(folder.path, 'changes.rec'))
    await writeFile(join(folder.path, 'cut.rec'), bytes.subarray(0, bytes.length - 3))
    const cut = await folder.run(['replay', 'cut.rec', '--json'], nowhere)
    expect(cut.stderr).toContain('within a message')
    expect(cut.stdout.trim().split('\n')).toEqual(reported.slice(0, 2))
    for (const file of ['rowcast.config.ts', 'absent.rec']) {
      const refused = await folder.run(['replay', file], nowhere)
      expect(refused.code).toBe(1)
      expect(refused.stderr).toContain('RECORDING_UNREADABLE')
    }
  })
})

it('replay --serve plays a recording to whoever subscribes, through the whole of the server', async () => {
  await using database = await openDatabase({ migrate: true })
  await using folder = await openCliFolder(envOf(database), 'models: { Tag: {} }')
  await folder.run(['enable'])
  const recorder = folder.start(['record', 'tags.rec'])
  await recorder.said('Recording')
  for (const name of ['a', 'b']) await database.query(`INSERT INTO "Tag" (name) VALUES ('${name}')`)
  await database.query(`UPDATE "Tag" SET color = '#00ff00' WHERE name = 'b'`)
  // Begin, row and commit of each, and the relation once.
  await expect.poll(() => messagesOf(join(folder.path, 'tags.rec')), { timeout: 30_000 }).toBe(10)
  expect((await recorder.stop()).stderr).toContain('10 messages')
  expect((await folder.run(['record', 'tags.rec'])).stderr).toContain('RECORDING_UNREADABLE')

  const player = folder.start(['replay', 'tags.rec', '--serve', '--interval', '1', '--port', '0'], {
    DATABASE_URL: '',
  })
  await player.said('somebody subscribes')
  await player.nextLine()
  const [, url = ''] = /(http:\S+)\/graphql/.exec(await player.nextLine()) ?? []
  const tags = await subscribeSse<{ tagChanged: { new: { name: string; color: string | null } } }>(
    url,
    'subscription { tagChanged(where: { name: { equals: "b" } }) { old { name color } new { name color } } }',
  )
  expect((await tags.nextData(30_000)).tagChanged.new).toEqual({ name: 'b', color: null })
  expect((await tags.nextData(30_000)).tagChanged).toEqual({
    old: { name: 'b', color: null },
    new: { name: 'b', color: '#00ff00' },
  })
  tags.unsubscribe()
  expect((await player.stop()).code).toBe(0)
})

async function messagesOf(file: string): Promise<number> {
  const recording = await openRecording(file)
  let count = 0
  for await (const _ of recording.frames()) count += 1
  await recording.close()
  return count
}
