/** Time zone and locale of the host: what is delivered is the same under any. */
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { openCliFolder } from './run-cli.ts'

it('a change is the same text, whatever time zone and locale the process runs under', async () => {
  await using database = await openDatabase({ migrate: true })
  const env = { DATABASE_URL: database.url, ROWCAST_SLOT: slotOf(database), ROWCAST_PUBLICATION: 'rowcast' }
  await using folder = await openCliFolder(env)
  await folder.run(['enable'])
  // Letters whose cases differ in Turkish, and the hour that summer time skips in New York.
  await database.query(
    `INSERT INTO users (email, created_at, birth_date, balance) VALUES ('IiİıẞÄ@example.org', '2026-03-08 02:30:00.123+00', '1999-12-31', 1234.50)`,
  )
  const read = (more: Record<string, string>) =>
    folder.run(['tail', 'User', '--from', 'earliest', '--json', '--limit', '1'], more)
  const [plain, ...others] = await Promise.all([
    read({ TZ: 'UTC', LC_ALL: 'C' }),
    read({ TZ: 'America/New_York', LC_ALL: 'tr_TR.UTF-8' }),
    read({ TZ: 'Pacific/Apia', LANG: 'ja_JP.UTF-8' }),
  ])
  expect(JSON.parse(plain.stdout)).toMatchObject({
    new: { email: 'IiİıẞÄ@example.org', createdAt: '2026-03-08T02:30:00.123Z', balance: '1234.5' },
  })
  for (const other of others) expect(other.stdout).toBe(plain.stdout)
}, 60_000)
