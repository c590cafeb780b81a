/**
 * One process, restarted: a client of a model that nobody writes to comes back behind what others have written, when the slot
 * has forgotten all of that, and nobody asks it to read all rows again. It does where its model has changed meanwhile.
 */
import { expect, it } from 'vitest'
import { parseLsn } from '../../src/wire/lsn.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import type { ResultQueue } from '../support/result-queue.ts'
import { createWsClient } from '../support/ws-client.ts'
import { openCliFolder, type RunningCli } from './run-cli.ts'

const NET = { timeout: 60_000 }

interface Changed {
  readonly changed: { readonly cursor: string; readonly new: { readonly text: string } }
}

const documentOf = (model: 'tag' | 'user'): string => {
  const field = model === 'tag' ? 'name' : 'email'
  return `subscription ($after: Cursor) { changed: ${model}Changed(after: $after) { cursor new { text: ${field} } } }`
}

it('a client of a quiet model resumes behind an orderly restart, and behind a kill', async () => {
  await using database = await openDatabase({ migrate: true })
  await using folder = await openCliFolder(
    { DATABASE_URL: database.url, ROWCAST_SLOT: slotOf(database) },
    'models: { Tag: {}, User: {} }, public: true, watchIntervalMs: 100, retain: { bytes: 0, minutes: 0 }',
  )
  const running: RunningCli[] = []
  const serve = async () => {
    const process = folder.start(['serve', '--port', '0'])
    running.push(process)
    const url = await urlOf(process)
    await expect.poll(async () => (await fetch(`${url}/health/ready`)).status, NET).toBe(200)
    return { process, url }
  }
  const insertTag = (name: string) => database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])
  const insertUser = (email: string) => database.query('INSERT INTO users (email) VALUES ($1)', [email])
  /** WAL of others, until the slot has nothing of before any more. */
  const forget = async () => {
    const [now] = await database.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
    const isForgotten = async () => {
      await database.query(`SELECT pg_logical_emit_message(true, 'others', repeat('x', 100000))`)
      const [slot] = await database.query<{ lsn: string }>(
        'SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = $1',
        [slotOf(database)],
      )
      return parseLsn(slot?.lsn ?? '0/0') > parseLsn(now?.lsn ?? '0/0')
    }
    await expect.poll(isForgotten, NET).toBe(true)
  }
  const subscribe = (url: string, model: 'tag' | 'user', after?: string) => {
    const client = createWsClient(url)
    const results = client.subscribe<Changed>(documentOf(model), { after })
    return { client, results, next: async () => (await results.nextData(NET.timeout)).changed }
  }
  /** What a client gets first that goes on after the cursor. */
  const resume = async (url: string, model: 'tag' | 'user', after: string): Promise<string> => {
    const { client, results } = subscribe(url, model, after)
    try {
      await expect.poll(async () => results.length > 0 || (await isOver(results)), NET).toBe(true)
      if (results.length > 0) return (await results.nextData()).changed.new.text
      const end = await results.ended()
      return end.kind === 'errors' ? String(end.errors[0]?.extensions?.['code']) : end.kind
    } finally {
      await client.close()
    }
  }
  try {
    const first = await serve()
    const [tags, users] = [subscribe(first.url, 'tag'), subscribe(first.url, 'user')]
    await expect.poll(() => subscriptionsOf(first.url), NET).toBe(2)
    await insertTag('seen')
    await insertUser('seen@example.com')
    await insertUser('last@example.com')
    const cursors = {
      tag: (await tags.next()).cursor,
      stale: (await users.next()).cursor,
      user: (await users.next()).cursor,
    }
    await Promise.all([tags.client.close(), users.client.close()])
    await forget()
    await first.process.stop('SIGTERM')
    await insertTag('while it is away')

    const second = await serve()
    expect(await resume(second.url, 'tag', cursors.tag)).toBe('while it is away')
    await forget()
    await second.process.stop('SIGKILL')
    await insertUser('later@example.com')

    // The process in between has seen nothing of this model itself.
    const third = await serve()
    expect(await resume(third.url, 'user', cursors.user)).toBe('later@example.com')
    expect(await resume(third.url, 'user', cursors.stale)).toBe('RESYNC_REQUIRED')
    expect(await resume(third.url, 'tag', cursors.tag)).toBe('RESYNC_REQUIRED')
  } finally {
    await Promise.all(running.map((process) => process.stop('SIGKILL')))
  }
})

function isOver(results: ResultQueue<unknown>): Promise<boolean> {
  return results.ended(0).then(
    () => true,
    () => false,
  )
}

async function urlOf(process: RunningCli): Promise<string> {
  for (;;) {
    const { url } = JSON.parse(await process.nextLine()) as { readonly url?: string }
    if (url !== undefined) return url
  }
}

async function subscriptionsOf(url: string): Promise<unknown> {
  return ((await (await fetch(`${url}/health/ready`)).json()) as { readonly subscriptions: number })
    .subscriptions
}
