/** What a browser's EventSource reads: where to go on, and when to come back, or that it need not. */
import { describe, expect, test } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { postGraphql, startServer } from './server-fixture.ts'

const CSRF = { 'x-graphql-yoga-csrf': '1' }

async function read(url: string, query: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/graphql?query=${encodeURIComponent(query)}`, {
    headers: { accept: 'text/event-stream', ...CSRF, ...headers },
  })
  return { response, text: () => response.text() }
}

describe('an event stream', () => {
  test('that ended for good has the browser wait for a day', async () => {
    const { url, source } = await startServer()
    const { response, text } = await read(url, 'subscription { ticks }')
    expect(response.status).toBe(200)
    await source.return?.()
    expect(await text()).toMatch(/event: complete\nretry: 86400000\ndata:\n\n$/)
  })

  test.each([
    ['{ hello }', 'hello'],
    ['{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['subscription { ticks @skip(if: true) }', 'GRAPHQL_VALIDATION_FAILED'],
    ['subscription { failsToStart(kind: "graphql") }', 'ON_PURPOSE'],
  ])('of %s, which another attempt does not change, does so too', async (query, found) => {
    const { url } = await startServer()
    const text = await (await read(url, query)).text()
    expect(text).toContain(found)
    expect(text).toMatch(/event: complete\nretry: 86400000\ndata:\n\n$/)
  })

  test('that ends with what passes has it come back soon, or when the error says', async () => {
    for (const [details, retry] of [
      [{}, 1_000],
      [{ retryAfterMs: 250 }, 250],
    ] as const) {
      const { url, source } = await startServer()
      const { text } = await read(url, 'subscription { ticks }')
      source.fail(new RowcastError('CONTEXT_TIMEOUT', 'Too late.', { details }))
      const events = await text()
      expect(events).toContain('CONTEXT_TIMEOUT')
      expect(events).toMatch(new RegExp(`event: complete\nretry: ${retry}\ndata:\n\n$`))
    }
  })

  test.each([
    ['the server stops', true],
    ['its rowcast alone has stopped so far', false],
  ])('says where and when to go on, and neither error nor completion, as %s', async (_why, isRefusing) => {
    const { url, source, server } = await startServer()
    const { text } = await read(url, 'subscription { ticks }')
    if (isRefusing) server.refuse()
    const cursor = `01${'0'.repeat(48)}`
    source.fail(new RowcastError('SERVER_STOPPING', 'Stopping.', { details: { cursor, retryAfterMs: 70 } }))
    const events = await text()
    expect(events).toMatch(new RegExp(`\n\n: SERVER_STOPPING\nid: ${cursor}\nretry: 70\n\n$`))
    expect(events).not.toContain('event:')
  })
})

test('a client that accepts nothing we have reads what to accept', async () => {
  const { url } = await startServer()
  for (const [query, accept, hint] of [
    ['subscription { ticks }', 'application/json', 'text/event-stream'],
    ['subscription { ticks }', 'application/graphql-response+json,application/json;q=0.9', 'graphql-ws'],
    ['{ hello }', 'text/html', 'application/json'],
    ['', 'text/html', 'graphiql'],
  ] as const) {
    const { response, text } = await read(url, query, { accept })
    expect(response.status).toBe(406)
    expect(JSON.parse(await text())).toMatchObject({
      errors: [{ extensions: { code: 'NOT_ACCEPTABLE', hint: expect.stringContaining(hint) } }],
    })
  }
  expect((await postGraphql(url, '{ hello }')).status).toBe(200)
})

test('the other mode of GraphQL over SSE is shown which one to use', async () => {
  const { url } = await startServer()
  for (const init of [{ method: 'PUT' }, { headers: { 'x-graphql-event-stream-token': 'x' } }]) {
    const response = await fetch(`${url}/graphql`, init)
    expect(response.status).toBe(405)
    expect(await response.json()).toMatchObject({
      errors: [
        {
          extensions: {
            code: 'TRANSPORT_NOT_SUPPORTED',
            hint: expect.stringContaining('singleConnection'),
          },
        },
      ],
    })
  }
})
