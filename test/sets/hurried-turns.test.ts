/** A burst of small transactions in one turn of the event loop: sets go through them, however little time the turn has for each. */
import { expect, it } from 'vitest'
import type { Condition } from '../../src/bus/filter/condition.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import { TurnShare } from '../../src/bus/turn-share.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { SetGraph } from '../../src/sets/set-graph.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createDeferred } from '../support/deferred.ts'
import { WorldTransaction } from '../support/live-world.ts'
import { plainChange } from '../support/plain-change.ts'

const POST = blogCatalog.models['Post'] as ModelSpec
const WAITING_MAX = 200
const readRows = async () => []

function condition(where: object): Condition {
  return parseWhere(POST, blogCatalog, where, { relations: {} })
}

/** Its turns are over as soon as four pieces of work have looked at the time. */
function turnsOf(): TurnShare {
  let ms = 0
  const nowMs = () => {
    ms += 1
    return ms
  }
  return new TurnShare({ guard: createGuard(silentLogger), nowMs })
}

function inserted(ordinal: number, count = 1): WorldTransaction {
  const transaction = new WorldTransaction(ordinal)
  for (let n = 0; n < count; n += 1) {
    const row = { id: `${ordinal} ${n}`, role: 'ADMIN' }
    transaction.changes.push(plainChange({ model: 'User', action: 'INSERT', old: null, new: row }))
  }
  return transaction
}

/** What the sockets' callbacks bring that come in one turn: between two of them microtasks and ticks run, and nothing else. */
async function burst(graph: SetGraph): Promise<void> {
  for (let callback = 0; callback < 20; callback += 1) {
    for (let n = 0; n < WAITING_MAX / 4; n += 1) graph.advance(inserted(graph.ordinal + 1))
    await new Promise<void>((resolve) => process.nextTick(resolve))
  }
}

it.each([
  ['of small transactions', 1],
  ['behind a large transaction', 5_000],
])('a burst %s ends no set, nor those that ask it', async (_, first) => {
  const graph = new SetGraph(0, { readRows, turns: turnsOf(), limits: { waitingMax: WAITING_MAX } })
  const roles = ['ADMIN', 'MEMBER']
  const conditions = roles.flatMap((role) => [
    condition({ author: { role } }),
    condition({ parent: { author: { role } } }),
  ])
  const held = conditions.map((each) => graph.hold([each]))
  await Promise.all(held.map((each) => each.ready()))
  graph.advance(inserted(1, first))
  await burst(graph)
  await Promise.all(held.map((each) => each.ready()))
  expect(held.map((each) => each.isSettled())).toEqual([true, true, true, true])
  expect(graph.kept).toBe(graph.ordinal - 1 + first)
  for (const each of held) each.release()
})

it('waits for turns again once the burst is over', async () => {
  const turns = turnsOf()
  const graph = new SetGraph(0, { readRows, turns, limits: { waitingMax: WAITING_MAX } })
  const held = graph.hold([condition({ author: { role: 'ADMIN' } })])
  await held.ready()
  await burst(graph)
  await held.ready()
  graph.advance(inserted(graph.ordinal + 1, 1_000))
  await new Promise<void>((resolve) => process.nextTick(resolve))
  expect(held.isSettled()).toBe(false)
  await held.ready()
  held.release()
})

it('a set that has ended takes none of the steps that it had still to take', async () => {
  const slow = createDeferred<readonly []>()
  const graph = new SetGraph(0, { readRows: () => slow.promise, limits: { waitingMax: 3 } })
  const held = graph.hold([condition({ author: { role: 'ADMIN' } })])
  const looks: number[] = []
  for (const ordinal of [1, 2, 3]) {
    const taken = inserted(ordinal)
    taken.changesOf = () => {
      looks.push(ordinal)
      return []
    }
    graph.advance(taken, inserted(ordinal))
  }
  await expect(held.ready()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  slow.resolve([])
  await new Promise((resolve) => setImmediate(resolve))
  expect(looks).toEqual([])
  held.release()
})
