/** `rowcast serve` as a process that a supervisor ends: nothing lost, the slot let go, exit code 0. */
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { createWsClient } from '../support/ws-client.ts'
import { openCliFolder } from './run-cli.ts'

interface TagChanged {
  readonly tagChanged: { readonly cursor: string; readonly new: { readonly name: string } }
}

const QUERY = 'subscription { tagChanged { cursor new { name } } }'

it('SIGTERM: what waits is delivered, clients learn where to go on, PostgreSQL that all is read', async () => {
  await using database = await openDatabase({ migrate: true })
  const slot = slotOf(database)
  await using folder = await openCliFolder(
    { DATABASE_URL: database.url, ROWCAST_SLOT: slot },
    'models: { Tag: {} }',
  )
  const served = folder.start(['serve', '--port', '0'])
  const urlOf = (line: string) => (JSON.parse(line) as { readonly url?: string }).url
  let url: string | undefined
  while (url === undefined) url = urlOf(await served.nextLine())
  const health = async () => (await fetch(`${url}/health/ready`)).status
  await expect.poll(health, { timeout: 40_000 }).toBe(200)

  const client = createWsClient(url, { rowcast: { resumes: true } })
  const changes = client.subscribe<TagChanged>(QUERY)
  const readers = async () => {
    const answer = await (await fetch(`${url}/health/ready`)).json()
    return (answer as { readonly subscriptions: number }).subscriptions
  }
  await expect.poll(readers, { timeout: 40_000 }).toBe(1)
  await database.query(`INSERT INTO "Tag" (name) VALUES ('one'), ('two')`)
  expect((await changes.nextData()).tagChanged.new.name).toBe('one')
  const { code, stdout } = await served.stop('SIGTERM')
  expect(code).toBe(0)
  expect((await changes.nextData()).tagChanged.new.name).toBe('two')
  const end = await changes.ended()
  expect(end.kind === 'errors' && end.errors[0]?.extensions).toMatchObject({
    code: 'SERVER_STOPPING',
    cursor: expect.any(String),
  })
  expect((await client.closed()).code).toBe(1012)
  expect(stdout).toContain('Stopping.')
  const [row] = await database.query<{ readonly isActive: boolean }>(
    `SELECT active AS "isActive" FROM pg_replication_slots WHERE slot_name = $1`,
    [slot],
  )
  expect(row).toEqual({ isActive: false })
})

it('SIGTERM ends it although PostgreSQL has fallen silent while it was set up', async () => {
  await using database = await openDatabase({ migrate: true })
  let silent = 0
  await using proxy = await openTcpProxy(database.target.port, {
    intercept(bytes, { direction }) {
      if (direction === 'toClient') silent += bytes.length
      return bytes.subarray(0, 0)
    },
  })
  const url = new URL(database.url)
  url.port = String(proxy.port)
  const config = { DATABASE_URL: url.href, ROWCAST_SLOT: slotOf(database) }
  await using folder = await openCliFolder(config, 'models: { Tag: {} }, answerTimeoutMs: 600_000')
  const served = folder.start(['serve', '--port', '0'])
  await served.nextLine()
  await expect.poll(() => proxy.accepted, { timeout: 40_000 }).toBeGreaterThan(0)
  const { code, stdout } = await served.stop('SIGTERM')
  expect({ code, silent }).toEqual({ code: 0, silent: 0 })
  expect(stdout).toContain('Stopping.')
})
