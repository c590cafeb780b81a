/** GraphiQL in a real browser: offline, and a subscription in it shows a change. */
import { expect, it } from 'vitest'
import { findBrowser, launchBrowser } from '../support/browser.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'

const browserPath = findBrowser()

it.skipIf(browserPath === null)(
  'runs a subscription and shows a change, without any other host',
  async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database, {
      graphiqlQuery: 'subscription { userChanged { action new { email } } }',
    })
    await running.service.rowcast.ready()
    const browser = await launchBrowser(browserPath ?? '')
    await using _closed = { [Symbol.asyncDispose]: () => browser.close() }
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 } })
    const elsewhere: string[] = []
    page.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith(running.url) && !/^(data|blob|about):/.test(url)) elsewhere.push(url)
    })
    await page.goto(`${running.url}/graphql`)
    await page.getByRole('button', { name: /Execute query/ }).click()
    const result = page.locator('.graphiql-response')
    await expect
      .poll(
        async () => {
          await database.query(`INSERT INTO users (email) VALUES (gen_random_uuid() || '@example.com')`)
          return (await result.textContent()) ?? ''
        },
        { timeout: 30_000, interval: 250 },
      )
      .toMatch(/"action":\s*"INSERT"[\s\S]*@example\.com/)
    const screenshot = process.env['ROWCAST_SCREENSHOTS']
    if (screenshot !== undefined) await page.screenshot({ path: `${screenshot}/graphiql.png` })
    expect(elsewhere).toEqual([])
  },
)
