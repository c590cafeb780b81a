/** Pages that are read once for all who ask for the same, and how many may wait. */
import { expect, it, vi } from 'vitest'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import type { FencedRows } from '../../src/sets/fence.ts'
import { KeptPages } from '../../src/sets/kept-pages.ts'
import { type PageReadBounds, PageReads } from '../../src/sets/page-reads.ts'
import { toLsn } from '../../src/wire/lsn.ts'

const PAGE: FencedRows = { rows: [], bytes: 0, fence: { sees: () => true, endLsn: toLsn(1n), text: '' } }
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Reads that end when the test says so. */
function world(bounds: PageReadBounds = {}) {
  const reads = new PageReads(bounds)
  const open: { key: string; end(): void; fail(error: Error): void }[] = []
  const begun: string[] = []
  return {
    reads,
    begun,
    ask(
      key: string | null,
      { since = reads.begun, signal = new AbortController().signal, owner = null as object | null } = {},
    ) {
      const read = () => {
        begun.push(String(key))
        return new Promise<FencedRows>((resolve, reject) => {
          open.push({ key: String(key), end: () => resolve(PAGE), fail: reject })
        })
      }
      return reads.run({ key, since, signal, read, owner })
    },
    /** Ends all that are read now. */
    async endAll() {
      for (const each of open.splice(0)) each.end()
      await settled()
    },
    async failAll(error: Error) {
      for (const each of open.splice(0)) each.fail(error)
      await settled()
    },
  }
}

it('reads a page once for all who wait for it', async () => {
  const { ask, begun, endAll } = world({ lanes: 1 })
  const other = ask('other')
  const pages = Array.from({ length: 1_000 }, () => ask('same'))
  await endAll()
  await endAll()
  expect(begun).toEqual(['other', 'same'])
  expect(new Set(await Promise.all([other, ...pages]))).toEqual(new Set([PAGE]))
})

it('gives nobody a snapshot from before its cursor', async () => {
  const { ask, begun, endAll, reads } = world({ lanes: 2 })
  const since = reads.begun
  const first = ask('same', { since })
  // It had its cursor after the read began: what stands before the cursor may not be in there.
  const later = ask('same')
  // This one had it before.
  const together = ask('same', { since })
  expect(begun).toEqual(['same', 'same'])
  await endAll()
  await Promise.all([first, later, together])
  expect(begun).toHaveLength(2)
})

it('reads for each who asks in turn, however many one of them asks for, and joins nobody to his line', async () => {
  const { ask, begun, endAll } = world({ lanes: 1 })
  const [hostile, honest] = [{}, {}]
  const running = ask('running')
  const many = Array.from({ length: 100 }, (_, n) => ask(`many ${n}`, { owner: hostile }))
  const own = ask('own', { owner: honest })
  // The last of them is what somebody else wants.
  const shared = ask('many 99', { owner: honest })
  for (let n = 0; n < 5; n += 1) await endAll()
  await Promise.all([running, own, shared])
  expect(begun.slice(0, 5)).toEqual(['running', 'many 0', 'own', 'many 1', 'many 99'])
  while (begun.length < 102) await endAll()
  await endAll()
  await Promise.all(many)
})

it('reads what is like no other for each alone, few at once', async () => {
  const { ask, begun, endAll } = world({ lanes: 2 })
  const pages = [ask(null), ask(null), ask(null)]
  expect(begun).toHaveLength(2)
  await endAll()
  expect(begun).toHaveLength(3)
  await endAll()
  await Promise.all(pages)
})

it('drops a page that nobody waits for any more', async () => {
  const { ask, begun, endAll } = world({ lanes: 1 })
  const first = ask('first')
  const [one, two] = [new AbortController(), new AbortController()]
  const dropped = [ask('dropped', { signal: one.signal }), ask('dropped', { signal: two.signal })]
  const kept = ask('kept')
  const outcomes = Promise.allSettled(dropped)
  one.abort()
  two.abort()
  await endAll()
  await endAll()
  await Promise.all([first, kept])
  expect(begun).toEqual(['first', 'kept'])
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
})

it('goes on with a page that one of two waits for', async () => {
  const { ask, begun, endAll } = world({ lanes: 1 })
  const first = ask('first')
  const ending = new AbortController()
  const gone = ask('same', { signal: ending.signal }).catch(() => 'gone')
  const kept = ask('same')
  ending.abort()
  await endAll()
  await endAll()
  expect(await Promise.all([first, gone, kept])).toEqual([PAGE, 'gone', PAGE])
  expect(begun).toEqual(['first', 'same'])
})

it('refuses more than may wait, and whose turn came too late', async () => {
  let nowMs = 0
  const { ask, begun, endAll } = world({ lanes: 1, waitersMax: 2, waitMaxMs: 100, now: () => nowMs })
  const [first, second] = [ask('a'), ask('b')]
  const late = expect(second).rejects.toMatchObject({ code: 'FIRST_ROWS_FAILED' })
  await expect(ask('c')).rejects.toMatchObject({ code: 'FIRST_ROWS_FAILED' })
  nowMs = 101
  await endAll()
  await Promise.all([first, late])
  expect(begun).toEqual(['a'])
  const again = ask('d')
  await endAll()
  expect(await again).toBe(PAGE)
})

it('does not take a clock that somebody sets for a long wait', async () => {
  const { ask, endAll } = world({ lanes: 1 })
  const pages = [ask('a'), ask('b')]
  const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 3_600_000)
  await endAll()
  clock.mockRestore()
  await endAll()
  expect(await Promise.all(pages)).toEqual([PAGE, PAGE])
})

it('gives a failure to those who waited for that page, and goes on', async () => {
  const { ask, failAll, endAll } = world({ lanes: 1 })
  const failing = [ask('a'), ask('a', { since: -1 })].map((page) => expect(page).rejects.toThrow('away'))
  const next = ask('b')
  await failAll(new Error('away'))
  await Promise.all(failing)
  await endAll()
  expect(await next).toBe(PAGE)
})

it('keeps a page for those whose cursor is older than its read, for a while', async () => {
  const clock = { nowMs: 0 }
  const guard = createGuard(silentLogger)
  const kept = { ms: 100, bytesMax: 20_000, bytesOf: () => 8_000, guard }
  const { ask, begun, endAll, reads } = world({ kept, now: () => clock.nowMs })
  const since = reads.begun
  void ask('same', { since })
  await endAll()
  expect(await ask('same', { since })).toBe(PAGE)
  expect(begun).toEqual(['same'])
  // This one has a cursor that the page may lack something of.
  void ask('same')
  await endAll()
  expect(begun).toEqual(['same', 'same'])
  clock.nowMs = 100
  void ask('same', { since })
  await endAll()
  expect(begun).toHaveLength(3)
})

it('keeps no more than it may, and lets go of the oldest first', async () => {
  const kept = { ms: 100, bytesMax: 20_000, bytesOf: () => 8_000, guard: createGuard(silentLogger) }
  const { ask, begun, endAll } = world({ kept, now: () => 0 })
  for (const key of ['a', 'b', 'c']) {
    void ask(key, { since: 0 })
    await endAll()
  }
  for (const key of ['b', 'c']) expect(await ask(key, { since: 0 })).toBe(PAGE)
  expect(begun).toEqual(['a', 'b', 'c'])
  void ask('a', { since: 0 })
  await endAll()
  expect(begun).toEqual(['a', 'b', 'c', 'a'])
})

it('lets go of what it has kept where nobody comes any more', () => {
  vi.useFakeTimers()
  try {
    const kept = new KeptPages<number>(
      { ms: 100, bytesMax: 20_000, bytesOf: (page) => page, guard: createGuard(silentLogger) },
      () => Date.now(),
    )
    kept.keep('a', 1, 4_000)
    vi.advanceTimersByTime(50)
    kept.keep('b', 2, 5_000)
    expect(kept.bytes).toBeGreaterThan(9_000)
    expect(kept.find('a', 0)).toBe(4_000)
    vi.advanceTimersByTime(200)
    expect(kept.bytes).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})

it('keeps no more pages without rows than their keys have room for', () => {
  const kept = new KeptPages<number>(
    { ms: 100, bytesMax: 100_000, bytesOf: () => 0, guard: createGuard(silentLogger) },
    () => 0,
  )
  for (let n = 0; n < 100; n += 1) kept.keep(`${n} ${'x'.repeat(10_000)}`, 1, n)
  expect(kept.bytes).toBeLessThanOrEqual(100_000)
  const found = Array.from({ length: 100 }, (_, n) => kept.find(`${n} ${'x'.repeat(10_000)}`, 0))
  expect(found.filter((page) => page !== undefined)).toEqual([96, 97, 98, 99])
})
