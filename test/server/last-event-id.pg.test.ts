/** Server-Sent Events resume as browsers do it: by the id of the last event. */
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { subscribeMultipart } from '../support/multipart-client.ts'
import { subscribeSse } from '../support/sse-client.ts'

interface TagChanged {
  readonly tagChanged: { readonly cursor: string; readonly new: { readonly name: string } | null }
}

const QUERY = 'subscription ($after: Cursor) { tagChanged(after: $after) { cursor new { name } } }'

/** What clients and the proxies before them send beside the one type that browsers send. */
const ACCEPTED: readonly string[] = [
  'text/event-stream, */*',
  '*/*',
  '*/*;q=0.8',
  'text/event-stream;q=0.9, application/json;q=0.1',
  'application/json;q=0.1, text/event-stream;q=0.9',
  'application/json, text/event-stream;q=0.5',
  'application/graphql-response+json, application/json;q=0.9, text/event-stream;q=0.1, */*;q=0.1',
  'text/event-stream; charset=utf-8',
  'TEXT/EVENT-STREAM',
  'text/*',
]

describe('an event stream', () => {
  it.each(['GET', 'POST'] as const)(
    'over %s goes on after Last-Event-ID, whatever its `after` still says',
    async (method) => {
      await using database = await openDatabase({ migrate: true })
      await using running = await openService(database)
      const { rowcast } = running.service
      await rowcast.ready()
      const after = await rowcast.changeCursor()
      const insert = (name: string) => database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])
      const open = (headers: Record<string, string> = {}) =>
        subscribeSse<TagChanged>(running.url, QUERY, { after }, method, headers)
      const names: (string | undefined)[] = []

      const first = await open()
      await insert('1')
      await insert('2')
      for (let i = 0; i < 2; i += 1) names.push((await first.nextData()).tagChanged.new?.name)
      const id = first.lastEventId
      first.unsubscribe()
      await insert('3')

      // The browser repeats the request as it was, and says where it stood.
      const second = await open({ 'last-event-id': id ?? '' })
      await insert('4')
      let lastCursor = ''
      for (let i = 0; i < 2; i += 1) {
        const { tagChanged } = await second.nextData()
        names.push(tagChanged.new?.name)
        lastCursor = tagChanged.cursor
      }
      expect(second.lastEventId).toBe(lastCursor)
      expect(names).toEqual(['1', '2', '3', '4'])
      second.unsubscribe()
    },
  )

  it.each(['GET', 'POST'] as const)('over %s goes on so whatever else the client accepts', async (method) => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    const { rowcast } = running.service
    await rowcast.ready()
    const after = await rowcast.changeCursor()
    const open = (headers: Record<string, string>) =>
      subscribeSse<TagChanged>(running.url, QUERY, { after }, method, headers)
    const first = await open({})
    await database.query(`INSERT INTO "Tag" (name) VALUES ('seen'), ('missed')`)
    // The event's id; the one after it may have come with it.
    const lastEventId = (await first.nextData()).tagChanged.cursor
    first.unsubscribe()

    for (const accept of ACCEPTED) {
      const stream = await open({ accept, 'last-event-id': lastEventId })
      expect([accept, stream.headers.get('content-type')]).toEqual([accept, 'text/event-stream'])
      const { tagChanged } = await stream.nextData()
      expect([accept, tagChanged.new?.name]).toEqual([accept, 'missed'])
      stream.unsubscribe()
    }
  })

  it('as a multipart response takes the header, too: its client knows the cursor of each change', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    const { rowcast } = running.service
    await rowcast.ready()
    const after = await rowcast.changeCursor()
    const open = (headers: Record<string, string>) =>
      subscribeMultipart<TagChanged>(running.url, QUERY, { after }, headers)
    await database.query(`INSERT INTO "Tag" (name) VALUES ('seen'), ('missed')`)
    const first = await open({})
    const { cursor } = (await first.nextData()).tagChanged
    first.unsubscribe()
    const second = await open({ 'last-event-id': cursor })
    expect((await second.nextData()).tagChanged.new?.name).toBe('missed')
    second.unsubscribe()
  })

  it('has no ids where the cursor is not selected, and plain answers never have', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    const { rowcast } = running.service
    await rowcast.ready()
    const after = await rowcast.changeCursor()
    const stream = await subscribeSse(running.url, QUERY.replace('cursor new', 'new'), { after })
    await database.query(`INSERT INTO "Tag" (name) VALUES ('x')`)
    await stream.nextData()
    expect(stream.lastEventId).toBeNull()
    stream.unsubscribe()
    const response = await fetch(`${running.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ changeCursor }' }),
    })
    expect(await response.json()).toEqual({
      data: { changeCursor: expect.stringMatching(/^01[0-9a-f]{48}$/) },
    })
  })
})
