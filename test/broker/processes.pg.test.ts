/** `rowcast serve --role …` as processes: two taps and a gateway; the tap that reads is killed, and the other takes over. */
import { describe, expect, it } from 'vitest'
import { openCliFolder, type RunningCli } from '../cli/run-cli.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { createWsClient } from '../support/ws-client.ts'

interface TagChanged {
  readonly tagChanged: { readonly new: { readonly name: string } }
}

interface Served {
  readonly process: RunningCli
  readonly url: string
}

const NET = { timeout: 60_000 }

async function urlOf(process: RunningCli): Promise<string> {
  for (;;) {
    const { url } = JSON.parse(await process.nextLine()) as { readonly url?: string }
    if (url !== undefined) return url
  }
}

async function healthOf({ url }: Served): Promise<unknown> {
  const answer = await fetch(`${url}/health/ready`)
  return { httpStatus: answer.status, ...((await answer.json()) as object) }
}

describe.skipIf(NO_REDIS !== null)('rowcast serve --role', () => {
  it('tap, twice: health shows which one reads, and when that one is killed the other goes on where it was', {
    timeout: 180_000,
  }, async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using folder = await openCliFolder(
      { DATABASE_URL: database.url, REDIS_URL: redis.url, ROWCAST_SLOT: slotOf(database) },
      'models: { Tag: {} }, public: true',
    )
    const running: RunningCli[] = []
    const serve = async (role: string): Promise<Served> => {
      const process = folder.start(['serve', '--role', role, '--port', '0'])
      running.push(process)
      return { process, url: await urlOf(process) }
    }
    const insert = (name: string) => database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])
    try {
      const first = await serve('tap')
      const active = { httpStatus: 200, role: 'tap', isActiveTap: true, replication: 'streaming' }
      await expect.poll(() => healthOf(first), NET).toMatchObject(active)
      const second = await serve('tap')
      const standby = { httpStatus: 200, role: 'tap', isActiveTap: false, replication: 'standby' }
      await expect.poll(() => healthOf(second), NET).toMatchObject(standby)
      const gateway = await serve('gateway')
      await expect.poll(() => healthOf(gateway), NET).toMatchObject({ httpStatus: 200, role: 'gateway' })
      expect(await healthOf(gateway)).not.toHaveProperty('isActiveTap')

      const client = createWsClient(gateway.url)
      const changes = client.subscribe<TagChanged>('subscription { tagChanged { new { name } } }')
      const next = async () => (await changes.nextData(NET.timeout)).tagChanged.new.name
      const isSubscribed = async () => ((await healthOf(gateway)) as { subscriptions: number }).subscriptions
      await expect.poll(isSubscribed, NET).toBe(1)
      await insert('before')
      expect(await next()).toBe('before')
      await Promise.all([first.process.stop('SIGKILL'), insert('while it dies')])
      await insert('while nobody reads, or already the other')
      expect([await next(), await next()]).toEqual([
        'while it dies',
        'while nobody reads, or already the other',
      ])
      await expect.poll(() => healthOf(second), NET).toMatchObject(active)
      await client.close()
    } finally {
      await Promise.all(running.map((process) => process.stop('SIGKILL')))
    }
  })
})
