/** The hooks in a React app of a stranger, in a real browser over real servers. */
import { build, type Rollup } from 'vite'
import { expect, it } from 'vitest'
import { findBrowser, openBrowser } from '../support/browser.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import type { Props, ReactPage } from './react-page.ts'

const PATIENCE = { timeout: 60_000, interval: 20 }
const PEERS = new URL('../peers/node_modules/', import.meta.url).pathname
/** The React of this repository, and the oldest that the hooks are for. */
const REACTS = {
  19: {},
  18: { react: `${PEERS}react-18`, 'react-dom': `${PEERS}react-dom-18` },
}
declare const page: ReactPage

async function bundle(alias: Record<string, string>): Promise<string> {
  const entry = `${import.meta.dirname}/react-page.ts`
  const [built] = (await build({
    ...{ configFile: false, logLevel: 'silent', resolve: { alias }, mode: 'development' },
    define: { 'process.env.NODE_ENV': '"development"' },
    build: { write: false, minify: false, lib: { entry, name: 'program', formats: ['iife' as const] } },
  })) as Rollup.RollupOutput[]
  return built?.output[0].code ?? ''
}

it.skipIf(findBrowser() === null)(
  'a StrictMode app has what the server has, with the oldest React and the newest',
  async () => {
    await using database = await openDatabase({ migrate: true })
    let running = await openService(database)
    const port = Number(new URL(running.url).port)
    await running.service.rowcast.ready()
    await using browser = await openBrowser()
    for (const [major, alias] of Object.entries(REACTS)) {
      await database.query('DELETE FROM "Tag"')
      await database.query(`INSERT INTO "Tag" (name) VALUES ('a'), ('b'), ('ab'), ('c')`)
      const tab = await browser.newPage()
      const faults: string[] = []
      tab.on('pageerror', (error) => faults.push(String(error)))
      tab.on('console', (line) => line.type() === 'error' && faults.push(line.text()))
      // A page of the server itself: a browser lets no other page open sockets to this machine.
      await tab.goto(`${running.url}/health/live`)
      await tab.evaluate(await bundle(alias))
      const set = (props: Props) => tab.evaluate((given) => page.set(given), props)
      const shows = (name: Props['hooks'][number], wanted: unknown) =>
        expect.poll(() => tab.evaluate((id) => JSON.parse(page.text(id)), name), PATIENCE).toEqual(wanted)
      const asked = () => tab.evaluate(() => page.asked)
      const ofServer = () => running.service.rowcast.status().subscriptions.get('Tag') ?? 0
      expect(await tab.evaluate(() => page.version)).toMatch(new RegExp(`^${major}\\.`))
      const hooks = ['list', 'followed', 'changes'] as const

      await set({ hooks, take: 3 })
      await shows('followed', ['live', ['c', 'ab', 'b'], 4, null])
      await shows('list', ['live', ['a', 'b', 'ab', 'c'], null])
      await shows('changes', ['live', [], null])
      // Mounted twice by StrictMode, subscribed once.
      expect((await asked()).toSorted()).toEqual(['TagChanges', 'TagList', 'Transactions'])
      await database.query(`INSERT INTO "Tag" (name) VALUES ('abc')`)
      await shows('followed', ['live', ['abc', 'c', 'ab'], 5, null])
      await shows('list', ['live', ['a', 'b', 'ab', 'c', 'abc'], null])
      await shows('changes', ['live', ['INSERT'], null])

      // Rendered again with other objects of the same content, and then with other content.
      for (let i = 0; i < 5; i += 1) await set({ hooks, take: 3 })
      expect(await asked()).toHaveLength(3)
      await set({ hooks, take: 2, name: 'a' })
      await shows('followed', ['live', ['abc', 'ab'], 3, null])
      await shows('list', ['live', ['a', 'ab', 'abc'], null])
      expect((await asked()).toSorted()).toEqual([
        'TagChanges',
        'TagChanges',
        'TagList',
        'TagList',
        'Transactions',
      ])
      await database.query(`DELETE FROM "Tag" WHERE name = 'ab'`)
      await shows('changes', ['live', ['INSERT', 'DELETE'], null])
      // Functions are those of the latest render.
      expect(await tab.evaluate(() => page.called)).toEqual([3, 2])

      // What is shown before it has come goes where it does not come.
      expect(await tab.evaluate(() => page.add('an own one', async () => undefined))).toBe('timeout')
      await shows('list', ['live', ['a', 'abc'], null])

      // The server dies, and comes back with what changed meanwhile.
      await running[Symbol.asyncDispose]()
      await shows('followed', ['reconnecting', ['abc', 'a'], 2, null])
      await shows('list', ['reconnecting', ['a', 'abc'], null])
      await database.query(`INSERT INTO "Tag" (name) VALUES ('a late one')`)
      running = await openService(database, { port })
      await shows('followed', ['live', ['a late one', 'abc'], 3, null])
      await shows('list', ['live', ['a', 'abc', 'a late one'], null])
      await shows('changes', ['live', ['INSERT', 'DELETE', 'INSERT'], null])

      // Mounted again many times, one of each is left; unmounted, none, at the server neither.
      for (let round = 1; round <= 20; round += 1) await set({ hooks, take: 2, name: 'a', round })
      await shows('followed', ['live', ['a late one', 'abc'], 3, null])
      await expect.poll(() => tab.evaluate(() => page.open), PATIENCE).toBe(3)
      await set({ hooks: ['wrong'], take: 3 })
      await expect.poll(ofServer, PATIENCE).toBe(0)
      await shows('wrong', ['ended', 'Cannot query field "nothing" on type "Subscription".'])
      await expect.poll(() => tab.evaluate(() => page.open), PATIENCE).toBe(0)
      expect(faults.filter((line) => !/WebSocket connection|Failed to load resource/.test(line))).toEqual([])
      await tab.close()
    }
    await running[Symbol.asyncDispose]()
  },
  180_000,
)
