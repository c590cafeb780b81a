/** Each bound of related rows is reached: whoever is beyond it ends with a typed error that says of what, and nobody else ends. */
import { describe, expect, it } from 'vitest'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { createRowcast } from '../../src/rowcast.ts'
import type { RowsAtFence } from '../../src/sets/fence.ts'
import { PageReads } from '../../src/sets/page-reads.ts'
import { type RelatedReadBounds, RelatedRowReader } from '../../src/sets/related-row-reader.ts'
import type { RowRequest } from '../../src/sets/related-rows.ts'
import { RELATED_ROWS_BOUNDS, type RelatedRowsBounds } from '../../src/sets/related-rows-options.ts'
import { SetGraph } from '../../src/sets/set-graph.ts'
import { StreamFollower } from '../../src/sets/stream-follower.ts'
import { type IsVisible, SEES_ALL, SEES_NOTHING } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { blogCatalog, blogModel } from '../graphql/blog-catalog.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { createDeferred } from '../support/deferred.ts'
import { WorldTransaction } from '../support/live-world.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'
import { relatedBlog } from '../support/related-blog.ts'

const admins = (count: number) =>
  Array.from({ length: count }, (_, id) => ({ id: `user ${id}`, role: 'ADMIN' }))

describe('keys', () => {
  const post = blogModel('Post')
  const condition = (where: object) => parseWhere(post, blogCatalog, where, { relations: {} })
  const USERS: readonly AnyRow[] = [1, 2].map((n) => ({ id: `user ${n}`, email: 'a', bio: 'b' }))

  it('of one condition: the subscription ends, and says of which', async () => {
    const { bus, subscribe, commit } = relatedBlog(async () => admins(3), 3)
    bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
    const waiting = subscribe().next()
    const user = { id: 'another', role: 'ADMIN' }
    commit(10, { model: 'User', action: 'INSERT', old: null, new: user })
    await expect(waiting).rejects.toMatchObject({
      code: 'FILTER_TOO_BROAD',
      message: expect.stringContaining('The set of id of User'),
      details: { keysMax: 3 },
    })
  })

  it('of all conditions: who comes last ends, and those before go on', async () => {
    const readRows = async ({ model }: RowRequest) => (model.name === 'User' ? USERS : [])
    const graph = new SetGraph(0, { readRows, limits: { allKeysMax: 3 } })
    const first = graph.hold([condition({ author: { email: 'a' } })])
    await first.ready()
    const second = graph.hold([condition({ author: { bio: 'b' } })])
    await expect(second.ready()).rejects.toMatchObject({
      code: 'FILTER_TOO_BROAD',
      message: expect.stringContaining('User'),
      details: { allKeysMax: 3 },
    })
    await first.ready()
    expect(graph.kept).toBe(2)
  })

  it('of a condition that is read while more transactions come than may wait: it ends alone', async () => {
    const slow = createDeferred<readonly AnyRow[]>()
    const readRows = async ({ model }: RowRequest) => (model.name === 'User' ? slow.promise : [])
    const graph = new SetGraph(0, { readRows, limits: { waitingMax: 2 } })
    const late = graph.hold([condition({ author: { email: 'a' } })])
    const other = graph.hold([condition({ parent: { title: 'x' } })])
    for (const ordinal of [1, 2, 3]) {
      const transaction = new WorldTransaction(ordinal)
      transaction.changes.push(
        plainChange({
          model: 'User',
          action: 'INSERT',
          old: null,
          new: { ...USERS[0], id: `user ${ordinal + 10}` },
        }),
      )
      graph.advance(transaction)
    }
    slow.resolve([])
    await expect(late.ready()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    await other.ready()
  })
})

describe('a read of related rows', () => {
  const request = { model: buildModel([buildField('id', 'Int')]), keyed: null }

  interface ReaderOptions {
    readonly bounds: Partial<RelatedReadBounds>
    readonly rows?: number
    readonly look?: IsVisible
    readonly lsn?: string
  }

  function openReader({ bounds, rows = 2, look = SEES_ALL, lsn = '0/64' }: ReaderOptions) {
    let nowMs = 0
    const bus = createMemoryBus()
    const wait = () => new Promise<void>((resolve) => setImmediate(resolve))
    const monotonicMs = () => (nowMs += 100)
    const follower = new StreamFollower({ bus, look: async () => look, monotonicMs, wait })
    const client = {
      $transaction: (run: (of: object) => unknown) =>
        run({
          $queryRawUnsafe: async () => [{ snapshot: '900:900:', lsn, rewritten: false }],
          thing: {
            findMany: async ({ skip = 0, take = 1 }) =>
              Array.from({ length: Math.max(0, Math.min(take, rows - skip)) }, (_, at) => ({
                id: skip + at,
              })),
          },
        }),
    }
    bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(30n), serverLsn: toLsn(30n) })
    const parts = {
      turns: new PageReads<RowsAtFence>(),
      bytesOf: (all: readonly AnyRow[]) => 100 * all.length,
    }
    const reader = new RelatedRowReader({ client, progress: follower, ...parts, bounds, monotonicMs, wait })
    const commit = (at: number, count = 1) => {
      const transaction = plainTransaction(at)
      const changes = Array.from({ length: count }, (_, index) =>
        plainChange({ model: 'Thing', action: 'INSERT', old: null, new: { id: index }, transaction, index }),
      )
      bus.publish({ transaction, changes, isFinal: true, byteLength: 100 })
      follower.notePassed(toLsn(BigInt(at)))
    }
    commit(42)
    return { reader, commit }
  }

  it.each([
    ['rows', { rowsMax: 5 }],
    ['bytes', { bytesMax: 500 }],
  ] as const)('of more %s than one read has', async (_, bounds) => {
    const within = openReader({ bounds, rows: 5 })
    expect((await within.reader.read(request, 42)).rows).toHaveLength(5)
    const { reader } = openReader({ bounds, rows: 6 })
    // Of a condition there are as many later; of what a change has moved, the rest goes on.
    await expect(reader.read(request, 42)).rejects.toMatchObject({
      code: 'FILTER_TOO_BROAD',
      message: expect.stringContaining('rows of Thing'),
    })
    await expect(reader.read({ ...request, areMoved: true }, 42)).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
    })
  })

  it('of which more has been written meanwhile than is taken back', async () => {
    const laterOf = async (...counts: readonly number[]) => {
      const { reader, commit } = openReader({ bounds: { changesMax: 3 } })
      const { later } = await reader.read(request, 42)
      for (const [index, count] of counts.entries()) commit(70 + index, count)
      commit(0x64, 0)
      return later()
    }
    expect(await laterOf(3)).toHaveLength(1)
    await expect(laterOf(3, 1)).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  })

  it('that never sees what has come, and one that the stream never comes to', async () => {
    const unseeing = openReader({ bounds: { timeoutMs: 1_000 }, look: SEES_NOTHING })
    unseeing.commit(60)
    await expect(unseeing.reader.read(request, 60)).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    const ahead = openReader({ bounds: {}, lsn: '0/FFFF' })
    const { later } = await ahead.reader.read(request, 42)
    await expect(later()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  })
})

it.each(Object.keys(RELATED_ROWS_BOUNDS) as (keyof RelatedRowsBounds)[])(
  'the library takes %s, and refuses what is no bound',
  (name) => {
    const create = (value: unknown) =>
      createRowcast({
        catalog: blogCatalog,
        connectionString: 'postgresql://nobody@127.0.0.1:1/none',
        relatedRows: { [name]: value },
      } as never)
    expect(create(1).relatedCost()).toEqual({ sets: 0, keys: 0, reads: 0, readMs: 0 })
    expect(() => create(0)).toThrow(
      expect.objectContaining({ code: 'CONFIG_BAD_FIELD', message: expect.stringContaining(name) }),
    )
  },
)
