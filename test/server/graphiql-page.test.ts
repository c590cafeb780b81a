/** GraphiQL comes from this server alone: one compressed script that browsers keep, and a page that asks whether it changed. */
import { beforeAll, expect, test } from 'vitest'
import { buildPage } from '../support/build-page.ts'
import { rawGet } from '../support/raw-get.ts'
import { startServer } from './server-fixture.ts'

const HTML = 'text/html,application/xhtml+xml,*/*;q=0.8'

beforeAll(buildPage, 150_000)

/** A server, and the paths that its page asks for. */
async function open(graphiqlQuery = 'subscription Sample { ticks }') {
  const { url } = await startServer({ graphiql: true, graphiqlQuery })
  const page = await rawGet(`${url}/graphql`, { accept: HTML })
  const html = page.body.toString()
  const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path)
  return { url, page, html, assets, script: assets.find((path) => path.endsWith('.js')) ?? '' }
}

test('the page shows the query, and may load nothing from elsewhere', async () => {
  const { page, html, assets } = await open('{ text(is: "</script><b>$&") }')
  expect(page.headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-cache',
    'x-frame-options': 'DENY',
    'content-security-policy': expect.stringMatching(/^default-src 'none'; script-src 'self';/),
  })
  const [, options = ''] = /id="options">(.*?)<\/script>/.exec(html) ?? []
  expect(JSON.parse(options)).toEqual({ defaultQuery: '{ text(is: "</script><b>$&") }', hasLivePage: false })
  expect(assets.length).toBeGreaterThan(2)
  expect(assets.filter((path) => !path.startsWith('./graphql/assets/'))).toEqual([])
})

test('the page is sent again only where it has changed', async () => {
  const { url, page } = await open()
  const again = await rawGet(`${url}/graphql`, {
    accept: HTML,
    'if-none-match': String(page.headers['etag']),
  })
  expect([again.status, again.body.length]).toEqual([304, 0])
  const other = await startServer({ graphiql: true, graphiqlQuery: '{ other }' })
  const headers = { accept: HTML, 'if-none-match': String(page.headers['etag']) }
  expect((await rawGet(`${other.url}/graphql`, headers)).status).toBe(200)
})

test.each([
  ['br', 'gzip, deflate, br, zstd'],
  ['gzip', 'gzip, deflate'],
  ['gzip', 'br;q=0.5, gzip'],
  ['gzip', 'br; q=0, *'],
  [undefined, ''],
  [undefined, 'identity, br;q=0'],
])('the script is sent as %s to who accepts %s, for good', async (encoding, accepted) => {
  const { url, script } = await open()
  const answer = await rawGet(new URL(script, `${url}/graphql`).href, { 'accept-encoding': accepted })
  expect(answer.status).toBe(200)
  expect(answer.headers['content-encoding']).toBe(encoding)
  expect(answer.headers).toMatchObject({
    'cache-control': 'public, max-age=31536000, immutable',
    'content-type': 'text/javascript; charset=utf-8',
    vary: 'accept-encoding',
  })
  expect(script).toMatch(/-[\w-]{8}\.js$/)
  // What it is once it is unpacked, whatever way it came; and how much of it travels.
  expect(answer.unpacked.length).toBeGreaterThan(500_000)
  expect(answer.unpacked.toString()).toContain('GraphiQL')
  if (encoding !== undefined) expect(answer.body.length).toBeLessThan(500_000)
  // Of a CDN it has nothing.
  expect(answer.unpacked.toString()).not.toMatch(/unpkg\.com|jsdelivr|cdnjs|esm\.sh|googleapis/)
})

test('whoever asks for no page gets GraphQL’s answer, and nothing but the page’s files is there', async () => {
  const { url } = await open()
  const query = `${url}/graphql?query={hello}`
  expect(
    (await rawGet(query, { accept: 'application/json', 'x-graphql-yoga-csrf': '1' })).body.toString(),
  ).toBe('{"data":{"hello":"world"}}')
  for (const path of ['/graphql/assets/..%2f..%2findex.html', '/graphql/assets/', '/graphql/index.html'])
    expect((await rawGet(url + path, { accept: HTML })).status).toBe(404)
  const slash = await rawGet(`${url}/graphql/?query={hello}`, { accept: HTML })
  expect([slash.status, slash.headers['location']]).toEqual([308, '../graphql?query={hello}'])
})

test('it is off unless asked for', async () => {
  const { url } = await startServer()
  const { script } = await open()
  expect((await rawGet(`${url}/graphql`, { accept: HTML })).headers['content-type']).not.toContain(
    'text/html',
  )
  expect((await rawGet(new URL(script, `${url}/graphql`).href, {})).status).toBe(404)
})
