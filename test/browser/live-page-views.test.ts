/** What the live page makes of what it is given, in a real browser: order, groups, words, and that nothing moves under a reader's eyes. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../../src/logger.ts'
import { createServer, type RowcastServer } from '../../src/server/create-server.ts'
import { buildTickSchema, createTickSource } from '../server/tick-schema.ts'
import { findAccessibilityFaults, findBrowser, openBrowser } from '../support/browser.ts'
import { buildPage } from '../support/build-page.ts'
import { activityOf, changeOf, modelOf, openFakedPage } from './fake-activity.ts'

const items = (page: Page) => page.locator('#change-list > li')
const news = (page: Page) => page.locator('#news')
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => changeOf(from + index))
const topOf = async (page: Page, selector: string) => (await page.locator(selector).boundingBox())?.y ?? -1

describe.skipIf(findBrowser() === null)('the live page', () => {
  let browser: Browser
  let server: RowcastServer
  let url = ''

  beforeAll(async () => {
    await buildPage()
    server = createServer({
      schema: buildTickSchema(createTickSource()),
      activitySchema: buildTickSchema(createTickSource()),
      ...{ logger: silentLogger, port: 0, health: () => ({ isReady: true }) },
    })
    url = (await server.listen()).url
    browser = await openBrowser()
  }, 150_000)
  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })

  const open = (options: Parameters<typeof openFakedPage>[2] = {}) => openFakedPage(browser, url, options)

  it('has changes first on a phone, and beside the stream on a desk', async () => {
    await using opened = await open({ viewport: { width: 390, height: 844 } })
    const { page } = opened
    await opened.send(activityOf(numbered(1, 3)))
    await expect.poll(() => items(page).count()).toBe(3)
    expect(await topOf(page, '#changes')).toBeLessThan(await topOf(page, '#stream'))
    expect(await topOf(page, '#change-list')).toBeLessThan(300)
    await page.getByRole('link', { name: 'Stream' }).click()
    await expect.poll(() => topOf(page, '#stream-title')).toBeLessThan(100)
    await page.setViewportSize({ width: 1280, height: 900 })
    expect(await topOf(page, '#changes')).toBe(await topOf(page, '.status-part'))
  })

  it('groups the changes of a transaction, in their order, and counts one as one', async () => {
    await using opened = await open()
    const { page } = opened
    const together = (sequence: number, more = {}) => changeOf(sequence, { transactionId: '700', ...more })
    const fields = Array.from({ length: 7 }, (_, index) => ({ name: `field${index}`, old: null, new: 'x' }))
    const inserted = changeOf(1, { action: 'INSERT', hasOld: false, fields })
    await opened.send(activityOf([inserted, together(2), together(3)]))
    await expect.poll(() => items(page).count()).toBe(2)
    const group = items(page).first()
    expect(await group.locator('.transaction-title').textContent()).toMatch(
      /^2 changes\s+in one transaction\s+700/,
    )
    expect(await group.locator('.change-title code').allInnerTexts()).toEqual(['id 2', 'id 3'])
    expect(await items(page).nth(1).locator('summary').textContent()).toBe('1 more field')
    // More of the same transaction, as it comes with the next second.
    await opened.send(activityOf(Array.from({ length: 4 }, (_, index) => together(4 + index))))
    await expect.poll(() => group.locator('.transaction-title strong').textContent()).toBe('6 changes')
    expect(await group.locator(':scope > details > summary').textContent()).toBe('1 more change')
    expect(await items(page).count()).toBe(2)
  })

  it.each(['hovered', 'scrolled', 'focused', 'opened'] as const)(
    'moves nothing while it is %s, and offers what is new',
    async (how) => {
      await using opened = await open()
      const { page } = opened
      const fields = Array.from({ length: 9 }, (_, index) => ({ name: `field${index}`, old: null, new: 'x' }))
      const first = numbered(1, 20).map((change) => ({
        ...change,
        action: 'INSERT' as const,
        hasOld: false,
        fields,
      }))
      await opened.send(activityOf(first))
      await expect.poll(() => items(page).count()).toBe(20)
      const read = items(page).nth(how === 'scrolled' ? 9 : 3)
      if (how === 'hovered') await read.hover()
      if (how === 'scrolled') await page.evaluate('scrollTo(0, 700)')
      if (how === 'focused') await read.locator('summary').focus()
      if (how === 'opened') {
        await read.locator('summary').click()
        await page.mouse.move(5, 5)
        await page.evaluate('document.activeElement.blur()')
      }
      // The page has seen it once it has drawn again.
      await page.evaluate(
        'new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))',
      )
      const before = await read.boundingBox()
      await opened.send(activityOf(numbered(21, 23)))
      await expect.poll(() => news(page).textContent()).toBe('Show 3 new changes')
      expect(await read.boundingBox()).toEqual(before)
      expect(await items(page).count()).toBe(20)
      await news(page).click()
      await expect.poll(() => items(page).count()).toBe(23)
      expect(await items(page).first().locator('code').textContent()).toBe('id 23')
      expect(await topOf(page, '#change-list')).toBeGreaterThanOrEqual(0)
      expect(await news(page).isVisible()).toBe(false)
    },
  )

  it('goes on by itself once nobody reads any more', async () => {
    await using opened = await open()
    const { page } = opened
    await opened.send(activityOf(numbered(1, 3)))
    await items(page).nth(1).hover()
    await opened.send(activityOf(numbered(4, 4)))
    await expect.poll(() => news(page).textContent()).toBe('Show 1 new change')
    await page.mouse.move(5, 5)
    await expect.poll(() => items(page).count()).toBe(4)
  })

  it('dims its numbers when the connection is lost, says since when, and comes back', async () => {
    await using opened = await open()
    const { page } = opened
    await opened.send(activityOf(numbered(1, 2)))
    await expect.poll(() => page.textContent('#state')).toBe('Streaming')
    const colour = () =>
      page.evaluate('getComputedStyle(document.querySelector("#tiles dd:not(.muted)")).color')
    const before = await colour()
    await opened.cut()
    await expect
      .poll(() => page.textContent('#state'))
      .toMatch(/^Connection lost at \d\d:\d\d:\d\d, trying again$/)
    expect(await page.textContent('#stale')).toMatch(/^These numbers are those of \d\d:\d\d:\d\d/)
    expect(await colour()).not.toBe(before)
    expect(await findAccessibilityFaults(page)).toEqual([])
    opened.accept()
    await opened.send(activityOf(numbered(1, 3)))
    await expect.poll(() => page.textContent('#state')).toBe('Streaming')
    expect(await colour()).toBe(before)
    expect(await page.locator('#stale').isVisible()).toBe(false)
  })

  it('has words for the slot and for positions, and axes with units', async () => {
    await using opened = await open()
    const { page } = opened
    const at = '2026-11-23T08:15:30.000Z'
    const samples = [{ at, lagBytes: 130_000, delayMs: 34, changes: 3 }]
    await opened.send({ ...activityOf([]), samples })
    await expect.poll(() => page.textContent('#tile-slot')).toMatch(/Healthy.*rowcast: PostgreSQL keeps all/)
    expect(await page.textContent('#tile-lag-time-')).toContain('34 ms')
    expect(await page.textContent('#tile-lag-wal-')).toContain('WAL ends at LSN 0/1A2B3C8')
    const axis = (plot: string) => page.locator(`#${plot} .axis-y span`).allTextContents()
    expect(await axis('delay-plot')).toEqual(['40 ms', '20 ms', '0 ms'])
    expect(await axis('lag-plot')).toEqual(['200 kB', '100 kB', '0 B'])
    expect(await axis('rate-plot')).toEqual(['4.0', '2.0', '0'])
    expect(await page.locator('#rate-plot .axis-x span').allTextContents()).toEqual(['60 s ago', 'now'])
    await page.getByText('What these words mean').click()
    for (const word of await page.locator('#tiles dt').allTextContents()) {
      if (word !== 'Changes a second')
        expect(await page.locator('.words dt').allTextContents()).toContain(word)
    }
    await opened.send(activityOf([], { slotHealth: { walStatus: 'lost' } as never, state: 'waiting' }))
    await expect.poll(() => page.textContent('#tile-slot')).toMatch(/Lost.*has removed.*does not read it now/)
  })

  it('says of a quiet model that it is quiet, and since when', async () => {
    await using opened = await open()
    const { page } = opened
    const models = [
      modelOf('User', { updates: 100 }),
      modelOf('Post'),
      modelOf('Tag', { inserts: 1, lastChangeAt: '2026-11-23T08:10:00.000Z' }),
    ]
    const rare = changeOf(1, { model: 'Rare' })
    await opened.send(activityOf([rare, ...numbered(2, 90)], { models: [...models, modelOf('Rare')] }))
    await expect.poll(() => items(page).count()).toBe(60)
    const empty = page.locator('#no-changes')
    const filter = page.getByLabel('Show', { exact: true })
    await filter.selectOption('Post')
    await expect
      .poll(() => empty.textContent())
      .toMatch(/^No changes of Post yet: none since rowcast started at \d\d:00:00\.$/)
    await filter.selectOption('Tag')
    await expect
      .poll(() => empty.textContent())
      .toMatch(/^No changes of Tag here: its last one was at \d\d:10:00/)
    // What others do does not push the few changes of a quiet model out.
    await filter.selectOption('Rare')
    await expect.poll(() => items(page).count()).toBe(1)
    expect(await empty.isVisible()).toBe(false)
  })

  it.each([390, 768, 1440])(
    'holds 300 models, long names, wide values and any script at %i px',
    async (width) => {
      await using opened = await open({ viewport: { width, height: 900 } })
      const { page, problems } = opened
      const long = 'AnExtraordinarilyLongModelNameThatSomebodyHasGivenToATableOfMeasurements'
      const models = Array.from({ length: 300 }, (_, index) =>
        modelOf(`${long}${index}`, { inserts: 123_456_789, perSecond: 12_345 }),
      )
      const fields = [
        {
          name: 'aFieldWhoseNameIsLongerThanAnyColumnHasRoomForIt',
          old: 'x'.repeat(160),
          new: 'мир '.repeat(40),
        },
        { name: 'שם', old: 'שלום עולם, זהו טקסט מימין לשמאל', new: 'مرحبا بالعالم' },
        { name: 'emoji', old: '👩‍👩‍👧‍👦'.repeat(20), new: '' },
      ]
      const key = [{ name: 'id', value: 'k'.repeat(160) }]
      await opened.send(
        activityOf([changeOf(1, { model: `${long}0`, fields, key }), ...numbered(2, 4)], {
          models,
          lagBytes: 9e12,
        }),
      )
      await expect.poll(() => items(page).count()).toBe(4)
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
      const escaped =
        await page.evaluate(`[...document.querySelectorAll('#change-list *, #tiles *, figure *')]
      .filter((node) => node.getBoundingClientRect().right > innerWidth && !node.closest('.unseen')).length`)
      expect(escaped).toBe(0)
      if (width === 390) expect(await findAccessibilityFaults(page)).toEqual([])
      expect(problems).toEqual([])
    },
  )
})
