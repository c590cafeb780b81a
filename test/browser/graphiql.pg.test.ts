/** GraphiQL in a real browser: offline, events of subscriptions as a list, and one socket for those of all its tabs. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findAccessibilityFaults, findBrowser, openBrowser } from '../support/browser.ts'
import { buildPage } from '../support/build-page.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'

const PATIENCE = { timeout: 30_000, interval: 100 }
const QUERY = `subscription {
  userChanged(action: [INSERT, UPDATE]) {
    action
    new { email fullName }
  }
}`

describe.skipIf(findBrowser() === null)('GraphiQL', () => {
  let database: TestDatabase
  let running: RunningService
  let browser: Browser

  beforeAll(async () => {
    await buildPage()
    database = await openDatabase({ migrate: true })
    running = await openService(database, { graphiqlQuery: QUERY })
    await running.service.rowcast.ready()
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await running?.[Symbol.asyncDispose]()
    await database?.[Symbol.asyncDispose]()
  })

  /** A page of its own, and what it asked for and complained about. */
  async function open(query?: string) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 700 } })
    const page = await context.newPage()
    const problems: string[] = []
    const sockets: string[] = []
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('websocket', (socket) => sockets.push(socket.url()))
    page.on('request', (request) => {
      if (!request.url().startsWith(running.url) && !request.url().startsWith('data:'))
        problems.push(request.url())
    })
    const search = query === undefined ? '' : `?query=${encodeURIComponent(query)}`
    await page.goto(`${running.url}/graphql${search}`)
    return { page, problems, sockets, [Symbol.asyncDispose]: () => context.close() }
  }

  const events = (page: Page) => page.locator('.stream-events > li')
  const state = (page: Page) => page.locator('.stream-state')
  const subscriptions = () => running.service.rowcast.status().subscriptions.get('User') ?? 0
  const insert = (email: string) => database.query('INSERT INTO users (email) VALUES ($1)', [email])

  async function subscribe(page: Page): Promise<void> {
    await page.getByRole('button', { name: /Execute query/ }).click()
    await expect.poll(() => state(page).textContent(), PATIENCE).toBe('Live')
  }

  it('lists events with their times, newest first; pauses, clears, stops; loads nothing from elsewhere', async () => {
    await using opened = await open()
    const { page, problems } = opened
    const before = subscriptions()
    await subscribe(page)
    await expect.poll(subscriptions, PATIENCE).toBe(before + 1)
    await insert('first@example.com')
    await insert('second@example.com')
    await expect.poll(() => events(page).count(), PATIENCE).toBe(2)
    const texts = await events(page).allInnerTexts()
    expect(texts[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3}\s*#2[\s\S]*"action": "INSERT"[\s\S]*second@example\.com/)
    expect(texts[1]).toMatch(/#1[\s\S]*first@example\.com/)
    expect(await page.locator('.stream-count').textContent()).toBe('2 events')

    await page.getByRole('button', { name: 'Pause' }).click()
    await insert('third@example.com')
    await page.getByRole('button', { name: 'Paused (1 more)' }).waitFor()
    expect(await events(page).count()).toBe(2)
    await page.getByRole('button', { name: 'Paused' }).click()
    await expect.poll(() => events(page).count()).toBe(3)
    expect(await findAccessibilityFaults(page, '.stream')).toEqual([])

    await page.getByRole('button', { name: 'Clear' }).click()
    await insert('fourth@example.com')
    await expect.poll(() => events(page).allInnerTexts(), PATIENCE).toEqual([expect.stringMatching(/#4/)])
    await page.getByRole('button', { name: 'Stop', exact: true }).click()
    await expect.poll(() => state(page).textContent()).toBe('Stopped')
    await expect.poll(subscriptions, PATIENCE).toBe(before)
    expect(problems).toEqual([])
  })

  it('has one socket for the subscriptions of ten tabs, each of which goes on in the background', async () => {
    await using opened = await open()
    const { page, sockets } = opened
    const before = subscriptions()
    for (let tab = 0; tab < 10; tab += 1) {
      if (tab > 0) {
        await page.getByRole('button', { name: 'New tab' }).click()
        await page.locator('.graphiql-query-editor .CodeMirror').click()
        await page.keyboard.press('Control+A')
        await page.keyboard.insertText(QUERY)
      }
      await subscribe(page)
    }
    await expect.poll(subscriptions, PATIENCE).toBe(before + 10)
    expect(sockets).toEqual([`${running.url.replace('http', 'ws')}/graphql`])
    await insert('for-all@example.com')
    const tabs = page.locator('.graphiql-tab-button')
    for (const index of [0, 4, 9]) {
      await tabs.nth(index).click()
      await expect
        .poll(() => events(page).allInnerTexts(), PATIENCE)
        .toEqual([expect.stringContaining('for-all')])
    }
    await page.locator('.graphiql-tab-close').last().click()
    await expect.poll(subscriptions, PATIENCE).toBe(before + 9)
    await page.close()
    await expect.poll(subscriptions, PATIENCE).toBe(before)
  })

  it('shows an error with its code and hint, and says where events may be missing', async () => {
    await using opened = await open('subscription { userChanged(after: "nonsense") { action } }')
    const { page } = opened
    await page.getByRole('button', { name: /Execute query/ }).click()
    await expect.poll(() => state(page).textContent(), PATIENCE).toBe('Ended with an error')
    expect(await events(page).locator('code').textContent()).toMatch(/^[A-Z_]+$/)
    expect((await events(page).locator('.event-hint').textContent())?.length).toBeGreaterThan(20)
    expect(await findAccessibilityFaults(page, '.stream')).toEqual([])
  })

  it('shows answers of queries as ever, in the same tab', async () => {
    await using opened = await open('query { users(take: 1) { email } }')
    const { page, problems } = opened
    await page.getByRole('button', { name: /Execute query/ }).click()
    const response = page.locator('.graphiql-response .result-window')
    await expect.poll(() => response.textContent(), PATIENCE).toContain('"email"')
    expect(await page.locator('.stream').count()).toBe(0)
    expect(problems).toEqual([])
  })
})
