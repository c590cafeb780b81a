import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BusSubscription, Delivery } from '../../src/bus/bus.ts'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { AnyChange, ChangeAction, TransactionPart } from '../../src/changes/change.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { plainChange, plainTransaction } from '../support/plain-change.ts'

/** A change that only says where it stands. */
function change(model: string, action: ChangeAction, index: number, commit = 1): AnyChange {
  return plainChange({ model, action, index, transaction: plainTransaction(commit) })
}

function part(changes: readonly AnyChange[], isFinal = true): TransactionPart {
  const first = changes[0] ?? change('User', 'INSERT', 0)
  return { transaction: first.transaction, changes, isFinal, byteLength: 0 }
}

async function take(subscription: BusSubscription, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = []
  while (taken.length < count) {
    const result = await subscription.next()
    if (result.done) throw new Error(`The subscription ended after ${taken.length} of ${count} deliveries.`)
    taken.push(result.value)
  }
  return taken
}

describe('memory bus', () => {
  it('counts subscriptions, and none that only watches', async () => {
    const bus = createMemoryBus()
    const users = bus.subscribe({ model: 'User' })
    const watching = bus.subscribe({ model: 'User', isObserver: true })
    expect(bus.subscriptionCounts.get('User')).toBe(1)
    bus.publish(part([change('User', 'INSERT', 0)]))
    expect(await take(watching, 1)).toHaveLength(1)
    await watching.return?.()
    expect(bus.subscriptionCounts.get('User')).toBe(1)
    await users.return?.()
    expect(bus.subscriptionCounts.get('User')).toBe(0)
  })

  it('delivers a transaction contiguous and in order, and marks its last change', async () => {
    const bus = createMemoryBus()
    const users = bus.subscribe({ model: 'User' })
    bus.publish(part([change('User', 'INSERT', 0), change('Post', 'INSERT', 1), change('User', 'UPDATE', 2)]))
    const deliveries = await take(users, 2)
    expect(deliveries.map((d) => [d.change.index, d.isLastOfTransaction])).toEqual([
      [0, false],
      [2, true],
    ])
  })

  it('filters by action, and the mark follows the filter', async () => {
    const bus = createMemoryBus()
    const inserts = bus.subscribe({ model: 'User', actions: ['INSERT'] })
    bus.publish(part([change('User', 'INSERT', 0), change('User', 'INSERT', 1), change('User', 'DELETE', 2)]))
    expect((await take(inserts, 2)).map((d) => d.isLastOfTransaction)).toEqual([false, true])
  })

  it('treats no actions as all actions', async () => {
    const bus = createMemoryBus()
    const all = bus.subscribe({ model: 'User', actions: [] })
    bus.publish(part([change('User', 'DELETE', 0)]))
    expect((await take(all, 1))[0]?.change.action).toBe('DELETE')
  })

  it('holds the last match of an unfinished transaction back until it is known to be the last', async () => {
    const bus = createMemoryBus()
    const users = bus.subscribe({ model: 'User' })
    bus.publish(part([change('User', 'INSERT', 0), change('User', 'INSERT', 1)], false))
    expect((await take(users, 1)).map((d) => d.change.index)).toEqual([0])
    const next = users.next()
    bus.publish(part([change('Post', 'INSERT', 2)], true))
    expect((await next).value).toMatchObject({ change: { index: 1 }, isLastOfTransaction: true })
  })

  it('one who leaves within a transaction says nothing of a change to those who want the same', async () => {
    const bus = createMemoryBus()
    const leaving = bus.subscribe({ model: 'User' })
    const staying = bus.subscribe({ model: 'User' })
    const { transaction } = change('User', 'INSERT', 0)
    bus.publish(part([change('User', 'INSERT', 0)], false))
    await leaving.return()
    bus.publish(part([change('User', 'INSERT', 1)], false))
    bus.publish({ transaction, changes: [], isFinal: true, byteLength: 0 })
    expect((await take(staying, 2)).map((d) => d.isLastOfTransaction)).toEqual([false, true])
  })

  it('sees nothing from before it subscribed, and nothing after it returned', async () => {
    const bus = createMemoryBus()
    bus.publish(part([change('User', 'INSERT', 0)]))
    const users = bus.subscribe({ model: 'User' })
    bus.publish(part([change('User', 'INSERT', 0, 2)]))
    expect((await take(users, 1))[0]?.change.transaction.xid).toBe(2)
    await users.return()
    bus.publish(part([change('User', 'INSERT', 0, 3)]))
    expect(await users.next()).toEqual({ done: true, value: undefined })
  })

  it('ends when its signal aborts, also while somebody waits', async () => {
    const bus = createMemoryBus()
    const controller = new AbortController()
    const users = bus.subscribe({ model: 'User', signal: controller.signal })
    const waiting = users.next()
    controller.abort()
    expect((await waiting).done).toBe(true)
    const late = bus.subscribe({ model: 'User', signal: controller.signal })
    expect((await late.next()).done).toBe(true)
  })

  it('ends a subscriber at its bound with a typed error, and leaves the others alone', async () => {
    const bus = createMemoryBus({ queueLengthMax: 3 })
    const slow = bus.subscribe({ model: 'User' })
    const healthy = bus.subscribe({ model: 'User' })
    const seen: number[] = []
    for (let commit = 1; commit <= 5; commit += 1) {
      bus.publish(part([change('User', 'INSERT', 0, commit)]))
      seen.push((await take(healthy, 1))[0]?.change.transaction.xid ?? 0)
    }
    expect(seen).toEqual([1, 2, 3, 4, 5])
    await expect(slow.next()).rejects.toMatchObject({ code: 'SUBSCRIBER_TOO_SLOW', isPublic: true })
    expect(await slow.next()).toEqual({ done: true, value: undefined })
  })

  it('ends a subscriber whose filter throws, and nobody else', async () => {
    const bus = createMemoryBus({ models: blogCatalog.models })
    const failing = createChangeFilter({
      rows: {
        kind: 'test',
        field: 'id',
        takesNull: true,
        preparation: null,
        cost: 1,
        test() {
          throw new Error('boom')
        },
      },
    })
    const bad = bus.subscribe({ model: 'User', filter: failing })
    const good = bus.subscribe({ model: 'User' })
    const inserted = plainChange({ model: 'User', action: 'INSERT', new: { id: 1 } })
    bus.publish(part([inserted]))
    await expect(bad.next()).rejects.toMatchObject({
      ...{ code: 'CHANGE_UNDELIVERABLE', details: { cursor: inserted.cursor } },
      cause: expect.objectContaining({ message: 'boom' }),
    })
    expect(await take(good, 1)).toHaveLength(1)
  })

  it('survives a burst far beyond what the well-known PubSub survives', async () => {
    const bus = createMemoryBus()
    const users = bus.subscribe({ model: 'User' })
    bus.publish(part(Array.from({ length: 5_000 }, (_, index) => change('User', 'UPDATE', index))))
    const deliveries = await take(users, 5_000)
    expect(deliveries.map((d) => d.change.index)).toEqual(Array.from({ length: 5_000 }, (_, index) => index))
  })

  it('close() ends everybody, normally or with an error, after what is pending', async () => {
    const bus = createMemoryBus()
    const normal = bus.subscribe({ model: 'User' })
    bus.publish(part([change('User', 'INSERT', 0)]))
    bus.close()
    expect((await take(normal, 1)).length).toBe(1)
    expect((await normal.next()).done).toBe(true)
    const failed = bus.subscribe({ model: 'User' })
    bus.publish(part([change('User', 'INSERT', 0)]))
    bus.close(new Error('over'))
    expect((await take(failed, 1)).length).toBe(1)
    await expect(failed.next()).rejects.toThrow('over')
  })

  it('gives every subscriber what a naive filter over all changes gives, however parts are cut', async () => {
    const anyChange = fc.record({
      model: fc.constantFrom('User', 'Post'),
      action: fc.constantFrom<ChangeAction>('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'),
      endsPart: fc.boolean(),
    })
    const transactions = fc.array(fc.array(anyChange, { minLength: 1, maxLength: 8 }), { maxLength: 6 })
    const wanted = fc.subarray<ChangeAction>(['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])
    await fc.assert(
      fc.asyncProperty(transactions, wanted, async (all, actions) => {
        const bus = createMemoryBus()
        const users = bus.subscribe({ model: 'User', actions })
        const expected: [number, number, boolean][] = []
        all.forEach((records, t) => {
          const changes = records.map((r, index) => change(r.model, r.action, index, t + 1))
          const matching = changes.filter(
            (c) => c.model === 'User' && (actions.length === 0 || actions.includes(c.action)),
          )
          for (const c of matching) expected.push([t + 1, c.index, c === matching.at(-1)])
          let pending: AnyChange[] = []
          changes.forEach((c, index) => {
            pending.push(c)
            if (!records[index]?.endsPart) return
            bus.publish(part(pending, false))
            pending = []
          })
          const { transaction } = changes[0] as AnyChange
          bus.publish({ transaction, changes: pending, isFinal: true, byteLength: 0 })
        })
        const got = await take(users, expected.length)
        expect(got.map((d) => [d.change.transaction.xid, d.change.index, d.isLastOfTransaction])).toEqual(
          expected,
        )
        bus.close()
        expect((await users.next()).done).toBe(true)
      }),
    )
  })
})
