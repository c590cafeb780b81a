/** A page that shows its own mutations before they have come, in a real browser over a real PostgreSQL: nothing flickers. */
import { build, type Rollup } from 'vite'
import { expect, it } from 'vitest'
import { findBrowser, openBrowser } from '../support/browser.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import type { PageUnderTest } from './own-mutations-page.ts'

const PATIENCE = { timeout: 60_000, interval: 50 }
declare const page: PageUnderTest

/** The page's program as one script. */
async function bundle(): Promise<string> {
  const entry = `${import.meta.dirname}/own-mutations-page.ts`
  const lib = { entry, name: 'program', formats: ['iife' as const] }
  const [built] = (await build({
    ...{ configFile: false, logLevel: 'silent' },
    build: { write: false, minify: false, lib },
  })) as Rollup.RollupOutput[]
  return built?.output[0].code ?? ''
}

it.skipIf(findBrowser() === null).each(['page', 'server'])(
  'shows each row from the first moment on, once, among those of others, in a list that the %s keeps',
  async (keptBy) => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database, {
      config: { models: { Tag: {} }, public: true, showMetadata: { fields: () => ['mutationId'] } },
    })
    await running.service.rowcast.ready()
    await using browser = await openBrowser()
    const tab = await browser.newPage()
    await tab.exposeFunction('commit', async (name: string, mutationId: string) => {
      const said = JSON.stringify({ mutationId })
      await database.query(
        `BEGIN; SELECT pg_logical_emit_message(true, 'rowcast.metadata', '${said}');
         INSERT INTO "Tag" (name) VALUES ('${name}'); COMMIT; INSERT INTO "Tag" (name) VALUES ('of another ${name}')`,
      )
    })
    // A page of the server itself: a browser lets no other page open sockets to this machine.
    await tab.goto(`${running.url}/health/live`)
    await tab.evaluate((by) => Object.assign(globalThis, { keptBy: by }), keptBy)
    await tab.evaluate(await bundle())
    await expect.poll(() => tab.evaluate(() => page.status()), PATIENCE).toBe('live')
    const names = ['a', 'b', 'c', 'd', 'e']
    const outcomes = await tab.evaluate((all) => Promise.all(all.map((name) => page.add(name))), names)
    expect(outcomes).toEqual(names.map(() => 'change'))
    const all = [...names, ...names.map((name) => `of another ${name}`)].join(' ')
    await expect.poll(() => tab.evaluate(() => page.pictures.at(-1)), PATIENCE).toBe(all)
    const { pictures, own } = await tab.evaluate(() => page)
    // A patch may be of one's own transaction and of another's.
    expect(own.filter((name) => names.includes(name)).toSorted()).toEqual(names)
    if (keptBy === 'page') expect(own).toHaveLength(names.length)
    // From the picture on that has a row first, each has it, and has it once.
    const rows = pictures.map((picture) => picture.replaceAll(/of another ./g, '').split(' '))
    for (const name of names) {
      const counts = rows.map((shown) => shown.filter((each) => each === name).length)
      expect(new Set(counts.slice(counts.indexOf(1)))).toEqual(new Set([1]))
    }
  },
  180_000,
)
