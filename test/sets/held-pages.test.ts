/** What is read and not taken has a bound, whatever slow readers do; and who reads on is not the one who pays for it. */
import { expect, it } from 'vitest'
import { Account } from '../../src/bus/holdings.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import type { RowcastError } from '../../src/errors.ts'
import type { FencedRows } from '../../src/sets/fence.ts'
import { FirstRows } from '../../src/sets/first-rows.ts'
import { HeldPages, type PageHolder, type WeighedPage } from '../../src/sets/held-pages.ts'
import type { LiveRows } from '../../src/sets/live-rows.ts'
import { PageSizes } from '../../src/sets/page-sizes.ts'
import { firstRowsOf } from '../../src/sets/related-first-rows.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const ROWS = 100_000
const ROW_BYTES = 100

/** A table of so many rows, which is read in pages; what waits for the stream is given at once. */
function world({ bytesMax = 256 * 1024, rows = ROWS } = {}) {
  const feed = createFakeFeed(blogCatalog, ['User'])
  feed.open()
  // The cursor for now is that of this change.
  feed.commit({ model: 'Post', action: 'INSERT' })
  const held = new HeldPages(bytesMax)
  const pages = new Map<string, FencedRows>()
  const seen = { most: 0, reads: 0 }
  const open = (account?: Account) =>
    new FirstRows({
      changeCursor: feed.changeCursor,
      subscribe: (after) => feed.subscribeDeliveries({ model: 'User', after }),
      async readPage(behind, take) {
        const from = behind === null ? 0 : Number(behind['id']) + 1
        const count = Math.min(take, rows - from)
        // One read for all who ask for the same, as of many of one audience.
        const key = `${from} ${take}`
        const fence = { sees: () => true, endLsn: toLsn(1n), text: '' }
        const read = pages.get(key) ?? {
          rows: Array.from({ length: count }, (_, index): AnyRow => ({ id: from + index })),
          ...{ bytes: count * ROW_BYTES, fence },
        }
        pages.set(key, read)
        seen.reads += 1
        return read
      },
      keyOf: ({ id }) => ({ id }),
      compareKeys: (a, b) => Number(a['id']) - Number(b['id']),
      sizes: new PageSizes(10_000, () => held.pageBytes),
      held,
      account,
      wait: () => new Promise((resolve) => setImmediate(resolve)),
    })
  return { held, open, seen }
}

async function readAll(rows: FirstRows, onRow: () => void): Promise<number> {
  for (let count = 0; ; count += 1) {
    const { value } = await rows.next()
    if (value?.kind === 'ready') return count
    if (value?.kind !== 'read') throw new Error('The rows ended before they were all there.')
    onRow()
  }
}

it('a hundred thousand rows are never held together', async () => {
  const { held, open, seen } = world()
  const rows = open()
  const count = await readAll(rows, () => {
    seen.most = Math.max(seen.most, held.bytes)
  })
  expect(count).toBe(ROWS)
  expect(seen.most).toBeGreaterThan(0)
  expect(seen.most).toBeLessThanOrEqual(held.bytesMax)
  expect(seen.reads).toBeLessThan(ROWS / 100)
  expect(held.bytes).toBe(0)
  await rows.return()
})

it('those who leave their pages where they are make room for who reads, who gets all of them', async () => {
  const { held, open } = world({ rows: 2_000, bytesMax: 64 * 1024 })
  const slow = Array.from({ length: 60 }, () => open())
  let most = 0
  // Each at a position of its own, with a page that nobody else has.
  for (const [index, rows] of slow.entries()) {
    for (let taken = 0; taken < 1 + index * 20; taken += 1) await rows.next().catch(() => undefined)
    most = Math.max(most, held.bytes)
  }
  const rows = open()
  const count = await readAll(rows, () => {
    most = Math.max(most, held.bytes)
  })
  expect(count).toBe(2_000)
  expect(most).toBeLessThanOrEqual(held.bytesMax)
  const ends = await Promise.all(
    slow.map(async (each) => {
      try {
        for (;;) if ((await each.next()).value?.kind !== 'read') return 'whole'
      } catch (error) {
        return (error as RowcastError).code
      }
    }),
  )
  expect(ends).toContain('FIRST_ROWS_FAILED')
  for (const end of ends) expect(['whole', 'FIRST_ROWS_FAILED']).toContain(end)
  await Promise.all([...slow, rows].map((each) => each.return()))
  expect(held.bytes).toBe(0)
})

it('at the bound, whoever has taken nothing for the longest ends, and a page of many counts once', () => {
  const held = new HeldPages(100)
  const ended: string[] = []
  const account = new Account({ bytesMax: 1_000 })
  const holder = (name: string): PageHolder => ({
    account,
    end: ({ code }) => void ended.push(`${name} ${code}`),
  })
  const page = (bytes: number): WeighedPage => ({ rows: [], bytes })
  const [first, second, third] = [holder('first'), holder('second'), holder('third')]
  const shared = page(40)
  held.hold(first, shared)
  held.hold(second, shared)
  expect([held.bytes, account.bytes]).toEqual([40, 80])
  held.hold(second, page(50))
  expect(held.bytes).toBe(90)
  held.move(first)
  held.hold(third, page(45))
  expect(ended).toEqual(['second FIRST_ROWS_FAILED'])
  expect(held.bytes).toBe(85)
  held.letGo(first)
  held.letGo(third)
  held.letGo(third)
  expect([held.bytes, account.bytes]).toEqual([0, 0])
})

it('rows that are more than a page make room for others, and nobody has to go for them', async () => {
  const held = new HeldPages(100)
  const ended: string[] = []
  const holder = (name: string) => ({ isEnded: false, end: () => void ended.push(name) })
  const page = (bytes: number): WeighedPage => ({ rows: [], bytes })
  const [small, large] = [holder('small'), holder('large')]
  held.hold(small, page(20))
  held.hold(large, page(60))
  held.hold(holder('another'), page(25))
  expect(ended).toEqual(['large'])
  const reading = { held, bytesOf: () => 60, readRows: async () => [{ id: 1 }] }
  const request = { model: blogCatalog.models['User'] as ModelSpec, keyed: null }
  const live = {
    candidates: () => request,
    among: (rows: readonly AnyRow[]) => rows,
  } as Partial<LiveRows> as LiveRows
  const ordinal = 1
  const asked = {
    live,
    ordinal,
    cursor: formatCursor(PLAIN_ORIGIN, toLsn(1n), 0),
    keyOf: (row: AnyRow) => row,
  }
  const rows = firstRowsOf(reading, { ...asked, holder: holder('newcomer') })
  await expect(rows.next()).rejects.toMatchObject({ code: 'FIRST_ROWS_FAILED' })
  held.letGo(small)
  const alone = firstRowsOf({ ...reading, held: new HeldPages(30) }, { ...asked, holder: holder('alone') })
  expect((await alone.next()).value).toMatchObject({ kind: 'first' })
  expect(ended).toEqual(['large'])
})

it('pages become smaller while many are held, and not where they are the same for all', () => {
  const held = new HeldPages(16 * 1024 * 1024)
  const alone = held.pageBytes
  const end = () => undefined
  const shared: WeighedPage = { rows: [], bytes: 1_000 }
  for (let count = 0; count < 1_000; count += 1) held.hold({ end }, shared)
  expect(held.pageBytes).toBe(alone)
  for (let count = 0; count < 1_000; count += 1) held.hold({ end }, { rows: [], bytes: 1_000 })
  expect(held.pageBytes * 1_000).toBeLessThanOrEqual(held.bytesMax)
})

it('a client that leaves too much waiting is read nothing more until it takes some', async () => {
  const { open, seen, held } = world({ rows: 1_000 })
  const account = new Account({ bytesMax: 1_000 })
  const [slow, other] = [open(account), open(account)]
  await slow.next()
  expect(account.isFull).toBe(true)
  const waiting = other.next()
  await new Promise((resolve) => setImmediate(resolve))
  expect(seen.reads).toBe(1)
  await slow.return()
  expect((await waiting).value).toMatchObject({ kind: 'read' })
  const third = open(account)
  await expect(third.next()).rejects.toMatchObject({ code: 'FIRST_ROWS_FAILED' })
  await other.return()
  expect([account.bytes, held.bytes]).toEqual([0, 0])
})

it('says so where all rows have to be one page, and take more than a page may', async () => {
  const feed = createFakeFeed(blogCatalog, ['User'])
  feed.open()
  feed.commit({ model: 'Post', action: 'INSERT' })
  const rows = new FirstRows({
    changeCursor: feed.changeCursor,
    subscribe: (after) => feed.subscribeDeliveries({ model: 'User', after }),
    readPage: async () => ({
      ...{ rows: [{ id: 'a' }], bytes: 5_000_000, isCut: true },
      fence: { sees: () => true, endLsn: toLsn(1n), text: '' },
    }),
    ...{ keyOf: ({ id }) => ({ id }), compareKeys: null, sizes: new PageSizes(10_000, () => 1) },
    ...{ held: new HeldPages(1_000_000), wait: () => Promise.resolve() },
  })
  const failure: unknown = await rows.next().catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'FIRST_ROWS_REFUSED' })
  // One row is not more than ten thousand.
  expect(String(failure)).not.toContain('10000')
})
