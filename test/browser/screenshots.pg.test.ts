/** `npm run screenshots`: the pages in use, for the documentation. No test otherwise. */
import { expect, it } from 'vitest'
import { runTraffic } from '../../prisma/traffic.ts'
import { openBrowser } from '../support/browser.ts'
import { buildPage } from '../support/build-page.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { ARE_SCREENSHOTS_WANTED, takeScreenshots } from '../support/screenshots.ts'
import { createWsClient } from '../support/ws-client.ts'

const PATIENCE = { timeout: 60_000, interval: 100 }
const QUERY = `subscription {
  userChanged(action: [INSERT, UPDATE]) {
    action
    old { email fullName }
    new { email fullName role }
    changed
    transaction { xid index last }
  }
}`

it.skipIf(!ARE_SCREENSHOTS_WANTED)('poses for screenshots', { timeout: 300_000 }, async () => {
  await buildPage()
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, {
    graphiqlQuery: QUERY,
    config: { slotBudget: { bytes: 1e9 } },
  })
  await running.service.rowcast.ready()
  await using browser = await openBrowser()
  const client = createWsClient(running.url)
  for (const model of ['user', 'user', 'post'])
    client.subscribe(`subscription { ${model}Changed { action } }`)
  const ending = new AbortController()
  const traffic = runTraffic(running.service.prisma as never, ending.signal, { stepIntervalMs: 400 })

  const context = await browser.newContext({ locale: 'en-GB' })
  const page = await context.newPage()
  await page.goto(running.url)
  const graphiql = await context.newPage()
  await graphiql.goto(`${running.url}/graphql`)
  await graphiql.getByRole('button', { name: /Execute query/ }).click()
  await expect.poll(() => graphiql.locator('.stream-events > li').count(), PATIENCE).toBeGreaterThan(8)
  await takeScreenshots(graphiql, 'graphiql')

  await page.bringToFront()
  await expect.poll(() => page.locator('#change-list .change').count(), PATIENCE).toBe(60)
  /** One of each kind, and a transaction of several, at the top. */
  const top = () =>
    page.locator('#change-list > li').evaluateAll((all) => {
      const first = all.slice(0, 4)
      const actions = first.flatMap((each) => [...each.querySelectorAll('[data-action]'), each])
      const kinds = new Set(actions.map((each) => each.getAttribute('data-action')).filter(Boolean))
      return kinds.size + (first.some((each) => each.className === 'transaction') ? 1 : 0)
    })
  await takeScreenshots(page, 'live-page', {
    settle: () => expect.poll(top, { timeout: 120_000, interval: 50 }).toBeGreaterThanOrEqual(3),
  })
  ending.abort()
  await traffic
  await client.close()
})
