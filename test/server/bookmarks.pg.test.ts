/** Positions for clients for whom nothing comes: a cursor now and then in a ping, for those that ask for it. */
import { createClient } from 'graphql-ws'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createSseClient, subscribeResumable } from '../../src/client/client.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'

const QUERY = 'subscription ($after: Cursor) { tagChanged(after: $after) { cursor new { name } } }'

interface TagChanged {
  readonly tagChanged: { readonly new: { readonly name: string } | null }
}

it('a client of a quiet model comes back behind what others have written, and misses nothing', async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, { limits: { pingIntervalMs: 400 } })
  const { rowcast } = running.service
  await rowcast.ready()
  const asked: string[] = []
  const sockets: WebSocket[] = []
  const client = createClient({
    url: `${running.url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 100,
    retryWait: () => Promise.resolve(),
    shouldRetry: () => true,
    on: { connected: (socket) => sockets.push(socket as WebSocket) },
    jsonMessageReplacer(key, value: { type?: string; payload?: { variables?: { after?: string } } }) {
      if (key === '' && value.type === 'subscribe') asked.push(value.payload?.variables?.after ?? '')
      return value
    },
  })
  const begin = await rowcast.changeCursor()
  const changes = subscribeResumable<TagChanged>(client, { query: QUERY }, { after: begin })
  const next = changes.next()
  // Others write, and the client is shown how far it is.
  const others = rowcast.subscribe('User')
  await database.query(`INSERT INTO users (email) VALUES ('other@example.com')`)
  const other = (await others.next()).value?.cursor ?? ''
  const reported: string[] = []
  client.on('ping', (isReceived, payload) => {
    if (isReceived) reported.push(JSON.stringify(payload))
  })
  await expect
    .poll(() => reported.at(-1) ?? '', { timeout: 20_000 })
    .toMatch(/"bookmarks":\{"bookmark \d+":"01/)
  await expect
    .poll(() => /"(01[0-9a-f]{48})"/.exec(reported.at(-1) ?? '')?.[1] ?? '', { timeout: 20_000 })
    .toSatisfy((at) => at >= other)
  const before = asked.length
  sockets.at(-1)?.terminate()
  await expect.poll(() => asked.length, { timeout: 20_000 }).toBeGreaterThan(before)
  expect(asked[0]).toBe(begin)
  expect((asked.at(-1) ?? '') >= other).toBe(true)
  await database.query(`INSERT INTO "Tag" (name) VALUES ('mine')`)
  expect((await next).value?.tagChanged.new?.name).toBe('mine')
  await changes.return()
  await client.dispose()
  await others.return?.()
})

it('a quiet event stream comes back behind what others have written, with the id that it was given', async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, { limits: { pingIntervalMs: 200 } })
  const { rowcast } = running.service
  await rowcast.ready()
  const url = `${running.url}/graphql`
  const begin = await rowcast.changeCursor()
  const asked: string[] = []
  const connections: AbortController[] = []
  const client = createSseClient({
    url,
    fetch(input, init) {
      const own = new AbortController()
      connections.push(own)
      const { variables } = JSON.parse(String(init?.body)) as { variables?: { after?: string } }
      asked.push(variables?.after ?? '')
      return fetch(input, {
        ...init,
        signal: AbortSignal.any([own.signal, ...(init?.signal ? [init.signal] : [])]),
      })
    },
  })
  const changes = subscribeResumable<TagChanged>(client, { query: QUERY }, { after: begin })
  const next = changes.next()
  const others = rowcast.subscribe('User')
  await database.query(`INSERT INTO users (email) VALUES ('other@example.com')`)
  const other = (await others.next()).value?.cursor ?? ''
  // A browser's: what the id was is what it sends.
  const query = encodeURIComponent(`subscription { tagChanged(after: "${begin}") { new { name } } }`)
  const headers = { accept: 'text/event-stream', 'x-graphql-yoga-csrf': '1' }
  const first = await fetch(`${url}?query=${query}`, { headers })
  const id = await readUntil(
    first,
    (text) => [...text.matchAll(/^id: (\S+)\n\n/gm)].find(([, at = '']) => at >= other)?.[1],
  )
  await expect
    .poll(
      async () => {
        connections.at(-1)?.abort()
        await new Promise((resolve) => setTimeout(resolve, 500))
        return asked.at(-1)
      },
      { timeout: 30_000 },
    )
    .toSatisfy((at) => at >= other)
  await database.query(`INSERT INTO "Tag" (name) VALUES ('mine')`)
  expect((await next).value?.tagChanged.new?.name).toBe('mine')
  const again = await fetch(`${url}?query=${query}`, { headers: { ...headers, 'last-event-id': id } })
  expect(await readUntil(again, (text) => /"name":"(\w+)"/.exec(text)?.[1])).toBe('mine')
  await changes.return()
  await others.return?.()
})

/** Reads a stream until something is found in its text. */
async function readUntil(response: Response, find: (text: string) => string | undefined): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array)
    const found = find(text)
    if (found !== undefined) return found
  }
  throw new Error(`The stream ended: ${text}`)
}
