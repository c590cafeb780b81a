/** examples/web in a real browser, over a rowcast that is killed in the middle. */
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { createServedRowcast } from '../chaos/served-rowcast.ts'
import { findAccessibilityFaults, findBrowser, openBrowser } from '../support/browser.ts'
import { serveExample } from '../support/build-page.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { takeScreenshots } from '../support/screenshots.ts'

const PATIENCE = { timeout: 60_000, interval: 100 }

/** What is on the page, and what is in the database, each in the order of the page. */
const shownNames = (page: Page) => page.locator('li').allInnerTexts()
async function storedNames(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ name: string }>('SELECT name FROM "Tag"')
  return rows.map(({ name }) => name).sort((a, b) => a.localeCompare(b))
}

async function expectSame(page: Page, database: TestDatabase): Promise<void> {
  const stored = await storedNames(database)
  await expect.poll(() => shownNames(page), PATIENCE).toEqual(stored)
}

it.skipIf(findBrowser() === null)(
  'follows inserts, updates and deletes, across a kill of the server and a resync',
  async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query(
      `INSERT INTO "Tag" (name, color) VALUES ('trains', '#2457d6'), ('poetry', '#a11d1d')`,
    )
    const crashes: string[] = []
    await using served = await createServedRowcast({
      name: 'rowcast',
      databaseUrl: database.url,
      env: { ROWCAST_SLOT: slotOf(database) },
      onCrash: (words) => crashes.push(words),
    })
    await served.start()
    await using example = await serveExample(`http://127.0.0.1:${served.port}`)
    await using browser = await openBrowser()
    const page = await browser.newPage({ viewport: { width: 560, height: 520 } })
    await page.goto(example.url)
    const status = () => page.getAttribute('[role=status]', 'data-status')
    await expect.poll(status, PATIENCE).toBe('live')
    await expectSame(page, database)

    // Each kind of change; a row that has just come is lit up, and later is not.
    await database.query(`INSERT INTO "Tag" (name, color) VALUES ('gardens', '#0d6335')`)
    await expect.poll(() => page.locator('li[data-new=INSERT]').textContent(), PATIENCE).toBe('gardens')
    await database.query(`UPDATE "Tag" SET name = 'verse' WHERE name = 'poetry'`)
    await expectSame(page, database)
    await database.query(`UPDATE "Tag" SET id = id + 1000 WHERE name = 'trains'`)
    await database.query(`DELETE FROM "Tag" WHERE name = 'gardens'`)
    await expectSame(page, database)
    await expect.poll(() => page.locator('li[data-new]').count(), PATIENCE).toBe(0)

    // Killed; what happens meanwhile is seen once it is back.
    await served.kill()
    await expect.poll(status, PATIENCE).toBe('reconnecting')
    await database.query(`INSERT INTO "Tag" (name) SELECT 'meanwhile ' || n FROM generate_series(1, 5) n`)
    await database.query(`DELETE FROM "Tag" WHERE name = 'verse'`)
    await database.query(`UPDATE "Tag" SET name = 'railways' WHERE name = 'trains'`)
    await served.start()
    await expectSame(page, database)
    await expect.poll(status, PATIENCE).toBe('live')

    // Gone for good: the slot, and with it what happened meanwhile. The list is queried again.
    await served.kill()
    await expect.poll(() => dropSlot(database), PATIENCE).toBe('dropped')
    await database.query(`DELETE FROM "Tag" WHERE name LIKE 'meanwhile%'`)
    await database.query(
      `INSERT INTO "Tag" (name, color) VALUES ('chess', '#754800'), ('bridges', '#566170')`,
    )
    await served.start()
    await expectSame(page, database)
    await database.query(`INSERT INTO "Tag" (name, color) VALUES ('ferries', '#86abff')`)
    await expectSame(page, database)
    expect(await findAccessibilityFaults(page)).toEqual([])
    await takeScreenshots(page, 'example-app', {
      height: 340,
      async settle() {
        // Lit up as what has just come is.
        await database.query(`UPDATE "Tag" SET id = id + 1 WHERE name = 'ferries'`)
        await database.query(`UPDATE "Tag" SET color = '#128a4a' WHERE name = 'ferries'`)
        await page.locator('li[data-new=UPDATE]').waitFor()
      },
    })
    expect(crashes).toEqual([])
  },
  180_000,
)

/** The walsender of a killed process takes a moment to notice. */
async function dropSlot(database: TestDatabase): Promise<string> {
  try {
    await database.query('SELECT pg_drop_replication_slot($1)', [slotOf(database)])
    return 'dropped'
  } catch (error) {
    return String(error)
  }
}
