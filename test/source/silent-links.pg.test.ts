/**
 * Links that fall silent, from any byte on, without a goodbye: no connection of ours waits for ever, and `stop()` reaches
 * each of them.
 */
import { describe, expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf, takeChanges } from '../support/live-rowcast.ts'
import { Swallower } from '../support/swallower.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

/** A database whose walsenders are missed soon, and a rowcast that reaches it through a proxy. */
async function openBehindProxy(database: TestDatabase, enableOnStart: boolean) {
  await database.query(`ALTER DATABASE ${database.name} SET wal_sender_timeout = '800ms'`)
  const swallower = new Swallower()
  const proxy = await openTcpProxy(database.target.port, { intercept: swallower.intercept })
  const url = new URL(database.url)
  url.port = String(proxy.port)
  const rowcast = createRowcast({
    ...{ connectionString: url.href, catalog, slot: slotOf(database), enableOnStart },
    ...{ watchIntervalMs: 50, answerTimeoutMs: 700 },
  }).register('Tag')
  return {
    ...{ rowcast, proxy, swallower },
    async [Symbol.asyncDispose]() {
      await rowcast.stop()
      await proxy[Symbol.asyncDispose]()
    },
  }
}

/** Where a connection of so many bytes falls silent: at once, on the way, and before its last byte. */
const placesIn = (bytes: number) => [0, Math.round(bytes / 3), Math.round((2 * bytes) / 3), bytes - 1]

describe('a link that falls silent', () => {
  it('within any connection of a start, from any byte on, is given up, and the next one serves', async () => {
    await using database = await openDatabase({ migrate: true })
    const lengths: number[] = []
    {
      await using first = await openBehindProxy(database, true)
      first.rowcast.start()
      await first.rowcast.ready()
      lengths.push(...first.swallower.brought.values())
      await first.rowcast.disable()
    }
    expect(lengths.length).toBeGreaterThan(3)
    const cases = lengths.flatMap((bytes, index) =>
      placesIn(bytes).map((afterBytes) => ({ from: index + 1, to: index + 1, afterBytes })),
    )
    // Side by side: each has a slot, and so a set-up, of its own.
    const outcomes = await Promise.all(
      cases.map(async (silence) => {
        await using own = await openDatabase({ migrate: true })
        await using behind = await openBehindProxy(own, true)
        behind.swallower.silence = silence
        behind.rowcast.start()
        await behind.rowcast.ready()
        return behind.rowcast.status().state
      }),
    )
    expect(outcomes).toEqual(cases.map(() => 'streaming'))
  })

  it('keeps nobody from stopping, from whichever byte on everything is silent', async () => {
    await using database = await openDatabase({ migrate: true })
    for (const afterBytes of [0, 1, 300, 500, 1_000, 3_000]) {
      await using behind = await openBehindProxy(database, true)
      const { swallower, proxy } = behind
      swallower.silence = { from: 1, to: Number.POSITIVE_INFINITY, afterBytes }
      behind.rowcast.start()
      const isReached = () => proxy.accepted > 0 && Math.max(0, ...swallower.brought.values()) >= afterBytes
      await expect.poll(isReached, { timeout: 20_000 }).toBe(true)
      await behind.rowcast.stop()
      expect(behind.rowcast.status().state).toBe('stopped')
    }
  })

  it('does not keep a process that stands by from taking over', async () => {
    await using database = await openDatabase({ migrate: true })
    await using first = await openBehindProxy(database, true)
    first.rowcast.start()
    await first.rowcast.ready()
    await using second = await openBehindProxy(database, false)
    second.rowcast.start()
    await expect.poll(() => second.rowcast.status().state, { timeout: 20_000 }).toBe('standby')
    const { accepted } = second.proxy
    second.swallower.silence = { from: 1, to: accepted, afterBytes: 0 }
    await first.rowcast.stop()
    await second.rowcast.ready()
    const tags = second.rowcast.subscribe('Tag')
    await database.query(`INSERT INTO "Tag" (name) VALUES ('taken over')`)
    expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('taken over')
  })

  it('makes a watch blind, and not for ever', async () => {
    await using database = await openDatabase({ migrate: true })
    await using behind = await openBehindProxy(database, true)
    behind.rowcast.start()
    await behind.rowcast.ready()
    // Looks to come, and nothing of the stream.
    const from = behind.proxy.accepted + 1
    behind.swallower.silence = { from, to: Number.POSITIVE_INFINITY, afterBytes: 1_000 }
    await expect
      .poll(() => behind.rowcast.status(), { timeout: 30_000 })
      .toMatchObject({ state: 'streaming', isReady: false, lastError: { code: 'SOURCE_WATCH_FAILED' } })
    behind.swallower.silence = null
    await expect.poll(() => behind.rowcast.status().isReady, { timeout: 30_000 }).toBe(true)
  })
})
