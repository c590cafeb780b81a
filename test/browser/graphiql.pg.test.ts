/** GraphiQL in a real browser: offline, and a subscription in it shows a change. */
import { expect, it } from 'vitest'
import { findBrowser, launchBrowser, takeScreenshot } from '../support/browser.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'

const browserPath = findBrowser()
const QUERY = `subscription {
  userChanged {
    action
    old { email fullName }
    new { email fullName }
  }
}`

it.skipIf(browserPath === null)(
  'runs a subscription and shows a change, without any other host',
  async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database, {
      graphiqlQuery: QUERY,
    })
    await running.service.rowcast.ready()
    const browser = await launchBrowser(browserPath ?? '')
    await using _closed = { [Symbol.asyncDispose]: () => browser.close() }
    const page = await browser.newPage({ viewport: { width: 1100, height: 560 } })
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
          await database.query(
            `INSERT INTO users (email) VALUES (left(gen_random_uuid()::text, 8) || '@example.com')`,
          )
          return ((await result.textContent()) ?? '').replaceAll(/\s/g, '')
        },
        { timeout: 30_000, interval: 250 },
      )
      .toMatch(/"action":"INSERT".*@example\.com/)
    await database.query(`INSERT INTO users (email, full_name) VALUES ('ada@example.com', 'Ada')`)
    await database.query(`UPDATE users SET full_name = 'Ada Lovelace' WHERE email = 'ada@example.com'`)
    await expect
      .poll(async () => ((await result.textContent()) ?? '').replaceAll(/\s/g, ''), {
        timeout: 30_000,
        interval: 250,
      })
      .toMatch(/"action":"UPDATE".*"Ada".*"AdaLovelace"/)
    await takeScreenshot(page, 'graphiql')
    expect(elsewhere).toEqual([])
  },
)
