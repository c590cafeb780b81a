/** Changes of a model are missing up to a barrier in the stream: who must be asked to read its rows again, and who need not. */
import { describe, expect, it } from 'vitest'
import type { ChangeBus } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { formatCursor, INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const RESYNC = { code: 'RESYNC_REQUIRED' }
const cursorAt = (commit: number) => formatCursor(PLAIN_ORIGIN, toLsn(BigInt(commit)), 0)

/** A process that reads again what its slot retains: from 10 on, while the server is at 1,000. */
function openBus(floor = 10): ChangeBus {
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(BigInt(floor)), serverLsn: toLsn(1_000n) })
  return bus
}

function publish(bus: ChangeBus, commit: number, model = 'User'): void {
  const transaction = plainTransaction(commit)
  const changes = [plainChange({ model, action: 'INSERT', index: 0, transaction, key: { id: commit } })]
  bus.publish({ transaction, changes, isFinal: true, byteLength: 0 })
}

/** Changes went missing before 300, and were known to be complete from there on; the barrier that says so stands at 500. */
function cut(bus: ChangeBus): void {
  bus.cut('User', {
    position: { commitLsn: toLsn(500n), index: INDEX_AFTER_ALL },
    cleanFrom: toLsn(300n),
    error: new RowcastError('RESYNC_REQUIRED', 'It was cut.'),
  })
}

describe('a cut ends', () => {
  it.each([
    ['before the gap', 100],
    ['where nothing is missing any more', 300],
    [
      'between there and the barrier: its client may have read so far across the gap, in another process',
      400,
    ],
    ['at the barrier', 500],
  ])('a subscription with a cursor from %s', async (_, commit) => {
    const bus = openBus()
    publish(bus, 50)
    const users = bus.subscribe({ model: 'User', after: cursorAt(commit) })
    publish(bus, 450)
    cut(bus)
    await expect(users.next()).rejects.toMatchObject(RESYNC)
  })

  it('a live subscription that began before nothing was missing any more', async () => {
    const bus = createMemoryBus()
    bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(10n) })
    publish(bus, 100)
    const users = bus.subscribe({ model: 'User' })
    cut(bus)
    await expect(users.next()).rejects.toMatchObject(RESYNC)
  })

  it('without a position whoever began by then', async () => {
    const bus = openBus()
    publish(bus, 400)
    const users = bus.subscribe({ model: 'User', after: cursorAt(400) })
    const error = new RowcastError('RESYNC_REQUIRED', 'It was cut.')
    bus.cut('User', { position: null, cleanFrom: toLsn(300n), error })
    await expect(users.next()).rejects.toMatchObject(RESYNC)
  })
})

it('all there is begins behind a cut, and with the oldest there is once the log has dropped what followed the cut', async () => {
  const log = { bytesMax: 2_000, bytesReadMax: 2_000 }
  const bus = createMemoryBus({ log })
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(1_000n) })
  const firstOf = async (): Promise<unknown> => {
    const users = bus.subscribe({ model: 'User', after: 'earliest' })
    const { value } = await users.next()
    await users.return()
    return value?.change.transaction.xid
  }
  publish(bus, 400)
  cut(bus)
  publish(bus, 600)
  expect(await firstOf()).toBe(600)
  for (const commit of [700, 800, 900]) publish(bus, commit)
  expect(bus.history?.log.first).toBeGreaterThan(0)
  expect(await firstOf()).toBe(700)
})

describe('a cut leaves alone', () => {
  it('a live subscription that began when nothing was missing any more', async () => {
    const bus = createMemoryBus()
    bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(10n) })
    publish(bus, 400)
    const users = bus.subscribe({ model: 'User' })
    cut(bus)
    publish(bus, 600)
    expect((await users.next()).value).toMatchObject({ change: { transaction: { xid: 600 } } })
  })

  it('a subscription with a cursor from behind the barrier, which this process has yet to read', async () => {
    const bus = openBus()
    const users = bus.subscribe({ model: 'User', after: cursorAt(700) })
    publish(bus, 450)
    cut(bus)
    publish(bus, 800)
    expect((await users.next()).value).toMatchObject({ change: { transaction: { xid: 800 } } })
  })

  it('other models', async () => {
    const bus = openBus()
    const posts = bus.subscribe({ model: 'Post', after: cursorAt(100) })
    cut(bus)
    publish(bus, 800, 'Post')
    expect((await posts.next()).value).toMatchObject({ change: { transaction: { xid: 800 } } })
  })
})
