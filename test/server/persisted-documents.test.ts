/** Documents by their names, on every transport; and a server that runs no others. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { preset } from '@graphql-codegen/client-preset'
import { codegen } from '@graphql-codegen/core'
import { buildSchema, parse } from 'graphql'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { queryChangeCursor } from '../../src/client/client.ts'
import { EXPLAIN_DOCUMENT } from '../../src/graphql/own-documents.ts'
import type { ServerOptions } from '../../src/server/create-server.ts'
import { openRawSocket, subscribeMessage } from '../security/raw-socket.ts'
import { MULTIPART_ACCEPT, subscribeMultipart } from '../support/multipart-client.ts'
import { startServer } from './server-fixture.ts'
import { buildTickSchema, createTickSource } from './tick-schema.ts'

const HELLO = 'query Hello { hello }'
const TICKS = 'subscription Ticks { ticks }'
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const manifest = { [sha256(HELLO)]: HELLO, [sha256(TICKS)]: TICKS, short: HELLO }

/** What each client sends instead of, or beside, a text. */
interface Named {
  readonly query?: string
  readonly documentId?: unknown
  readonly extensions?: Record<string, unknown>
}
interface Answer {
  readonly data?: unknown
  readonly errors?: readonly { readonly extensions?: Record<string, unknown> }[]
}
type Ask = (url: string, named: Named) => Promise<Answer>

const readJson = async (response: Response) => (await response.json()) as Answer

const post =
  (accept: string, read: (response: Response) => Promise<Answer> = readJson): Ask =>
  async (url, named) => {
    const response = await fetch(url.includes('/graphql') ? url : `${url}/graphql`, {
      method: 'POST',
      headers: { accept, 'content-type': 'application/json' },
      body: JSON.stringify(named),
    })
    return read(response)
  }

const get =
  (accept: string, read: (response: Response) => Promise<Answer>): Ask =>
  async (url, { query, documentId, extensions }) => {
    const search = new URLSearchParams({
      ...(query === undefined ? {} : { query }),
      ...(documentId === undefined ? {} : { documentId: String(documentId) }),
      ...(extensions === undefined ? {} : { extensions: JSON.stringify(extensions) }),
    })
    const headers = { accept, 'x-graphql-yoga-csrf': '1' }
    return read(await fetch(`${url}/graphql?${search}`, { headers }))
  }

/** The data of the first event. */
async function readEvent(response: Response): Promise<Answer> {
  const [, data = ''] = /^data: (.+)$/m.exec(await response.text()) ?? []
  return JSON.parse(data) as Answer
}

/** The protocol wants a text, and has no rule against more members. */
const webSocket: Ask = async (url, named) => {
  const { send, received } = await openRawSocket(url)
  const message = subscribeMessage('1', '')
  send({ ...message, payload: { query: '', ...named } })
  await vi.waitUntil(() => received.some(({ id }) => id === '1'))
  const first = received.find(({ id }) => id === '1')
  return (first?.['type'] === 'error' ? { errors: first['payload'] } : first?.['payload']) as Answer
}

const TRANSPORTS: Readonly<Record<string, Ask>> = {
  'HTTP POST': post('application/json'),
  'HTTP GET': get('application/json', readJson),
  'SSE GET': get('text/event-stream', readEvent),
  'SSE POST': post('text/event-stream', readEvent),
  multipart: async (url, named) =>
    (
      await subscribeMultipart(url, '', {}, { accept: 'multipart/mixed;subscriptionSpec=1.0' }, { ...named })
    ).next(),
  WebSocket: webSocket,
}

function start(
  more: Partial<ServerOptions['persistedDocuments']> = {},
  options: Partial<ServerOptions> = {},
) {
  const refused: string[] = []
  const onDocumentRefused = (why: string) => void refused.push(why)
  return startServer({
    persistedDocuments: { manifest, ...more },
    onDocumentRefused,
    ...options,
  }).then((fixture) => ({ ...fixture, refused }))
}

const codeOf = ({ errors }: Answer) => errors?.[0]?.extensions?.['code']

describe.each(Object.entries(TRANSPORTS))('over %s', (_name, ask) => {
  const id = sha256(HELLO)
  test.each<[string, Named]>([
    ['documentId', { documentId: id }],
    ['documentId with its function', { documentId: `sha256:${id}` }],
    ['a name that is no hash', { documentId: 'short' }],
    ["Apollo's extension", { extensions: { persistedQuery: { version: 1, sha256Hash: id } } }],
    ['an extension that is the name', { extensions: { persistedQuery: id } }],
    ['the text itself', { query: HELLO }],
    // What runs is what the manifest says.
    ['a name beside another text', { query: 'query Other { nothing }', documentId: id }],
  ])('a document is run that is named by %s, whether others run or not', async (_by, named) => {
    for (const onlyPersisted of [true, false]) {
      const { url, refused } = await start({ onlyPersisted })
      expect(await ask(url, named)).toEqual({ data: { hello: 'world' } })
      expect(refused).toEqual([])
    }
  })

  test('others are run where nothing forbids it, and refused and counted where something does', async () => {
    const open = await start()
    expect(await ask(open.url, { query: '{ hello }' })).toEqual({ data: { hello: 'world' } })
    const { url, refused } = await start({ onlyPersisted: true })
    for (const query of [
      '{ hello }',
      `${HELLO} `,
      '{ __schema { queryType { name } } }',
      '{',
      'subscription { ticks }',
    ])
      expect([query, codeOf(await ask(url, { query }))]).toEqual([query, 'QUERY_NOT_PERSISTED'])
    expect(refused).toEqual(Array.from({ length: 5 }, () => 'QUERY_NOT_PERSISTED'))
  })

  test.each([true, false])(
    'an unknown name is an error and counted (only persisted ones: %s)',
    async (onlyPersisted) => {
      const { url, refused } = await start({ onlyPersisted })
      for (const documentId of ['nothing', 'sha256:', '__proto__', 'constructor', 'toString'])
        expect(codeOf(await ask(url, { documentId }))).toBe('PERSISTED_QUERY_NOT_FOUND')
      expect(refused).toHaveLength(5)
      // As Apollo's clients do then: the text beside the name. It runs, or is refused as any other text.
      const answer = await ask(url, { documentId: 'nothing', query: '{ hello }' })
      if (onlyPersisted) expect(codeOf(answer)).toBe('QUERY_NOT_PERSISTED')
      else expect(answer).toEqual({ data: { hello: 'world' } })
    },
  )

  test('a name is answered so that clients send the text, where there is no manifest', async () => {
    const { url, refused } = await start({}, { persistedDocuments: undefined })
    const named = { extensions: { persistedQuery: { version: 1, sha256Hash: id } } }
    expect(codeOf(await ask(url, named))).toBe('PERSISTED_QUERY_NOT_SUPPORTED')
    expect(refused).toEqual(['PERSISTED_QUERY_NOT_SUPPORTED'])
    expect(await ask(url, { query: HELLO })).toEqual({ data: { hello: 'world' } })
    expect(await ask(url, { query: HELLO, ...named })).toEqual({ data: { hello: 'world' } })
  })

  test('neither a name nor a text is an error of the request, and runs nothing', async () => {
    const { url } = await start({ onlyPersisted: true })
    const answer = await ask(url, {
      documentId: '',
      extensions: { persistedQuery: { sha256Hash: 7 } },
    }).catch(() => null)
    expect(answer?.data ?? null).toBeNull()
  })
})

test('a subscription is named on each transport', async () => {
  for (const accept of ['text/event-stream', MULTIPART_ACCEPT]) {
    const { url, source } = await start({ onlyPersisted: true })
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { accept, 'content-type': 'application/json' },
      body: JSON.stringify({ documentId: sha256(TICKS) }),
    })
    source.push(1)
    await source.subscribed
    await source.return?.()
    expect(await response.text()).toContain('{"data":{"ticks":1}}')
  }
  const { url, source } = await start({ onlyPersisted: true })
  source.push(1)
  expect(await webSocket(url, { documentId: sha256(TICKS) })).toEqual({ data: { ticks: 1 } })
})

test('in production others are refused where nothing is said, by a server of its own as well', async () => {
  vi.stubEnv('NODE_ENV', 'production')
  onTestFinished(() => void vi.unstubAllEnvs())
  const { url, refused } = await start()
  expect(codeOf(await post('application/json')(url, { query: '{ hello }' }))).toBe('QUERY_NOT_PERSISTED')
  expect(refused).toEqual(['QUERY_NOT_PERSISTED'])
  const open = await start({ onlyPersisted: false })
  expect(await post('application/json')(open.url, { query: '{ hello }' })).toEqual({
    data: { hello: 'world' },
  })
})

test("Apollo's manifest is one as well", async () => {
  const { url } = await start({
    manifest: {
      format: 'apollo-persisted-query-manifest',
      version: 1,
      operations: [{ id: 'a', name: 'Hello', type: 'query', body: HELLO }],
    },
    onlyPersisted: true,
  })
  expect(await webSocket(url, { documentId: 'a' })).toEqual({ data: { hello: 'world' } })
})

test("GraphQL Code Generator's manifest is one, and its hash the name", async () => {
  const sdl = 'type Query { hello: String } type Subscription { ticks: Int }'
  const files = await preset.buildGeneratesSection({
    ...{ baseOutputDir: '/generated/', config: {}, plugins: [], pluginMap: {} },
    presetConfig: { persistedDocuments: true },
    schema: parse(sdl),
    schemaAst: buildSchema(sdl),
    documents: [HELLO, TICKS].map((text) => ({
      document: parse(text),
      location: 'documents.ts',
      rawSDL: text,
    })),
  })
  const texts = await Promise.all(files.map(async (file) => [file.filename, await codegen(file)] as const))
  const textOf = (name: string) => texts.find(([file]) => file.endsWith(name))?.[1] ?? ''
  const [, hash = ''] = /"hash":"([^"]+)"/.exec(textOf('graphql.ts')) ?? []
  const written = JSON.parse(textOf('persisted-documents.json')) as Record<string, string>
  expect(Object.keys(written)).toContain(hash)
  const { url } = await start({ manifest: written, onlyPersisted: true })
  expect(await webSocket(url, { documentId: hash })).toEqual({ data: { hello: 'world' } })
  // Apollo's link knows the hash alone.
  const persistedQuery = { version: 1, sha256Hash: hash.replace('sha256:', '') }
  expect(await webSocket(url, { extensions: { persistedQuery } })).toEqual({ data: { hello: 'world' } })
})

test('who is not let in learns nothing of the manifest', async () => {
  const { url, refused } = await start({ onlyPersisted: true }, { context: () => null })
  for (const named of [{ documentId: 'nothing' }, { documentId: 'short' }, { query: '{ hello }' }])
    expect(codeOf(await post('application/json')(url, named))).toBe('UNAUTHENTICATED')
  expect(refused).toEqual([])
})

test('limits hold for documents of the manifest, too', async () => {
  const { url } = await start({ onlyPersisted: true }, { limits: { queryBytesMax: 5 } })
  expect(codeOf(await webSocket(url, { documentId: 'short' }))).toBe('QUERY_OVER_LIMIT')
})

test('the live page is none of it: its schema and its documents are its own', async () => {
  const { url } = await start(
    { onlyPersisted: true },
    { activitySchema: buildTickSchema(createTickSource()) },
  )
  expect(await post('application/json')(`${url}/graphql/activity`, { query: '{ hello }' })).toEqual({
    data: { hello: 'world' },
  })
})

test('the documents of our own programs are run, whatever the manifest has', async () => {
  const { url } = await start({ onlyPersisted: true })
  const sent: string[] = []
  const client = {
    subscribe({ query }: { readonly query: string }) {
      sent.push(query)
      return () => undefined
    },
  }
  void queryChangeCursor(client).catch(() => null)
  expect(sent).toHaveLength(1)
  // Validated, and so let through: this schema has no such field.
  for (const query of [...sent, EXPLAIN_DOCUMENT])
    expect(codeOf(await post('application/json')(url, { query }))).toBe('GRAPHQL_VALIDATION_FAILED')
})

describe('a manifest is looked through when the server is made', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rowcast-manifest-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const fileOf = (name: string, text: string) => {
    const file = join(folder, name)
    writeFileSync(file, text)
    return file
  }

  test('a file is one, by its path or its URL', async () => {
    const file = fileOf('good.json', `\uFEFF${JSON.stringify(manifest)}`)
    for (const each of [file, pathToFileURL(file)]) {
      const { url } = await start({ manifest: each, onlyPersisted: true })
      expect(await post('application/json')(url, { documentId: sha256(HELLO) })).toEqual({
        data: { hello: 'world' },
      })
    }
  })

  test('names need not be hashes, and 32 digits are no MD5', async () => {
    const uuid = '6a0e3a3c0000400080000000000000ab'
    const { url } = await start({ manifest: { [uuid]: HELLO }, onlyPersisted: true })
    expect(await post('application/json')(url, { documentId: uuid })).toEqual({ data: { hello: 'world' } })
  })

  test.each<[string, () => NonNullable<ServerOptions['persistedDocuments']>['manifest'], RegExp]>([
    ['a file that is not there', () => join(folder, 'none.json'), /none\.json cannot be read \(ENOENT\)/],
    ['a folder', () => folder, /cannot be read \(EISDIR\)/],
    ['a file that is no JSON', () => fileOf('text.json', '{ "a": '), /text\.json is no JSON/],
    ['a file with a list in it', () => fileOf('list.json', '[]'), /list\.json has neither the form/],
    [
      'a name that is the SHA-256 of another text',
      () => ({ [sha256(TICKS)]: HELLO }),
      /is not the sha256 of its text/,
    ],
    [
      'the same in capitals, with its function',
      () => ({ [`sha256:${sha256(TICKS).toUpperCase()}`]: HELLO }),
      /is not the sha256/,
    ],
    [
      'a part of a SHA-256 that says to be one',
      () => ({ 'sha256:08dd': HELLO }),
      /"sha256:08dd" is not the sha256/,
    ],
    ['a SHA-1 of another text', () => ({ ['0'.repeat(40)]: HELLO }), /is not the sha1 of its text/],
    ['a text that is no GraphQL', () => ({ short: 'query {' }), /"short" is no GraphQL: Syntax Error/],
    [
      'a field that the schema does not have',
      () => ({ short: '{ nothing }' }),
      /"short" is not valid: Cannot query field "nothing"/,
    ],
    [
      "one of Apollo's",
      () => ({ format: 'x', version: 1, operations: [{ id: 'a', body: '{ nothing }' }] }),
      /"a" is not valid/,
    ],
    [
      'many at once',
      () => Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, '{ nothing }'])),
      /"a" .*"b" .*"c" .*; and 2 more\./,
    ],
  ])('%s is a typed error', async (_what, of, message) => {
    const failure = await start({ manifest: of() }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'PERSISTED_MANIFEST_UNUSABLE' })
    expect((failure as Error).message).toMatch(message)
  })
})
