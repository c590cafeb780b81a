/** GraphiQL and its server: who one is, what browsers keep, and what one sees of a connection that is lost. */
import { expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../../src/logger.ts'
import { createServer } from '../../src/server/create-server.ts'
import { buildTickSchema, createTickSource } from '../server/tick-schema.ts'
import { findBrowser, openBrowser } from '../support/browser.ts'
import { buildPage } from '../support/build-page.ts'

const PATIENCE = { timeout: 20_000, interval: 50 }

/** A server that lets in who has the token, over WebSocket in `connectionParams`. */
async function serve(port = 0) {
  const source = createTickSource()
  const server = createServer({
    ...{ schema: buildTickSchema(source), logger: silentLogger, port, health: () => ({ isReady: true }) },
    ...{ graphiql: true, graphiqlQuery: 'subscription { ticks }' },
    context(client) {
      const token =
        client.kind === 'websocket'
          ? client.connectionParams['token']
          : client.headers.authorization?.slice(7)
      return token === 'let me in' && { context: {} }
    },
  })
  const { url, port: taken } = await server.listen()
  onTestFinished(() => server.close())
  return { source, server, url, port: taken }
}

it.skipIf(findBrowser() === null)(
  'sends what the headers tab says, keeps what it read in its place, and says where the connection was lost',
  { timeout: 180_000 },
  async () => {
    await buildPage()
    const first = await serve()
    await using browser = await openBrowser()
    const page = await browser.newPage({ viewport: { width: 1200, height: 700 } })
    await page.goto(`${first.url}/graphql`)
    const run = page.getByRole('button', { name: /Execute query/ })
    const state = () => page.locator('.stream-state').textContent()
    const events = page.locator('.stream-events > li')

    await run.click()
    await expect.poll(state, PATIENCE).toBe('Ended with an error')
    expect(await events.first().textContent()).toMatch(/4403.*UNAUTHENTICATED/)

    await page.getByRole('button', { name: 'Headers' }).click()
    await page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden) .CodeMirror').click()
    await page.keyboard.insertText('{"Authorization": "Bearer let me in"}')
    await run.click()
    await expect.poll(state, PATIENCE).toBe('Live')
    await first.source.subscribed
    for (let tick = 1; tick <= 40; tick += 1) first.source.push(tick)
    await expect.poll(() => events.count(), PATIENCE).toBe(40)

    // Scrolled to one of them, it stays where it is.
    const read = events.filter({ hasText: '#20' })
    await read.scrollIntoViewIfNeeded()
    const topOf = async () => Math.round((await read.boundingBox())?.y ?? -1)
    const before = await topOf()
    first.source.push(41)
    await expect.poll(() => events.count(), PATIENCE).toBe(41)
    expect(await topOf()).toBe(before)

    await first.server.close()
    await expect.poll(state, PATIENCE).toBe('Connection lost, trying again')
    expect(await events.first().textContent()).toContain(
      'Changes from here until it is back are not in this list.',
    )
    const second = await serve(first.port)
    await expect.poll(state, PATIENCE).toBe('Live')
    await second.source.subscribed
    second.source.push(99)
    await expect.poll(() => events.first().textContent(), PATIENCE).toContain('99')

    // The next visit asks whether the page has changed, and for nothing else.
    const kept = new Set<string>()
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Network.enable')
    const urls = new Map<string, string>()
    devtools.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url))
    devtools.on('Network.requestServedFromCache', ({ requestId }) => kept.add(urls.get(requestId) ?? ''))
    await page.goto(`${first.url}/graphql?again`)
    await run.waitFor()
    expect([...kept].filter((url) => /\.(js|css)$/.test(url))).toHaveLength(2)
  },
)
