/** First rows that other rows decide about, while the stream is still to bring what committed before it began. */

import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { parseChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { allSetsOf } from '../../src/bus/filter/condition.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { AnyChange, AnyRow } from '../../src/changes/change.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { isRequested, type RowRequest } from '../../src/sets/related-rows.ts'
import { SetsBus } from '../../src/sets/sets-bus.ts'
import { StreamFollower } from '../../src/sets/stream-follower.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { heldRows } from '../support/held-rows.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const { Post: post } = blogCatalog.models
if (post === undefined) throw new Error('The blog has posts.')
const model = post
const CHANGED_AT = 50

/** What there was, by model: before the change and after it. */
type Tables = Readonly<Record<string, readonly [readonly AnyRow[], readonly AnyRow[]]>>

/** The first rows of a subscription that begins before the change has come, though it had committed. @param wait before rows are given */
async function firstRows(
  where: object,
  tables: Tables,
  written: Pick<AnyChange, 'model' | 'action' | 'old' | 'new'>,
  wait: (request: RowRequest, ordinal: number) => Promise<unknown> = async () => undefined,
): Promise<readonly string[]> {
  const inner = createMemoryBus({ models: blogCatalog.models })
  const follower = new StreamFollower({
    ...{ bus: inner, look: async () => SEES_ALL, monotonicMs: () => 0, wait: () => turn() },
  })
  // As the reader does: in a snapshot that sees what the stream has brought up to the transaction.
  const readRows = async (request: RowRequest, ordinal: number) => {
    while (!(await follower.isVisible(ordinal))) await turn()
    await wait(request, ordinal)
    const rows = tables[request.model.name]?.[ordinal < CHANGED_AT ? 0 : 1] ?? []
    return rows.filter((row) => isRequested(request, row))
  }
  const bus = new SetsBus({
    ...{ bus: inner, follower, guard: createGuard(silentLogger), reading: { readRows, ...heldRows() } },
  })
  const filter = parseChangeFilter(model, blogCatalog, { where }, { relations: {} })
  if (filter?.where == null) throw new Error('It has a condition.')
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(100n) })
  const setModels = new Set(allSetsOf(filter.where).map((set) => set.model.name))
  const posts = bus.subscribeRelated({ model, filter, setModels, asksForRows: true, isInitial: true })
  const events: string[] = []
  const taken = (async () => {
    for await (const event of posts) {
      events.push(event.kind === 'first' ? String(event.row['id']) : event.kind)
      if (event.kind === 'ready') return
    }
  })()
  for (let left = 20; left > 0; left -= 1) await turn()
  const transaction = plainTransaction(CHANGED_AT)
  const key = { id: (written.new ?? written.old)?.['id'] }
  const change = plainChange({ ...written, transaction, key })
  bus.publish({ transaction, changes: [change], isFinal: true, byteLength: 100 })
  bus.passed(toLsn(200n))
  await taken
  return events
}

const P1 = { id: 'p1', authorId: 'ada', title: 'a' }
const P2 = { id: 'p2', authorId: 'ada', title: 'b' }

it.each([
  ['given', 'READER', 'ADMIN', ['p1', 'ready']],
  ['taken away', 'ADMIN', 'READER', ['ready']],
] as const)('are those of a right that was %s meanwhile', async (_, before, after, expected) => {
  const [old, now] = [
    { id: 'ada', role: before },
    { id: 'ada', role: after },
  ]
  const tables = { User: [[old], [now]], Post: [[P1], [P1]] } as const
  const written = { model: 'User', action: 'UPDATE', old, new: now } as const
  expect(await firstRows({ author: { role: 'ADMIN' } }, tables, written)).toEqual(expected)
})

it('are none of a right that was taken away meanwhile, though the sets are slow to take it', async () => {
  const user = { id: 'ada' }
  const tables = { User: [[user], [user]], Post: [[P1, P2], [P1]] } as const
  const written = { model: 'Post', action: 'DELETE', old: P2, new: null } as const
  const slowly = async (request: RowRequest, ordinal: number) => {
    const isOfSets = request.model.name === 'User' && ordinal === CHANGED_AT
    for (let left = isOfSets ? 50 : 0; left > 0; left -= 1) await turn()
  }
  // Posts of those who have written one that is called b.
  const where = { author: { posts: { some: { title: 'b' } } } }
  expect(await firstRows(where, tables, written, slowly)).toEqual(['ready'])
})
