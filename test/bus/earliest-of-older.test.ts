/** `after: 'earliest'` where a broker keeps more than this process: what it no longer keeps is no fault of who asks for all there is. */
import { expect, it } from 'vitest'
import type { BusSubscription, OlderLog } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { mergeDeliveries } from '../../src/bus/merge-deliveries.ts'
import type { ChangePosition, TransactionPart } from '../../src/changes/change.ts'
import { endOfPart } from '../../src/changes/change-views.ts'
import { compareAfter, comparePositions, INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const START = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) }

function partOf(
  commit: number,
  models: readonly string[] = ['User'],
  isFinal = true,
  from = 0,
): TransactionPart {
  const transaction = plainTransaction(commit)
  const changes = models.map((model, index) =>
    plainChange({ model, transaction, index: from + index, action: 'INSERT', key: { id: commit } }),
  )
  return { transaction, changes, isFinal, byteLength: 0 }
}

/** A broker that keeps these parts and refuses, as Redis does, what is no position. */
function keeping(parts: readonly TransactionPart[]): OlderLog {
  const oldest = parts[0] as TransactionPart
  return {
    hasReached: () => Promise.resolve(true),
    read(_model, after, beginning = null) {
      let position: ChangePosition = after ?? beginning ?? { commitLsn: toLsn(0n), index: 0 }
      return {
        async next() {
          if (position.index < 0) throw new RowcastError('BROKER_REFUSED', 'That is no id.')
          if (after !== null && after.commitLsn < oldest.transaction.commitLsn)
            throw new RowcastError('RESYNC_REQUIRED', 'It is gone.', { details: { reason: 'it is gone' } })
          const read = parts.filter((part) => comparePositions(endOfPart(part), position) > 0).slice(0, 2)
          const last = read.at(-1)
          if (last !== undefined) position = endOfPart(last)
          return read
        },
        get position() {
          return position
        },
      }
    },
  }
}

/** Commits of the next `count` deliveries. */
async function take(subscription: BusSubscription, count: number): Promise<number[]> {
  const commits: number[] = []
  while (commits.length < count) {
    const { value } = await subscription.next()
    commits.push(Number(value?.change.transaction.commitLsn))
  }
  return commits
}

const PARTS = [10, 20, 30, 40, 50, 60].map((commit) => partOf(commit))

/** Changes of User are missing up to 15; this process and the broker have dropped what followed, up to 30. */
function openCutBus() {
  const bus = createMemoryBus({ older: keeping(PARTS.slice(3)), log: { bytesMax: 700 } })
  bus.open(START)
  for (const part of PARTS) {
    bus.publish(part)
    if (part.transaction.commitLsn !== 10n) continue
    bus.cut('User', {
      position: { commitLsn: toLsn(15n), index: INDEX_AFTER_ALL },
      cleanFrom: toLsn(15n),
      error: new RowcastError('RESYNC_REQUIRED', 'It was cut.'),
    })
  }
  return bus
}

it('begins behind a gap with the oldest that is kept, although what followed the gap is not', async () => {
  const users = openCutBus().subscribe({ model: 'User', after: 'earliest' })
  expect(await take(users, 3)).toEqual([40, 50, 60])
})

it('begins right behind a gap where all that followed is kept', async () => {
  const bus = createMemoryBus({ older: keeping(PARTS), log: { bytesMax: 700 } })
  bus.open(START)
  for (const part of PARTS) bus.publish(part)
  const [position, cleanFrom] = [{ commitLsn: toLsn(25n), index: INDEX_AFTER_ALL }, toLsn(25n)]
  const other = createMemoryBus({ older: keeping(PARTS), log: { bytesMax: 700 } })
  other.open(START)
  for (const part of PARTS) {
    other.publish(part)
    if (part.transaction.commitLsn === 20n)
      other.cut('User', { position, cleanFrom, error: new RowcastError('RESYNC_REQUIRED', 'It was cut.') })
  }
  expect(await take(bus.subscribe({ model: 'User', after: 'earliest' }), 6)).toEqual([10, 20, 30, 40, 50, 60])
  expect(await take(other.subscribe({ model: 'User', after: 'earliest' }), 4)).toEqual([30, 40, 50, 60])
})

it('who was too slow for the first change of a transaction reads on, and asks for no position before all', async () => {
  const bus = createMemoryBus({ queueLengthMax: 1, older: keeping(PARTS), log: { bytesMax: 700 } })
  bus.open(START)
  const users = bus.subscribe({ model: 'User' })
  for (const part of PARTS) bus.publish(part)
  expect(await take(users, 6)).toEqual([10, 20, 30, 40, 50, 60])
})

it('begins with no rest of a transaction whose beginning was trimmed, in one process alone', async () => {
  const bus = createMemoryBus({ log: { bytesMax: 1_400 } })
  bus.open(START)
  bus.publish(partOf(50, ['User'], false))
  bus.publish(partOf(50, ['Post'], false, 1))
  bus.publish(partOf(50, ['User'], true, 2))
  bus.publish(partOf(60, ['User']))
  const log = bus.history?.log
  expect(log?.floor).toMatchObject({ commitLsn: 50n })
  expect(compareAfter(log?.floor ?? null, { commitLsn: toLsn(50n), index: 2 })).toBeLessThan(0)
  const seen = mergeDeliveries(
    ['User', 'Post'],
    (model) => bus.subscribe({ model, after: 'earliest' }),
    'earliest',
  )
  const { value } = await seen.next()
  expect(value?.transaction.commitLsn).toBe(60n)
  await seen.return()
})
