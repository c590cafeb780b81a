/** A bus that stops shows each subscription where to go on: past all it has got, and before all it has not. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { BusSubscription } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const cursorAt = (commit: number, index: number) => formatCursor(PLAIN_ORIGIN, toLsn(BigInt(commit)), index)
const errorOf = (cursor: string | null) =>
  new RowcastError('SERVER_STOPPING', 'The server is stopping.', { details: { cursor } })

function openBus() {
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  const publish = (commit: number, count: number, isFinal = true, from = 0, model = 'User') => {
    const transaction = plainTransaction(commit)
    const changes = Array.from({ length: count }, (_, index) =>
      plainChange({ model, transaction, index: from + index }),
    )
    bus.publish({ transaction, changes, isFinal, byteLength: 0 })
  }
  return { bus, publish }
}

/** What it still gives, and the cursor of its end. */
async function drain(subscription: BusSubscription) {
  const seen: string[] = []
  try {
    for await (const { change } of subscription) seen.push(change.cursor)
  } catch (error) {
    return { seen, cursor: (error as RowcastError).details['cursor'] }
  }
  return { seen, cursor: undefined }
}

describe('a bus that stands aside', () => {
  it('delivers what waits, ends after it, and serves all again once that is over; who observes stays', async () => {
    const { bus, publish } = openBus()
    const users = bus.subscribe({ model: 'User' })
    const observer = bus.subscribe({ model: 'User', isObserver: true })
    publish(10, 2)
    bus.standAside(true)
    const late = bus.subscribe({ model: 'User', after: cursorAt(10, 0) })
    expect(await drain(users)).toEqual({
      seen: [cursorAt(10, 0), cursorAt(10, 1)],
      cursor: cursorAt(10, 1),
    })
    expect(await drain(late)).toMatchObject({ seen: [] })
    bus.standAside(false)
    const again = bus.subscribe({ model: 'User', after: cursorAt(10, 1) })
    publish(20, 1)
    expect((await again.next()).value.change.cursor).toBe(cursorAt(20, 0))
    bus.stop(errorOf)
    expect((await drain(observer)).seen).toEqual([cursorAt(10, 0), cursorAt(10, 1), cursorAt(20, 0)])
  })
})

describe('a bus that stops', () => {
  it('delivers what waits, and ends after it', async () => {
    const { bus, publish } = openBus()
    const users = bus.subscribe({ model: 'User' })
    publish(10, 2)
    bus.stop(errorOf)
    expect(await drain(users)).toEqual({
      seen: [cursorAt(10, 0), cursorAt(10, 1)],
      cursor: cursorAt(10, 1),
    })
  })

  it('spares those who wanted nothing of it from reading it again', async () => {
    const { bus, publish } = openBus()
    const posts = bus.subscribe({ model: 'Post' })
    publish(10, 3)
    bus.stop(errorOf)
    expect(await drain(posts)).toEqual({ seen: [], cursor: cursorAt(10, 2) })
  })

  it('does not pass over a change that is held back within a transaction', async () => {
    const { bus, publish } = openBus()
    const users = bus.subscribe({ model: 'User' })
    publish(10, 1)
    publish(20, 2, false)
    bus.stop(errorOf)
    // The second one waits to be known as the last of its transaction.
    expect(await drain(users)).toEqual({
      seen: [cursorAt(10, 0), cursorAt(20, 0)],
      cursor: cursorAt(20, 0),
    })
  })

  it('does not pass over what a subscription has yet to read from the log', async () => {
    const { bus, publish } = openBus()
    for (let commit = 10; commit < 1_010; commit += 1) publish(commit, 1)
    const behind = bus.subscribe({ model: 'User', after: cursorAt(11, 0) })
    expect((await behind.next()).value?.change.cursor).toBe(cursorAt(12, 0))
    bus.stop(errorOf)
    const { seen, cursor } = await drain(behind)
    expect(cursor).toBe(seen.at(-1))
    expect(seen.length).toBeLessThan(998)
  })

  it('shows those who come later the same at once', async () => {
    const { bus, publish } = openBus()
    publish(10, 3)
    bus.stop(errorOf)
    expect(await drain(bus.subscribe({ model: 'User', after: cursorAt(10, 0) }))).toEqual({
      ...{ seen: [], cursor: cursorAt(10, 0) },
    })
    expect(await drain(bus.subscribe({ model: 'User' }))).toEqual({ seen: [], cursor: cursorAt(10, 2) })
  })
})

describe('a signal that outlives its subscriptions', () => {
  it('is listened to by those that are open, and by no other', async () => {
    const { bus, publish } = openBus()
    const { signal } = new AbortController()
    const listeners = () => getEventListeners(signal, 'abort').length
    publish(10, 1)
    const open = bus.subscribe({ model: 'User', signal })
    const afterwards = formatCursor({ ...PLAIN_ORIGIN, timeline: 7 }, toLsn(10n), 0)
    for (let times = 0; times < 3; times += 1) bus.subscribe({ model: 'User', after: afterwards, signal })
    expect(listeners()).toBe(1)
    await open.return()
    bus.stop(errorOf)
    bus.subscribe({ model: 'User', signal })
    expect(listeners()).toBe(0)
  })
})
