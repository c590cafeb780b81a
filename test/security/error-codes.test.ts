/** Each error of a request has a code, the same on every transport. */
import { buildSchema } from 'graphql'
import { describe, expect, test } from 'vitest'
import { postGraphql, startServer } from '../server/server-fixture.ts'
import { startProbe, TRANSPORTS } from './transports.ts'

describe.each(TRANSPORTS)('over $name', ({ name, ask }) => {
  test.each<[string, Record<string, unknown>, string]>([
    ['{ syntax', {}, 'GRAPHQL_PARSE_FAILED'],
    ['', {}, 'GRAPHQL_PARSE_FAILED'],
    ['{ nothing }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['query A { hello } query B { hello }', {}, 'OPERATION_RESOLUTION_FAILURE'],
    ['query ($bytes: Int!) { text(bytes: $bytes) }', { bytes: 'x' }, 'BAD_USER_INPUT'],
    ['query ($bytes: Int!) { text(bytes: $bytes) }', {}, 'BAD_USER_INPUT'],
    [
      '{ node { node { node { node { node { node { node { node { node { value } } } } } } } } } }',
      {},
      'QUERY_OVER_LIMIT',
    ],
    ['{ fails }', {}, 'INTERNAL_SERVER_ERROR'],
  ])('%s with %j is %s', async (query, variables, code) => {
    const { url } = await startProbe()
    // An empty document is no GET's.
    if (query === '' && name.endsWith('GET')) return
    const { errors } = await ask(url, query, { variables })
    expect(errors).toMatchObject([{ extensions: { code } }])
  })
})

test.each(['variables', 'extensions'])('%s that are no JSON are the mistake of the client', async (name) => {
  const { url, logged } = await startProbe()
  const parameters = new URLSearchParams({ query: '{ hello }', [name]: '{' })
  const asked = { accept: 'application/json', 'x-graphql-yoga-csrf': '1' }
  for (const request of [
    fetch(`${url}/graphql?${parameters}`, { headers: asked }),
    fetch(`${url}/graphql`, { method: 'POST', headers: asked, body: parameters }),
  ]) {
    const response = await request
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] })
  }
  expect(logged.filter((line) => line.includes('"error"'))).toEqual([])
})

test.each(['application/xml', null])('a body of type %s reads what to send', async (type) => {
  const { url, logged } = await startProbe()
  const headers = { 'x-graphql-yoga-csrf': '1', ...(type === null ? {} : { 'content-type': type }) }
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: new Blob(['<hello/>']) })
  expect(response.status).toBe(415)
  expect(await response.json()).toMatchObject({
    errors: [
      {
        extensions: {
          code: 'UNSUPPORTED_MEDIA_TYPE',
          hint: expect.stringContaining('application/json'),
        },
      },
    ],
  })
  expect(logged.filter((line) => line.includes('"error"'))).toEqual([])
})

test.each(TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'what a client sent is not quoted at length over %s',
  async (_, { ask }) => {
    const { url } = await startProbe()
    const bytes = `a${'x'.repeat(6_000)}z`
    const { errors } = await ask(url, 'query ($bytes: Int!) { text(bytes: $bytes) }', {
      variables: { bytes },
    })
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
    const { message = '' } = errors[0] ?? {}
    expect(message).toMatch(/^Variable "\$bytes" got invalid value "ax+ … x+z"$/)
    expect(message.length).toBeLessThan(1_010)
  },
)

test('what clients must not see is gone before a message is cut, however long it is', async () => {
  const names = Array.from({ length: 5 }, (_, n) => `${'secret'.repeat(20)}${n}`)
  const fields = names.map((name) => `${name}: Int`).join(' ')
  const { url } = await startServer({
    schema: buildSchema(`input Options { ${fields} } type Query { hello(options: Options): String }`),
  })
  const options = { [`${'secret'.repeat(20)}x`]: 'x'.repeat(1_000) }
  const { body } = await postGraphql(url, 'query ($options: Options) { hello(options: $options) }', {
    options,
  })
  const text = JSON.stringify(body)
  for (const name of names) expect(text).not.toContain(name)
  expect(text).toContain('is not defined by type')
})
