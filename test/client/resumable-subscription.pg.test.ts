/** The client wrapper against real servers that go away under it: every change once and in order, or a resync. */
import { createClient } from 'graphql-ws'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { PrismaClient } from '../../prisma/generated/client/client.ts'
import { subscribeResumable } from '../../src/client/resumable-subscription.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

interface TagChanged {
  readonly tagChanged: { readonly cursor: string; readonly new: { readonly name: string } | null }
}

const QUERY = `subscription ($after: Cursor) { tagChanged(after: $after, action: INSERT) { cursor new { name } } }`

function connect(url: string) {
  return createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
  })
}

const insert = (database: TestDatabase, name: string | number) =>
  database.query('INSERT INTO "Tag" (name) VALUES ($1)', [String(name)])

async function takeNames(changes: AsyncIterator<TagChanged>, count: number): Promise<string[]> {
  const names: string[] = []
  while (names.length < count) {
    const { value, done } = await changes.next()
    if (done) throw new Error(`The subscription ended after ${names.length} of ${count} changes.`)
    names.push(value.tagChanged.new?.name ?? '')
  }
  return names
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => String(index))

describe('a resumable subscription', () => {
  it('sees every change once and in order while its connection is cut again and again', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await running.service.rowcast.ready()
    await using proxy = await openTcpProxy(Number(new URL(running.url).port))
    const client = connect(`http://127.0.0.1:${proxy.port}`)
    const after = await running.service.rowcast.changeCursor()
    const changes = subscribeResumable<TagChanged>(client, { query: QUERY }, { after })
    const names: string[] = []
    for (let i = 0; i < 60; i += 1) {
      await insert(database, i)
      if (i % 7 !== 3) continue
      // The cut falls between changes that have arrived and changes that have not.
      names.push(...(await takeNames(changes, 3)))
      proxy.cut()
    }
    names.push(...(await takeNames(changes, 60 - names.length)))
    expect(names).toEqual(numbers(60))
    expect(proxy.accepted).toBeGreaterThan(1)
    await changes.return()
    await client.dispose()
  })

  it('goes on across a restart of the server, whose log is the slot', async () => {
    await using database = await openDatabase({ migrate: true })
    let running = await openService(database)
    const port = Number(new URL(running.url).port)
    await running.service.rowcast.ready()
    const client = connect(running.url)
    const after = await running.service.rowcast.changeCursor()
    const changes = subscribeResumable<TagChanged>(client, { query: QUERY }, { after })
    for (let round = 0; round < 2; round += 1) {
      for (let i = 0; i < 5; i += 1) await insert(database, round * 10 + i)
      expect(await takeNames(changes, 5)).toEqual(numbers(30).slice(round * 10, round * 10 + 5))
      await running[Symbol.asyncDispose]()
      for (let i = 5; i < 10; i += 1) await insert(database, round * 10 + i)
      running = await openService(database, { port })
      expect(await takeNames(changes, 5)).toEqual(numbers(30).slice(round * 10 + 5, round * 10 + 10))
    }
    await changes.return()
    await client.dispose()
    await running[Symbol.asyncDispose]()
  })

  it('is asked to resync when the cursor cannot be served, and goes on after the new one', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    const { rowcast } = running.service
    await rowcast.ready()
    const client = connect(running.url)
    const foreign = `01${'0'.repeat(48)}`
    const reasons: unknown[] = []
    const changes = subscribeResumable<TagChanged>(
      client,
      { query: QUERY },
      {
        after: foreign,
        onResync: async (error) => {
          const cursor = await rowcast.changeCursor()
          // What is written from now on stands behind the cursor.
          reasons.push(error.extensions['reason'])
          return cursor
        },
      },
    )
    const next = takeNames(changes, 1)
    await expect.poll(() => reasons.length).toBe(1)
    await insert(database, 'after the resync')
    expect(await next).toEqual(['after the resync'])
    expect(reasons).toEqual([expect.stringContaining('another database')])
    await expect(
      subscribeResumable(client, { query: QUERY }, { after: foreign }).next(),
    ).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
    })
    await expect(
      subscribeResumable(client, { query: QUERY }, { after: 'nonsense' }).next(),
    ).rejects.toMatchObject({
      code: 'BAD_CURSOR',
    })
    await changes.return()
    await client.dispose()
  })
})

describe('cursor, then query, then subscribe after it', () => {
  it('never misses a change, while transactions of every length commit all the time', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    const { rowcast } = running.service
    await rowcast.ready()
    const prisma = running.service.prisma as PrismaClient
    let isWriting = true
    const write = async (lane: number) => {
      for (let i = 0; isWriting; i += 1) {
        await prisma.$transaction(async (tx) => {
          await tx.tag.create({ data: { name: `${lane}-${i}` } })
          if (i % 5 === 0) await tx.$executeRaw`SELECT pg_sleep(0.003)`
        })
      }
    }
    const writers = [0, 1, 2].map(write)
    const rounds = []
    for (let rows = 0; rounds.length < 20 || rows <= 20; ) {
      const after = await rowcast.changeCursor()
      const queried = (await prisma.tag.findMany()).map((tag) => tag.name)
      rows = queried.length
      rounds.push({ queried, changes: rowcast.subscribe('Tag', { after, action: 'INSERT' }) })
    }
    isWriting = false
    await Promise.all(writers)
    await insert(database, 'the end')
    const all = new Set((await prisma.tag.findMany()).map((tag) => tag.name))
    expect(all.size).toBeGreaterThan(20)
    for (const { queried, changes } of rounds) {
      const seen = new Set(queried)
      while (!seen.has('the end')) {
        const { value } = await changes.next()
        seen.add(value?.new.name ?? '')
      }
      await changes.return?.()
      expect(seen).toEqual(all)
    }
  })
})
