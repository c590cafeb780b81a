/** GraphiQL comes from this server alone. */
import { expect, test } from 'vitest'
import { subscribeSse } from '../support/sse-client.ts'
import { startServer } from './server-fixture.ts'

const browser = { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } }

test('the page loads nothing from elsewhere', async () => {
  const { url } = await startServer({ graphiql: true, graphiqlQuery: 'subscription Sample { ticks }' })
  const response = await fetch(`${url}/graphql`, browser)
  expect(response.headers.get('content-type')).toContain('text/html')
  const html = await response.text()
  expect(html).toContain('<title>rowcast</title>')
  expect(html).toContain('subscription Sample { ticks }')
  const outsideOfScripts = html.replace(/<script>[\s\S]*?<\/script>/g, '<script/>')
  expect(outsideOfScripts).not.toMatch(/<script[^>]+src=|<link[^>]+href="(?!data:)|<iframe|<base\b/i)
  expect(outsideOfScripts).not.toMatch(/@import|url\(\s*['"]?(?!data:|#)[a-z]+:|url\(\s*['"]?\/\//i)
  // What its script could fetch by itself: modules, workers, style sheets of a CDN.
  expect(html).not.toMatch(
    /unpkg\.com|jsdelivr|cdnjs|esm\.sh|googleapis|importScripts\(['"]http|import\(['"]http/,
  )
})

test('its subscriptions run as the page sends them: POST, asking for an event stream', async () => {
  const { url, source } = await startServer({ graphiql: true })
  const html = await (await fetch(`${url}/graphql`, browser)).text()
  const options = JSON.parse(
    html
      .slice(html.lastIndexOf('{"'), html.lastIndexOf('}') + 1)
      .split('\n')[0]
      ?.replace(/,?\s*$/, '') ?? '',
  )
  expect(options).toMatchObject({ subscriptionsProtocol: 'SSE', method: 'POST' })
  const ticks = await subscribeSse(url, 'subscription { ticks }', {}, 'POST')
  source.push(1)
  expect(await ticks.nextData()).toEqual({ ticks: 1 })
  ticks.unsubscribe()
})

test('it is off unless asked for', async () => {
  const { url } = await startServer()
  const response = await fetch(`${url}/graphql`, browser)
  expect(response.headers.get('content-type')).not.toContain('text/html')
})
