/** The live page in a real browser: what it shows, and that everybody can use it. */
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { findAccessibilityFaults, findBrowser, openBrowser } from '../support/browser.ts'
import { buildPage } from '../support/build-page.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { createWsClient } from '../support/ws-client.ts'

const PATIENCE = { timeout: 30_000, interval: 100 }

/** A page that shows a service over a database of the sample's schema. */
async function open(options: Parameters<Awaited<ReturnType<typeof openBrowser>>['newPage']>[0] = {}) {
  const database = await openDatabase({ migrate: true })
  const running = await openService(database)
  await running.service.rowcast.ready()
  const browser = await openBrowser()
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options })
  const problems: string[] = []
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('pageerror', (error) => problems.push(error.message))
  await page.goto(running.url)
  await expect.poll(() => page.textContent('#state'), PATIENCE).toBe('Streaming')
  return {
    ...{ database, running, page, problems },
    async [Symbol.asyncDispose]() {
      await browser.close()
      await running[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

const items = (page: Page) => page.locator('#change-list .change')

/** A small life: each kind of change, with values of every colour. */
async function changeRows(database: TestDatabase): Promise<void> {
  await database.query(`INSERT INTO users (email, full_name) VALUES ('ada@example.com', 'Ada')`)
  await database.query(`INSERT INTO "Tag" (name, color) VALUES ('trains', '#225577'), ('<b>bold</b>', NULL)`)
  await database.query(`UPDATE users SET full_name = 'Ada Lovelace', balance = 12.5, tags = '{maths,poetry}'`)
  await database.query(`UPDATE "Tag" SET color = NULL WHERE name = 'trains'`)
  await database.query(`DELETE FROM "Tag" WHERE name = 'trains'`)
}

describe.skipIf(findBrowser() === null)('the live page', () => {
  beforeAll(buildPage)

  it('shows changes as diffs, what models do, who subscribes, the slot and the plots', async () => {
    await using opened = await open()
    const { database, running, page, problems } = opened
    const client = createWsClient(running.url)
    client.subscribe('subscription { userChanged { action } }')
    await expect.poll(() => page.textContent('[data-model=User] td:nth-of-type(5)'), PATIENCE).toBe('1')
    await changeRows(database)
    await expect.poll(() => items(page).count(), PATIENCE).toBe(6)

    const texts = await items(page).allInnerTexts()
    expect(texts[0]).toMatch(/DELETE\s+Tag/)
    expect(texts[1]).toMatch(/UPDATE\s+Tag[\s\S]*color\s+was\s+#225577\s+is now\s+NULL/)
    const userUpdate = items(page).nth(2)
    await expect
      .poll(() => userUpdate.locator('dt').allTextContents())
      .toEqual(['fullName', 'balance', 'tags'])
    expect(await userUpdate.locator('del').allTextContents()).toEqual(['was Ada', 'was 0', 'was []'])
    expect(await userUpdate.locator('ins').allTextContents()).toEqual([
      'is now Ada Lovelace',
      'is now 12.5',
      'is now [maths, poetry]',
    ])
    // Text of the database is text, and what nobody may see is not there.
    expect(texts.join()).toContain('<b>bold</b>')
    expect(texts.join()).not.toContain('passwordHash')

    const row = await page.locator('[data-model=User] td').allTextContents()
    expect(row.slice(1)).toEqual(['1', '1', '0', '1'])
    await expect.poll(() => page.locator('#delay-plot path').getAttribute('d'), PATIENCE).toMatch(/^M/)
    await expect
      .poll(() => page.locator('#rate-plot svg').getAttribute('aria-label'), PATIENCE)
      .toMatch(/Changes a second: now \d+/)
    expect(await page.textContent('#tile-wal-held-by-the-slot')).toMatch(/\d+(\.\d)? [kM]?B/)
    expect(problems).toEqual([])
    await client.close()
  })

  it('follows the system’s colours until set otherwise, and remembers it', async () => {
    await using opened = await open({ colorScheme: 'dark' })
    const { page } = opened
    const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
    expect(await ground()).toBe('rgb(15, 19, 24)')
    await page.getByRole('button', { name: 'Dark' }).click()
    expect(await ground()).toBe('rgb(245, 246, 248)')
    await page.reload()
    await expect.poll(ground).toBe('rgb(245, 246, 248)')
  })

  it('is used with the keyboard alone: the theme, a pause in which nothing moves, the filter', async () => {
    await using opened = await open()
    const { database, page } = opened
    const focused = () => page.evaluate('document.activeElement.textContent')
    const tabTo = async (wanted: RegExp) => {
      for (let presses = 0; presses < 12; presses += 1) {
        await page.keyboard.press('Tab')
        if (wanted.test(String(await focused()))) return
      }
      expect.fail(`Tab never reached ${wanted}.`)
    }
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Skip to the changes')
    await tabTo(/^Pause$/)
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
    await page.keyboard.press('Space')
    await changeRows(database)
    await expect.poll(() => page.textContent('#news'), PATIENCE).toBe('Show 6 new changes')
    expect(await items(page).count()).toBe(0)
    await page.keyboard.press('Enter')
    await expect.poll(() => items(page).count()).toBe(6)
    await tabTo(/all models/)
    await page.keyboard.type('Us')
    await expect.poll(() => items(page).count()).toBe(2)
  })

  it('reads to screen readers what has changed, in one sentence', async () => {
    await using opened = await open()
    await opened.database.query(`INSERT INTO "Tag" (name) VALUES ('a'), ('b')`)
    await expect
      .poll(() => opened.page.textContent('#announcer'), PATIENCE)
      .toBe('2 changes: Tag added 2 times.')
    expect(await opened.page.getAttribute('#announcer', 'aria-live')).toBe('polite')
  })

  it.each(['light', 'dark'] as const)(
    'has no fault that axe finds, %s, wide and narrow',
    async (colorScheme) => {
      await using opened = await open({ colorScheme })
      const { database, page } = opened
      await changeRows(database)
      await expect.poll(() => items(page).count(), PATIENCE).toBe(6)
      // Colours on their way from one to another are neither.
      await page.emulateMedia({ reducedMotion: 'reduce' })
      expect(await findAccessibilityFaults(page)).toEqual([])
      await page.setViewportSize({ width: 375, height: 740 })
      expect(await findAccessibilityFaults(page)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375)
    },
  )

  it('asks for a token where the server does', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database, {
      context: (source) =>
        source.kind === 'websocket' && source.connectionParams['token'] === 'let me in'
          ? { context: {} }
          : null,
    })
    await using browser = await openBrowser()
    const page = await browser.newPage()
    await page.goto(running.url)
    const field = page.getByLabel('The server asks who you are. Token:')
    for (const token of ['wrong', 'let me in']) {
      await field.waitFor()
      await field.fill(token)
      await field.press('Enter')
    }
    await expect.poll(() => page.textContent('#state'), PATIENCE).toBe('Streaming')
    expect(await field.isVisible()).toBe(false)
    expect(page.url()).not.toContain('let')
  })

  it('says what keeps changes from flowing, and what to do', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database, { databaseUrl: 'postgresql://user@127.0.0.1:1/none' })
    await using browser = await openBrowser()
    const page = await browser.newPage()
    await page.goto(running.url)
    await expect.poll(() => page.getByRole('alert').textContent(), PATIENCE).toMatch(/^SOURCE_[A-Z_]+: .{20}/)
    expect(await page.textContent('#state')).not.toBe('Streaming')
    expect(await findAccessibilityFaults(page)).toEqual([])
  })

  it('says that the connection is lost, and goes on by itself', async () => {
    await using database = await openDatabase({ migrate: true })
    let running: RunningService = await openService(database)
    await using browser = await openBrowser()
    const page = await browser.newPage()
    await page.goto(running.url)
    const state = () => page.textContent('#state')
    await expect.poll(state, PATIENCE).toBe('Streaming')
    await running[Symbol.asyncDispose]()
    await expect.poll(state, PATIENCE).toMatch(/^Connection lost at .*, trying again$/)
    running = await openService(database, { port: Number(new URL(running.url).port) })
    await expect.poll(state, PATIENCE).toBe('Streaming')
    await database.query(`INSERT INTO "Tag" (name) VALUES ('after')`)
    await expect.poll(() => items(page).count(), PATIENCE).toBe(1)
    await running[Symbol.asyncDispose]()
  })
})
