/** Positions for clients for whom nothing comes, by way of taps and gateways: what one gateway gave is good at another. */
import { createClient } from 'graphql-ws'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createSseClient, subscribeResumable } from '../../src/client/client.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { changesKey, openRole } from '../support/scaled-rowcast.ts'

const QUERY = 'subscription ($after: Cursor) { tagChanged(after: $after) { cursor new { name } } }'
const NET = { timeout: 30_000 }

interface TagChanged {
  readonly tagChanged: { readonly new: { readonly name: string } | null }
}

async function openGateway(database: TestDatabase, redisUrl: string) {
  const limits = { pingIntervalMs: 200 }
  const running = await openService(database, { limits, config: { role: 'gateway', broker: redisUrl } })
  await running.service.rowcast.ready()
  return running
}

describe.skipIf(NO_REDIS !== null)(
  'a client of a quiet model goes on at another gateway, and misses nothing',
  () => {
    it.each(['WebSocket', 'event stream'] as const)('over a %s', async (transport) => {
      await using database = await openDatabase({ migrate: true })
      await using redis = await openRedis()
      await using tap = await openRole(database, 'tap', { redisUrl: redis.url })
      await using second = await openGateway(database, redis.url)
      const first = await openGateway(database, redis.url)
      let url = `${first.url}/graphql`
      const asked: string[] = []
      const bookmarks: string[] = []
      const note = (text: string) => {
        for (const [, at = ''] of text.matchAll(/"bookmark \d+":"(01[0-9a-f]{48})"|^id: (01[0-9a-f]{48})$/gm))
          bookmarks.push(at)
      }
      const socketClient = createClient({
        url: () => url.replace(/^http/, 'ws'),
        ...{ webSocketImpl: WebSocket, retryAttempts: 100, shouldRetry: () => true },
        retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
        jsonMessageReplacer(key, value: { type?: string; payload?: { variables?: { after?: string } } }) {
          if (key === '' && value.type === 'subscribe') asked.push(value.payload?.variables?.after ?? '')
          return value
        },
      })
      socketClient.on('ping', (_, payload) => note(JSON.stringify(payload ?? {})))
      const eventClient = createSseClient({
        url,
        fetch(_, init) {
          const { variables } = JSON.parse(String(init?.body)) as { variables?: { after?: string } }
          asked.push(variables?.after ?? '')
          return fetch(url, init)
        },
      })
      const client = transport === 'WebSocket' ? socketClient : eventClient
      const begin = await first.service.rowcast.changeCursor()
      const changes = subscribeResumable<TagChanged>(client, { query: QUERY }, { after: begin })
      const next = changes.next()
      await expect.poll(() => first.service.rowcast.status().subscriptions.get('Tag'), NET).toBe(1)
      // Others write, and the client is shown how far it is.
      const others = first.service.rowcast.subscribe('User')
      await database.query(`INSERT INTO users (email) VALUES ('other@example.com')`)
      const other = (await others.next()).value?.cursor ?? ''
      if (transport === 'WebSocket')
        await expect.poll(() => (bookmarks.at(-1) ?? '') >= other, NET).toBe(true)
      await others.return?.()
      // Its gateway goes, and what others have written goes from Redis.
      await redis.command('XTRIM', changesKey(database, tap), 'MAXLEN', '0')
      url = `${second.url}/graphql`
      await first[Symbol.asyncDispose]()
      await expect.poll(() => second.service.rowcast.status().subscriptions.get('Tag'), NET).toBe(1)
      if (transport === 'WebSocket') expect((asked.at(-1) ?? '') >= other).toBe(true)
      expect(asked.length).toBeGreaterThan(1)
      await database.query(`INSERT INTO "Tag" (name) VALUES ('mine')`)
      expect((await next).value?.tagChanged.new?.name).toBe('mine')
      await changes.return()
      await socketClient.dispose()
    })
  },
)
