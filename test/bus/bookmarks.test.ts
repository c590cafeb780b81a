/** Positions of subscriptions for which nothing comes: what they were before they do not become again. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { formatCursor, INDEX_AFTER_ALL, parseCursor } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_EPOCH, plainChange, plainTransaction } from '../support/plain-change.ts'

const cursorAt = (commit: number, index: number) => formatCursor(PLAIN_EPOCH, toLsn(BigInt(commit)), index)

/** A process that has begun again, and reads once more what the one before it had handed on already. */
function openBehind() {
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_EPOCH, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(1_000n) })
  const publish = (commit: number) => {
    const transaction = plainTransaction(commit)
    const changes = [plainChange({ model: 'User', action: 'INSERT', index: 0, transaction, key: { id: 1 } })]
    bus.publish({ transaction, changes, isFinal: true, byteLength: 0 })
  }
  return { bus, publish }
}

it.each([
  ['one that comes back', cursorAt(500, 0), 500],
  ['one that begins', undefined, 999],
])(
  '%s gets no bookmark from before its beginning while the process is still behind it',
  async (_name, after, began) => {
    const { bus, publish } = openBehind()
    const { pull } = bus.subscribe({ model: 'User', after })
    expect(pull?.take()).toBeUndefined()
    for (let round = 0; round < 3; round += 1) await turn()
    for (const commit of [100, 200]) {
      publish(commit)
      expect(pull?.take()).toBeUndefined()
      const bookmark = pull?.bookmark?.() ?? null
      if (bookmark !== null)
        expect(Number(parseCursor(bookmark).position.commitLsn)).toBeGreaterThanOrEqual(began)
    }
    const stopped = new Error('stopped')
    let goOn: string | null = null
    bus.stop((cursor) => {
      goOn = cursor
      return stopped
    })
    expect(Number(parseCursor(goOn ?? '').position.commitLsn)).toBeGreaterThanOrEqual(began)
  },
)

it('once the process is beyond it, bookmarks go on', async () => {
  const { bus, publish } = openBehind()
  const { pull } = bus.subscribe({ model: 'Post', after: cursorAt(500, 0) })
  expect(pull?.take()).toBeUndefined()
  for (let round = 0; round < 3; round += 1) await turn()
  publish(1_200)
  expect(pull?.bookmark?.()).toBe(cursorAt(1_200, 0))
  bus.passed(toLsn(1_300n))
  expect(pull?.bookmark?.()).toBe(cursorAt(1_299, INDEX_AFTER_ALL))
})

it.each([
  ['a stream that is there', true],
  ['the stream that is waited for', false],
])('one that takes nothing of %s is to come back where it began, not before', async (_, isThere) => {
  const bus = createMemoryBus({ queueLengthMax: 1, log: { bytesMax: 0 } })
  const start = { ...PLAIN_EPOCH, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(1_000n) }
  if (isThere) bus.open(start)
  const slow = bus.subscribe({ model: 'User' })
  if (!isThere) bus.open(start)
  const publish = (commit: number) => {
    const transaction = plainTransaction(commit)
    const changes = [plainChange({ model: 'User', action: 'INSERT', index: 0, transaction, key: { id: 1 } })]
    bus.publish({ transaction, changes, isFinal: true, byteLength: 0 })
  }
  for (const commit of [100, 1_100, 1_200, 1_300]) publish(commit)
  const cursor = cursorAt(999, INDEX_AFTER_ALL)
  await expect(slow.next()).rejects.toMatchObject({ code: 'SUBSCRIBER_TOO_SLOW', details: { cursor } })
})
