/** What a document may be: the same bounds on every transport. */
import { getIntrospectionQuery } from 'graphql'
import { describe, expect, test } from 'vitest'
import { STREAM_TRANSPORTS, startProbe, TRANSPORTS } from './transports.ts'

const nested = (levels: number): string => `${'node { '.repeat(levels - 1)}value${' }'.repeat(levels - 1)}`

describe.each(TRANSPORTS)('over $name', ({ ask }) => {
  test.each([
    ['depth', { queryDepthMax: 5 }, `{ ${nested(5)} }`, `{ ${nested(6)} }`],
    [
      'depth through fragments',
      { queryDepthMax: 4 },
      `{ ...F } fragment F on Query { ${nested(4)} }`,
      `{ ...F } fragment F on Query { ${nested(5)} }`,
    ],
    ['aliases', { queryAliasesMax: 2 }, '{ a: hello b: hello }', '{ a: hello b: hello c: hello }'],
    [
      'aliases through fragments',
      { queryAliasesMax: 2 },
      '{ ...F } fragment F on Query { a: hello b: hello }',
      '{ ...F } fragment F on Query { a: hello b: hello c: hello }',
    ],
    [
      'directives',
      { queryDirectivesMax: 1 },
      '{ hello @skip(if: false) }',
      '{ hello @skip(if: false) viewer @skip(if: false) }',
    ],
    ['tokens', { queryTokensMax: 6 }, '{ a: hello viewer }', '{ a: hello viewer node { value } }'],
    ['tokens with comments', { queryTokensMax: 6 }, '{ hello #1\n }', `{ hello ${'#\n'.repeat(5)} }`],
    ['bytes', { queryBytesMax: 20 }, '{ hello           }', '{ hello            é}'],
    ['cost', { queryCostMax: 20 }, `{ ${nested(4)} }`, `{ ${nested(7)} }`],
  ])('the bound of %s holds, and what is within it passes', async (_name, limits, within, beyond) => {
    const { url } = await startProbe({ limits })
    expect((await ask(url, within)).errors).toEqual([])
    const { data, errors } = await ask(url, beyond)
    expect(data).toBeNull()
    expect(errors).toMatchObject([{ extensions: { code: 'QUERY_OVER_LIMIT', hint: expect.any(String) } }])
    expect(errors[0]?.message).not.toContain('Syntax Error')
  })

  test('the defaults refuse what no client means', async () => {
    const { url } = await startProbe()
    const aliases = Array.from({ length: 16 }, (_, i) => `a${i}: hello`).join(' ')
    for (const query of [`{ ${nested(9)} }`, `{ ${aliases} }`, `{ ${'hello '.repeat(1000)} }`]) {
      expect((await ask(url, query)).errors).toMatchObject([{ extensions: { code: 'QUERY_OVER_LIMIT' } }])
    }
  })

  test('fragments that multiply are counted without following every path', async () => {
    const { url } = await startProbe()
    // Each spreads the next twice: 2^40 paths for a validator that walks them.
    const bomb = Array.from(
      { length: 40 },
      (_, i) => `fragment F${i} on Query { ...F${i + 1} ... on Query { ...F${i + 1} } }`,
    )
    const query = `{ ...F0 } ${bomb.join(' ')} fragment F40 on Query { hello }`
    // One field in the end, however many paths lead to it.
    expect(await ask(url, query)).toMatchObject({ data: { hello: 'world' }, errors: [] })
  })

  test('fragments with aliases cost as many fields as they make', async () => {
    const { url } = await startProbe({ limits: { queryCostMax: 1_000 } })
    const levels = Array.from(
      { length: 6 },
      (_, i) => `fragment F${i} on Node { a: node { ...F${i + 1} } b: node { ...F${i + 1} } }`,
    )
    const query = (first: number) =>
      `{ node { ...F${first} } } ${levels.slice(first).join(' ')} fragment F6 on Node { value }`
    expect((await ask(url, query(4))).errors).toEqual([])
    const { errors } = await ask(url, query(0))
    expect(errors.map((error) => error.extensions?.['code'])).toEqual(['QUERY_OVER_LIMIT'])
  })

  test('a field that is written again and again, within itself too, is refused though the answer has one', async () => {
    const { url } = await startProbe()
    const query = (again: number) => {
      const levels = Array.from(
        { length: 5 },
        (_, i) => `fragment F${i} on Node { ${`node { ...F${i + 1} } `.repeat(again)}}`,
      )
      return `{ node { ...F0 } } ${levels.join(' ')} fragment F5 on Node { value }`
    }
    expect((await ask(url, query(3))).errors).toEqual([])
    const { errors } = await ask(url, query(8))
    expect(errors.map((error) => error.extensions?.['code'])).toEqual(['QUERY_OVER_LIMIT'])
  })

  test('fragments in a circle are refused', async () => {
    const { url } = await startProbe()
    const { data, errors } = await ask(
      url,
      '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }',
    )
    expect(data).toBeNull()
    expect(errors.length).toBeGreaterThan(0)
  })

  test('without introspection neither the schema nor a suggestion shows names', async () => {
    const { url } = await startProbe({ introspection: false })
    const probes: readonly [string, Record<string, unknown>?][] = [
      [getIntrospectionQuery()],
      ['{ __type(name: "Query") { name } }'],
      ['{ helo }'],
      ['{ rank(rank: CAPTAN) }'],
      ['{ rank(rankk: CAPTAIN) }'],
      ['query ($rank: Rank) { rank(rank: $rank) }', { rank: 'CAPTAN' }],
    ]
    for (const [query, variables = {}] of probes) {
      const { data, errors } = await ask(url, query, { variables })
      expect(data).toBeNull()
      expect(errors.length).toBeGreaterThan(0)
      expect(JSON.stringify(errors)).not.toMatch(/Did you mean|"hello"|CAPTAIN|SAILOR/)
    }
    expect(await ask(url, '{ __typename }')).toMatchObject({ data: { __typename: 'Query' } })
  })

  test("with introspection GraphiQL's query passes every default bound, and its circles do not", async () => {
    const { url } = await startProbe({ introspection: true })
    const query = getIntrospectionQuery({ inputValueDeprecation: true, specifiedByUrl: true, oneOf: true })
    expect((await ask(url, query)).errors).toEqual([])
    expect((await ask(url, '{ helo }')).errors[0]?.message).toContain('Did you mean "hello"?')
    const circle = `{ __schema { types { ${'fields { type { '.repeat(4)}name${' } }'.repeat(4)} } } }`
    expect((await ask(url, circle)).errors[0]?.message).toBe('Maximum introspection depth exceeded')
  })
})

describe.each(STREAM_TRANSPORTS)('a subscription over $name', ({ ask }) => {
  test.each([
    ['two fields', 'subscription { ticks viewer }'],
    ['two aliases', 'subscription { a: ticks b: ticks }'],
    ['a field and a fragment', 'subscription { ticks ...F } fragment F on Subscription { viewer }'],
    ['the type name', 'subscription { __typename }'],
  ])('has one root field, not %s', async (_name, query) => {
    const { url, source } = await startProbe()
    const { data, errors } = await ask(url, query)
    expect(data).toBeNull()
    expect(errors.length).toBeGreaterThan(0)
    expect(source.pulled).toBe(0)
  })

  test('is bound in depth like a query', async () => {
    const { url } = await startProbe()
    const { errors } = await ask(url, `subscription { ${nested(9)} }`)
    expect(errors).toMatchObject([{ extensions: { code: 'QUERY_OVER_LIMIT' } }])
  })
})

test('a mutation does not run over GET', async () => {
  const { url } = await startProbe()
  for (const accept of ['application/json', 'text/event-stream']) {
    const response = await fetch(`${url}/graphql?query=mutation{touch}`, {
      headers: { accept, 'x-graphql-yoga-csrf': '1' },
    })
    expect(await response.text()).not.toContain('touched')
  }
})

const READS_SCHEMA = '{ __schema { types { name fields { name description } } } }'

test.each(TRANSPORTS)('what reads the schema has a bound of its own: $name', async ({ ask, kind }) => {
  const isStream = kind === 'sse'
  const wide = await startProbe({ introspection: true, limits: { payloadBytesMax: 400 } })
  const codes = (await ask(wide.url, READS_SCHEMA)).errors.map(({ extensions }) => extensions?.['code'])
  // Tools that read it do not ask for an event stream.
  expect(codes).toEqual(isStream ? ['PAYLOAD_TOO_LARGE'] : [])
  const limits = { payloadBytesMax: 300, introspectionBytesMax: 400 }
  const { url } = await startProbe({ introspection: true, limits })
  expect((await ask(url, READS_SCHEMA)).errors).toMatchObject([{ extensions: { code: 'PAYLOAD_TOO_LARGE' } }])
  expect((await ask(url, '{ hello }')).data).toEqual({ hello: 'world' })
})
