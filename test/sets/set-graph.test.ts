/** Who shares a set, who waits for it, and whom its failure concerns. */
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { type Condition, keySetsOf } from '../../src/bus/filter/condition.ts'
import { KeyPath } from '../../src/bus/filter/key-path.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { RowcastError } from '../../src/errors.ts'
import type { RowRequest } from '../../src/sets/related-rows.ts'
import { SetGraph } from '../../src/sets/set-graph.ts'
import { createDeferred } from '../support/deferred.ts'
import { WorldTransaction } from '../support/live-world.ts'
import { plainChange } from '../support/plain-change.ts'
import { provideRelationProject } from '../support/relation-schema.ts'

/** What a change costs is counted, and is the same for all of these. */
const VIEWERS = process.env['ROWCAST_LONG'] === undefined ? [200, 2_000] : [200, 100_000]

let catalog: ModelCatalog

beforeAll(async () => {
  catalog = (await provideRelationProject('relations-in-memory')).catalog
}, 120_000)

function condition(where: object): Condition {
  const { Post } = catalog.models
  if (Post === undefined) throw new Error('The schema has posts.')
  return parseWhere(Post, catalog, where, { relations: {} })
}

/** Reads what the test has for each model. */
function reads(rows: Readonly<Record<string, () => Promise<readonly AnyRow[]>>>) {
  const asked: string[] = []
  const readRows = ({ model }: RowRequest) => {
    asked.push(model.name)
    return rows[model.name]?.() ?? Promise.resolve([])
  }
  return { asked, readRows }
}

const OPEN_TEAM = { id: 1, name: 'a', open: true, region: null, code: null, parentId: null }

function renamed(ordinal: number): WorldTransaction {
  const transaction = new WorldTransaction(ordinal)
  const after = { ...OPEN_TEAM, open: false }
  transaction.changes.push(plainChange({ model: 'Team', action: 'UPDATE', old: OPEN_TEAM, new: after }))
  return transaction
}

describe('a graph of sets', () => {
  it('keeps a set once for all who ask for it, and as long as one does', async () => {
    const { asked, readRows } = reads({ Team: async () => [OPEN_TEAM] })
    const graph = new SetGraph(0, { readRows })
    const open = condition({ team: { open: true } })
    const [first, second] = [graph.hold([open]), graph.hold([condition({ team: { is: { open: true } } })])]
    await Promise.all([first.ready(), second.ready()])
    expect(asked).toEqual(['Team'])
    first.release()
    expect(graph.size).toBe(1)
    second.release()
    expect(graph.size).toBe(0)
  })

  it.each(VIEWERS)(
    'a write concerns the sets that may have its row, and no others, of %d viewers',
    { timeout: 600_000 },
    async (length) => {
      const { asked, readRows } = reads({})
      const graph = new SetGraph(0, { readRows })
      const viewers = Array.from({ length }, (_, userId) => userId)
      const held = viewers.map((userId) =>
        graph.hold([condition({ team: { members: { some: { userId } } } })]),
      )
      await Promise.all(held.map((each) => each.ready()))
      const read: string[] = []
      const transaction = new WorldTransaction(1)
      const changesOf = transaction.changesOf.bind(transaction)
      transaction.changesOf = (model) => {
        read.push(model)
        return changesOf(model)
      }
      const row = { userId: 7, teamId: 1, role: null }
      transaction.changes.push(plainChange({ model: 'Member', action: 'INSERT', old: null, new: row }))
      asked.length = 0
      graph.advance(transaction)
      // The sets of all others have nothing to wait for.
      expect(held.filter((each) => !each.isSettled())).toEqual([held[7]])
      await Promise.all(held.map((each) => each.ready()))
      expect(asked).toEqual(['Team'])
      // The graph looks, then the set of this viewer's memberships; and the set of his teams, which asks it.
      expect(read.filter((model) => model === 'Member')).toHaveLength(2)
      expect(read.filter((model) => model === 'Team').length).toBeLessThanOrEqual(2)
      for (const each of held) each.release()
      expect(graph.size).toBe(0)
    },
  )

  it('names whoever a row may concern by the keys of the sets, and nobody else', async () => {
    const { readRows } = reads({ Team: async () => [OPEN_TEAM] })
    const graph = new SetGraph(0, { readRows })
    const { Post } = catalog.models
    const viewers = Array.from({ length: 200 }, (_, userId) => {
      const where = condition({ team: { members: { some: { userId } } } })
      const held = graph.hold([where])
      const watcher = { userId, concern: () => {} }
      return { where, held, watcher }
    })
    await Promise.all(viewers.map(({ held }) => held.ready()))
    for (const { where, held, watcher } of viewers)
      held.watch({ watcher, filters: new Map([[Post as ModelSpec, createChangeFilter({ where })]]) })
    const namedBy = async (ordinal: number, model: string, old: AnyRow | null, after: AnyRow | null) => {
      const transaction = new WorldTransaction(ordinal)
      const action = old === null ? 'INSERT' : after === null ? 'DELETE' : 'UPDATE'
      transaction.changes.push(plainChange({ model, action, old, new: after }))
      const named = [...graph.advance(transaction)] as (typeof viewers)[number]['watcher'][]
      await Promise.all(viewers.map(({ held }) => held.ready()))
      return named.map(({ userId }) => userId)
    }
    const memberOf = (userId: number) => ({ userId, teamId: 1, role: null })
    const postOf = (teamId: number) => ({ id: 1, teamId, authorId: null, title: 'a' })
    expect(await namedBy(1, 'Team', null, OPEN_TEAM)).toEqual([])
    expect(await namedBy(2, 'Member', null, memberOf(7))).toEqual([7])
    expect(await namedBy(3, 'Team', OPEN_TEAM, { ...OPEN_TEAM, name: 'b' })).toEqual([7])
    expect(await namedBy(4, 'Post', null, postOf(1))).toEqual([7])
    expect(await namedBy(5, 'Post', postOf(1), postOf(2))).toEqual([7])
    expect(await namedBy(6, 'Post', postOf(2), null)).toEqual([])
    expect(await namedBy(7, 'Member', memberOf(7), null)).toEqual([7])
    expect(await namedBy(8, 'Post', null, postOf(1))).toEqual([])
    for (const { held } of viewers) held.release()
    expect(graph.size).toBe(0)
  })

  it('goes through the changes and rows of a large transaction in turns, whatever number of sets asks them', async () => {
    const teams = Array.from({ length: 1_000 }, (_, id) => ({ ...OPEN_TEAM, id }))
    const { readRows } = reads({ Team: async () => teams })
    let looked = 0
    // A turn has time for fifty of them.
    let done = 0
    const turns = {
      get isOver() {
        return looked - done >= 50
      },
      wait: () => (turns.isOver ? moved() : null),
    }
    const queue: (() => void)[] = []
    const moved = () => new Promise<void>((resolve) => queue.push(resolve))
    const graph = new SetGraph(0, {
      turns,
      readRows: async (request) => (await readRows(request)).map(countedRow),
    })
    function countedRow(row: AnyRow): AnyRow {
      return new Proxy(row, {
        get(of, name) {
          if (name === 'name') looked += 1
          return Reflect.get(of, name)
        },
      })
    }
    const names = Array.from({ length: 10 }, (_, n) => `b${n}`)
    const held = names.map((name) => graph.hold([condition({ team: { name: { not: name } } })]))
    /** How many were looked at in the turn that took the longest. */
    const most = async (ready: Promise<unknown>): Promise<number> => {
      let isReady = false
      const settled = ready.then(() => {
        isReady = true
      })
      let longest = 0
      while (!isReady) {
        await new Promise((resolve) => setImmediate(resolve))
        longest = Math.max(longest, looked - done)
        done = looked
        queue.shift()?.()
      }
      await settled
      return longest
    }
    expect(await most(Promise.all(held.map((each) => each.ready())))).toBeLessThan(200)
    const transaction = new WorldTransaction(1)
    for (const team of teams) {
      const after = countedRow({ ...team, name: 'b1' })
      transaction.changes.push(
        plainChange({ model: 'Team', action: 'UPDATE', old: countedRow(team), new: after }),
      )
    }
    const before = looked
    graph.advance(transaction)
    // What finds the sets that it concerns looks at it once.
    done = looked
    expect(await most(Promise.all(held.map((each) => each.ready())))).toBeLessThan(200)
    expect(looked - before).toBeGreaterThan(10_000)
    const keysOf = (at: number) => {
      const [spec] = keySetsOf(condition({ team: { name: { not: names[at] ?? '' } } }))
      return spec === undefined ? null : [...(held[at]?.get(spec).keys.all() ?? [])].length
    }
    expect([keysOf(0), keysOf(1)]).toEqual([1_000, 0])
  })

  it('keeps no key of a set that is let go, at whatever moment', async () => {
    const { Post } = catalog.models
    const [open, named] = [condition({ team: { open: true } }), condition({ team: { name: 'b' } })]
    const added = vi.spyOn(KeyPath.prototype, 'add')
    const kept: number[] = []
    for (let ticks = 0; ticks < 16; ticks += 1) {
      added.mockClear()
      const { readRows } = reads({ Team: async () => [OPEN_TEAM] })
      const graph = new SetGraph(0, { readRows })
      const [held, other] = [open, named].map((where) => {
        const one = graph.hold([where])
        const filters = new Map([[Post as ModelSpec, createChangeFilter({ where })]])
        return { ...one, begin: () => one.watch({ watcher: { concern: () => {} }, filters }) }
      })
      await Promise.all([held?.ready(), other?.ready()])
      held?.begin()
      // Somebody else, whose set has no keys, asks by the same field.
      other?.begin()
      graph.advance(renamed(1))
      for (let tick = 0; tick < ticks; tick += 1) await null
      held?.release()
      await new Promise((resolve) => setImmediate(resolve))
      const [path] = added.mock.contexts
      kept.push((path as KeyPath<unknown>).size)
    }
    added.mockRestore()
    expect(kept).toEqual(kept.map(() => 0))
  })

  it('takes no step any more that a set has still to take when it is let go', async () => {
    const slow = createDeferred<readonly AnyRow[]>()
    const { asked, readRows } = reads({ Member: () => slow.promise })
    const graph = new SetGraph(0, { readRows })
    const [held, other] = [
      condition({ team: { members: { some: { role: 'a' } } } }),
      condition({ team: { open: true } }),
    ].map((each) => graph.hold([each]))
    const ready = held?.ready().catch((error: unknown) => error)
    other?.release()
    await vi.waitFor(() => expect(asked).toEqual(['Member']))
    // The set of teams waits for that of members.
    held?.release()
    slow.resolve([])
    expect(await ready).toMatchObject({ code: 'RESYNC_REQUIRED' })
    expect(asked).toEqual(['Member'])
    expect(graph.kept).toBe(0)
  })

  it('keeps inputs as long as a set asks them', async () => {
    const { readRows } = reads({})
    const graph = new SetGraph(0, { readRows })
    const chain = graph.hold([condition({ team: { members: { some: { role: 'a' } } } })])
    await chain.ready()
    expect(graph.size).toBe(2)
    chain.release()
    expect(graph.size).toBe(0)
  })

  it('waits with those who ask a slow set, and with nobody else', async () => {
    const slow = createDeferred<readonly AnyRow[]>()
    const { readRows } = reads({ User: () => slow.promise, Team: async () => [OPEN_TEAM] })
    const graph = new SetGraph(0, { readRows })
    const waiting = graph.hold([condition({ author: { name: 'a' } })])
    const open = condition({ team: { open: true } })
    const other = graph.hold([open])
    graph.advance(renamed(1))
    await other.ready()
    const [set] = 'set' in open ? [open.set] : []
    expect(set && [0, 1].map((at) => other.get(set).keys.has(1, at))).toEqual([true, false])
    slow.resolve([])
    await waiting.ready()
  })

  it('fails those who ask a set that fails, and loads it again for the next', async () => {
    let isBroken = true
    const gone = async () => {
      if (isBroken) throw new RowcastError('RESYNC_REQUIRED', 'It is gone.')
      return []
    }
    const { readRows } = reads({ Member: gone, User: async () => [] })
    const graph = new SetGraph(0, { readRows })
    const chain = condition({ team: { members: { some: { role: 'a' } } } })
    const failed = graph.hold([chain])
    const other = graph.hold([condition({ author: { name: 'a' } })])
    await expect(failed.ready()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    expect(failed.isSettled()).toBe(false)
    await other.ready()
    isBroken = false
    const next = graph.hold([chain])
    await next.ready()
    failed.release()
    await next.ready()
    expect(graph.size).toBe(3)
  })

  it('fails where the row before is missing that decides', async () => {
    const { readRows } = reads({ Team: async () => [OPEN_TEAM] })
    const graph = new SetGraph(0, { readRows })
    const held = graph.hold([condition({ team: { open: true } })])
    const transaction = new WorldTransaction(1)
    transaction.changes.push(plainChange({ model: 'Team', action: 'DELETE', old: null, key: { id: 1 } }))
    graph.advance(transaction)
    await expect(held.ready()).rejects.toMatchObject({ code: 'FILTER_UNANSWERABLE' })
  })
})
