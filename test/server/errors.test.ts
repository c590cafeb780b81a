/** The same errors, masked the same, over HTTP, SSE and WebSocket. */
import { describe, expect, test } from 'vitest'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'
import { postGraphql, startServer } from './server-fixture.ts'
import { type FailureKind, failureOf } from './tick-schema.ts'

type Errors = readonly Record<string, unknown>[]
type Transport = (url: string, query: string) => Promise<Errors>

/** Each returns the errors of the first result, however its protocol carries them. */
const TRANSPORTS: Record<string, Transport> = {
  async http(url, query) {
    return (await postGraphql(url, query)).body['errors'] as Errors
  },
  async sse(url, query) {
    const subscription = await subscribeSse(url, query)
    const { errors } = await subscription.next()
    expect(await subscription.ended()).toEqual({ kind: 'complete' })
    return errors as unknown as Errors
  },
  async websocket(url, query) {
    const client = createWsClient(url)
    const subscription = client.subscribe(query)
    const end = await subscription.ended()
    await client.close()
    return (end.kind === 'errors' ? end.errors : (await subscription.next()).errors) as unknown as Errors
  },
}

const MASKED = { message: expect.stringContaining('Unexpected error'), code: 'INTERNAL_SERVER_ERROR' }
const EXPECTED: Record<Exclude<FailureKind, 'stopping'>, { message: unknown; code: string }> = {
  private: MASKED,
  hidden: MASKED,
  public: { message: 'The example failed in public.', code: 'CONTEXT_TIMEOUT' },
  graphql: { message: 'Said on purpose.', code: 'ON_PURPOSE' },
}

const KINDS = Object.keys(EXPECTED) as (keyof typeof EXPECTED)[]

describe.each(Object.keys(TRANSPORTS))('over %s', (transport) => {
  const errorsOf = TRANSPORTS[transport] as Transport

  test.each(KINDS)('a resolver that fails in the way "%s"', async (kind) => {
    const { url, logged } = await startServer()
    const [error] = await errorsOf(url, `{ fails(kind: "${kind}") }`)
    expect(error).toMatchObject({
      message: EXPECTED[kind].message,
      path: ['fails'],
      extensions: { code: EXPECTED[kind].code },
    })
    expect(JSON.stringify(error)).not.toMatch(/hunter2|stack|originalError|"http"/)
    expect(logged.join('\n')).not.toContain('hunter2')
  })

  test('the log says where in which operation', async () => {
    const { url, logged } = await startServer()
    await errorsOf(url, 'query Front { ...part } fragment part on Query { mine: fails(kind: "hidden") }')
    expect(logged.join('\n')).toMatch(/"operation":"Front".*"field":"Query.fails".*"path":"mine"/)
    await errorsOf(url, '{ fails(kind: "hidden") }')
    expect(logged.at(-1)).toMatch(/"operation":"anonymous query"/)
  })

  test('a syntax error', async () => {
    const { url } = await startServer()
    const errors = await errorsOf(url, '{ hello')
    expect(errors).toHaveLength(1)
    expect(errors[0]?.['message']).toContain('Syntax Error')
    expect(JSON.stringify(errors)).not.toContain('"http"')
  })

  test('a validation error', async () => {
    const { url } = await startServer()
    const errors = await errorsOf(url, '{ nothing }')
    expect(errors).toEqual([
      {
        message: 'Cannot query field "nothing" on type "Query".',
        locations: [{ line: 1, column: 3 }],
        extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
      },
    ])
  })
})

const STREAMING = ['sse', 'websocket'] as const

describe.each(STREAMING)('a subscription over %s', (transport) => {
  const errorsOf = TRANSPORTS[transport] as Transport

  test.each(KINDS)('that cannot start in the way "%s"', async (kind) => {
    const { url } = await startServer()
    const [error] = await errorsOf(url, `subscription { failsToStart(kind: "${kind}") }`)
    expect(error).toMatchObject({
      message: EXPECTED[kind].message,
      extensions: { code: EXPECTED[kind].code },
    })
    expect(JSON.stringify(error)).not.toContain('hunter2')
  })

  test.each(KINDS)('whose source fails in the way "%s"', async (kind) => {
    const { url, source, logged } = await startServer()
    source.push(1)
    source.fail(failureOf(kind))
    const [error] = await errorsOfTicks(transport, url)
    expect(error).toMatchObject({
      message: EXPECTED[kind].message,
      extensions: { code: EXPECTED[kind].code },
    })
    expect(JSON.stringify([error, logged])).not.toContain('hunter2')
  })

  test('whose payload fails to resolve goes on with the next', async () => {
    const { url, source } = await startServer()
    source.push(1, 2)
    const results = await takeTwo(transport, url, 'subscription { failsToResolve(kind: "private") }')
    expect(results).toEqual([
      expect.objectContaining({
        data: { failsToResolve: null },
        errors: [expect.objectContaining({ path: ['failsToResolve'] })],
      }),
      expect.objectContaining({
        data: { failsToResolve: null },
        errors: [expect.objectContaining({ path: ['failsToResolve'] })],
      }),
    ])
    expect(JSON.stringify(results)).not.toContain('hunter2')
  })
})

/** One value, then the errors that ended the stream. */
async function errorsOfTicks(transport: (typeof STREAMING)[number], url: string): Promise<Errors> {
  if (transport === 'sse') {
    const ticks = await subscribeSse(url, 'subscription { ticks }')
    expect(await ticks.nextData()).toEqual({ ticks: 1 })
    const { errors } = await ticks.next()
    expect(await ticks.ended()).toEqual({ kind: 'complete' })
    return errors as unknown as Errors
  }
  const client = createWsClient(url)
  const ticks = client.subscribe('subscription { ticks }')
  expect(await ticks.nextData()).toEqual({ ticks: 1 })
  const end = await ticks.ended()
  await client.close()
  expect(end.kind).toBe('errors')
  return (end.kind === 'errors' ? end.errors : []) as unknown as Errors
}

async function takeTwo(
  transport: (typeof STREAMING)[number],
  url: string,
  query: string,
): Promise<unknown[]> {
  const client = createWsClient(url)
  const subscription = transport === 'sse' ? await subscribeSse(url, query) : client.subscribe(query)
  const results = [await subscription.next(), await subscription.next()]
  subscription.unsubscribe()
  await client.close()
  return results
}
