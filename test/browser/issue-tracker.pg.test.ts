/** examples/issues in two browsers side by side: two people at one board, whose server is killed, and one of whom is taken out of the team. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { findFreePort } from '../../src/embedded/free-port.ts'
import { findAccessibilityFaults, findBrowser, openBrowser } from '../support/browser.ts'
import { openDatabase } from '../support/database.ts'
import {
  buildIssuesPage,
  bundleIssues,
  generateIssues,
  ISSUES,
  startIssues,
} from '../support/issue-tracker.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { takeScreenshots } from '../support/screenshots.ts'

const PATIENCE = { timeout: 60_000, interval: 50 }

/** Titles in the columns, as they are shown. */
const columnOf = (page: Page, name: string) =>
  page.locator(`section[aria-label="${name}"] article .title`).allInnerTexts()
const card = (page: Page, id: number) => page.locator(`article[data-id="${id}"]`)
const statusOf = (page: Page) => page.getAttribute('[role=status]', 'data-status')

interface Noted {
  /** The columns that the card was shown in, one after the other. */
  readonly columns: readonly string[]
  /** Each card that was lit up, with the color: `1 rgb(36, 87, 214)`. */
  readonly lit: readonly string[]
}

/** Notes what is shown for a moment only. */
async function note(page: Page, id: number): Promise<() => Promise<Noted>> {
  await page.evaluate((cardId) => {
    const noted = { columns: [] as string[], lit: [] as string[] }
    Object.assign(globalThis, { noted })
    const look = () => {
      const all = [...document.querySelectorAll(`article[data-id="${cardId}"]`)]
      const where = all.map((each) => each.closest('section')?.getAttribute('aria-label')).join(' and ')
      if (noted.columns.at(-1) !== where) noted.columns.push(where)
      for (const { dataset, style } of document.querySelectorAll<HTMLElement>('article[data-lit]')) {
        const one = `${dataset['id']} ${style.outlineColor}`
        if (!noted.lit.includes(one)) noted.lit.push(one)
      }
    }
    look()
    new MutationObserver(look).observe(document.body, { attributes: true, childList: true, subtree: true })
  }, id)
  return () => page.evaluate(() => Reflect.get(globalThis, 'noted') as Noted)
}

it.skipIf(findBrowser() === null)(
  'shows two people one board: what they do, what the other has seen, and nothing to whom it is not for',
  async () => {
    // The page needs nothing that is generated.
    const built = buildIssuesPage()
    const bundled = generateIssues().then(() => bundleIssues('main'))
    for (const each of [built, bundled]) each.catch(() => undefined)
    await using database = await openDatabase()
    for (const file of ['prisma/migrations/20260101000000_issues/migration.sql', 'prisma/seed.sql'])
      await database.query(await readFile(join(ISSUES, file), 'utf8'))
    const [program, page] = await Promise.all([bundled, built])
    const port = await findFreePort()
    const url = `http://127.0.0.1:${port}`
    const start = async (): Promise<ChildProcess> => {
      const server = startIssues(program, {
        ...{ DATABASE_URL: database.url, SLOT: slotOf(database), PORT: String(port), PAGE: page },
      })
      const ended = once(server, 'exit').then(([code]) => Promise.reject(new Error(`It ended with ${code}.`)))
      await Promise.race([once(server.stdout, 'data'), ended])
      ended.catch(() => undefined)
      return server
    }
    let server = await start()
    try {
      await using browser = await openBrowser()
      const open = async (viewer: string) => {
        const tab = await (await browser.newContext({ viewport: { width: 1280, height: 700 } })).newPage()
        tab.setDefaultTimeout(PATIENCE.timeout)
        await tab.goto(`${url}/?as=${viewer}`)
        await expect.poll(() => statusOf(tab), PATIENCE).toBe('live')
        return tab
      }
      const [ada, bob] = await Promise.all([open('ada'), open('bob')])
      for (const tab of [ada, bob])
        await expect.poll(() => columnOf(tab, 'In progress'), PATIENCE).toHaveLength(2)
      // What is in another workspace is not there.
      expect(await ada.locator('nav button').allInnerTexts()).toEqual(['Northwind / Web shop'])

      // Under one's hand it moves at once, and never back; the other sees it, in the colour of whose change it is.
      const [notedByAda, notedByBob] = await Promise.all([note(ada, 1), note(bob, 1)])
      await card(ada, 1).dragTo(card(ada, 4), { targetPosition: { x: 20, y: 4 } })
      const moved = ['The cart forgets its coupons', 'Search finds nothing with an umlaut', 'Dark mode']
      for (const tab of [ada, bob])
        await expect.poll(() => columnOf(tab, 'In progress'), PATIENCE).toEqual(moved)
      await expect.poll(async () => (await notedByBob()).lit, PATIENCE).toEqual(['1 rgb(36, 87, 214)'])

      // Dropped where it was, it stays there.
      await card(ada, 4).dragTo(card(ada, 4), {
        ...{ sourcePosition: { x: 60, y: 40 }, targetPosition: { x: 20, y: 4 } },
      })
      for (const tab of [ada, bob]) expect(await columnOf(tab, 'In progress')).toEqual(moved)

      // What the server never had goes back to where it was.
      await ada.route('**/graphql', (route) => route.abort())
      await card(ada, 2).getByRole('button', { name: 'right' }).click()
      await ada.getByText('“Receipts by mail” is back where it was').waitFor()
      for (const tab of [ada, bob]) expect(await columnOf(tab, 'To do')).toEqual(['Receipts by mail'])
      await ada.unroute('**/graphql')

      // A card hears of its comments, and of who has seen it.
      await card(bob, 1).locator('.title').click()
      await bob.getByLabel('A comment').fill('It is the collation.')
      // Twice on a slow network is once.
      await bob.locator('aside form').evaluate((form: HTMLFormElement) => {
        form.requestSubmit()
        form.requestSubmit()
        setTimeout(() => form.requestSubmit())
      })
      await expect.poll(() => card(ada, 1).textContent(), PATIENCE).toMatch(/3 comments[\s\S]*seen by .*Bob/)
      await expect.poll(() => bob.locator('aside li').allInnerTexts(), PATIENCE).toHaveLength(3)
      // What is begun for one issue is not sent to the next.
      await bob.getByLabel('A comment').fill('For the first')
      await card(bob, 4).locator('.title').click()
      await bob.getByLabel('Issue 4').waitFor()
      expect(await bob.getByLabel('A comment').inputValue()).toBe('')
      await card(bob, 1).locator('.title').click()

      // Killed; what happens meanwhile is there once it is back.
      server.kill('SIGKILL')
      for (const tab of [ada, bob]) await expect.poll(() => statusOf(tab), PATIENCE).toBe('reconnecting')
      await database.query(`UPDATE "Issue" SET status = 'DONE', rank = 9 WHERE id = 2`)
      server = await start()
      for (const tab of [ada, bob]) {
        await expect
          .poll(() => columnOf(tab, 'Done'), PATIENCE)
          .toEqual(['Pay with the phone', 'Receipts by mail'])
        await expect.poll(() => statusOf(tab), PATIENCE).toBe('live')
      }
      // It went there once, and what she did herself never lit up: only what Bob did.
      const { columns, lit } = await notedByAda()
      expect(columns).toEqual(['To do', 'In progress'])
      const byBob = ['1 rgb(15, 122, 67)', '4 rgb(15, 122, 67)']
      expect(new Set(lit)).toEqual(new Set([...byBob, '2 rgb(138, 148, 163)']))

      // Taken out of the team while he looks: the board goes, and what is written afterwards does not come.
      await ada.getByLabel('Members').click()
      await ada.getByRole('button', { name: 'Remove Bob' }).click()
      await bob.getByText('Nothing is shared with you').waitFor()
      expect(await bob.locator('article, aside').count()).toBe(0)
      const long = `Not for Bob${'nor for anybody'.repeat(12)}`
      await database.query(`UPDATE "Issue" SET title = '${long}' WHERE id = 4`)
      await expect.poll(() => columnOf(ada, 'In progress'), PATIENCE).toContain(long)
      const [width = 0, fits = 0] = await card(ada, 4).evaluate((each) => [
        each.scrollWidth,
        each.clientWidth,
      ])
      expect(width).toBeLessThanOrEqual(fits)
      expect(await bob.locator('body').textContent()).not.toContain('Not for Bob')
      await database.query(`UPDATE "Issue" SET title = 'Dark mode' WHERE id = 4`)
      await ada.getByRole('button', { name: 'Add Bob' }).click()
      await expect.poll(() => columnOf(bob, 'In progress'), PATIENCE).toEqual(moved)
      await ada.getByLabel('Members').click()

      await card(ada, 1).locator('.title').click()
      await ada.locator('aside li').nth(2).waitFor()
      for (const colorScheme of ['light', 'dark'] as const) {
        await ada.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        expect(await findAccessibilityFaults(ada)).toEqual([])
      }
      await takeScreenshots(ada, 'issue-tracker', { height: 640 })
    } finally {
      const ended = once(server, 'exit')
      server.kill('SIGKILL')
      await ended
    }
  },
  180_000,
)
