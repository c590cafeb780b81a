/** A subscription is accepted once it gets what commits from then on; before there is a stream it is refused in time. */
import { type AddressInfo, createServer } from 'node:net'
import { PrismaPg } from '@prisma/adapter-pg'
import { describe, expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast } from '../support/live-rowcast.ts'
import { openService } from '../support/live-service.ts'
import { insertTag } from '../support/tags.ts'

const QUERY = encodeURIComponent('subscription { tagChanged { new { name } } }')

const subscribe = (url: string) =>
  fetch(`${url}/graphql?query=${QUERY}`, {
    headers: { accept: 'text/event-stream', 'x-graphql-yoga-csrf': '1' },
  })

/** The stream's text up to and with the words. */
async function readUntil(response: Response, words: string): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array)
    if (text.includes(words)) break
  }
  return text
}

async function ask(url: string): Promise<unknown> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ changeCursor }' }),
  })
  return response.json()
}

const NO_STREAM = { extensions: { code: 'NO_STREAM_YET', retryAfterMs: 1_000 } }

describe('a process that stands by', () => {
  it('accepts a subscription when it takes over, and misses nothing that commits from then on', async () => {
    await using database = await openDatabase({ migrate: true })
    const reader = await openLiveRowcast(database, { models: ['Tag'] })
    await using standby = await openService(database, { config: { answerTimeoutMs: 60_000 } })
    let isAccepted = false
    const accepting = subscribe(standby.url).then((response) => {
      isAccepted = true
      return response
    })
    await insertTag(database, 'before')
    await expect.poll(() => standby.service.rowcast.status().state, { timeout: 20_000 }).toBe('standby')
    expect(isAccepted).toBe(false)
    await reader[Symbol.asyncDispose]()
    const response = await accepting
    await insertTag(database, 'after')
    const text = await readUntil(response, 'after')
    expect(text).not.toContain('before')
  })

  it('refuses subscriptions and changeCursor with a code that says when to come again', async () => {
    await using database = await openDatabase({ migrate: true })
    await using _reader = await openLiveRowcast(database, { models: ['Tag'] })
    await using standby = await openService(database, { config: { answerTimeoutMs: 300 } })
    const text = await readUntil(await subscribe(standby.url), 'NO_STREAM_YET')
    expect(text).toContain('"retryAfterMs":1000')
    expect(await ask(standby.url)).toMatchObject({ errors: [NO_STREAM] })
  })
})

/** Addresses where a Prisma Client finds no database: nobody listens, or somebody who says nothing. */
async function openNowhere(isSilent: boolean) {
  const server = createServer((socket) => socket.on('error', () => {}))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  if (!isSilent) await new Promise((resolve) => server.close(resolve))
  return {
    url: `postgresql://ada@127.0.0.1:${port}/app`,
    [Symbol.dispose]: () => {
      if (isSilent) server.close()
    },
  }
}

it.each([
  ['refuses', false],
  ['says nothing', true],
])('changeCursor asks to come again where the database of the Prisma Client %s', async (_name, isSilent) => {
  await using database = await openDatabase({ migrate: true })
  using nowhere = await openNowhere(isSilent)
  await using running = await openService(database, {
    config: {
      answerTimeoutMs: 2_000,
      createPrisma: () => new PrismaClient({ adapter: new PrismaPg({ connectionString: nowhere.url }) }),
    },
  })
  await running.service.rowcast.ready()
  const [error] = ((await ask(running.url)) as { errors: readonly { extensions: object }[] }).errors
  // The log has why.
  expect(error?.extensions).toMatchObject({ ...NO_STREAM.extensions, id: expect.any(String) })
})
