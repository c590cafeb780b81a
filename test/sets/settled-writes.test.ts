import { expect, it } from 'vitest'
import type { LiveRows } from '../../src/sets/live-rows.ts'
import type { StreamTransaction } from '../../src/sets/rows-at.ts'
import { settledWritesOf, sharedOf } from '../../src/sets/settled-writes.ts'

const MODEL = { name: 'Post' } as never
const ASKED = { model: MODEL, filter: { key: 'a' } as never }

/** A transaction that wrote one row. */
function transactionOf(ordinal: number, row: object): StreamTransaction {
  return { ordinal, countOf: () => 1, changesOf: () => [{ action: 'INSERT', new: row } as never] }
}

/** Lets everything through, and counts how often it is asked. */
function createLive() {
  const live = {
    judged: 0,
    decide(transaction: StreamTransaction) {
      live.judged += 1
      const writes = [...transaction.changesOf('Post')].map((change) => ({
        change,
        judgement: { verdict: 'hit' },
      }))
      return { writes, request: null }
    },
  }
  return live
}

it('judges another transaction that has the number of one before it, behind a failover, again', () => {
  const live = createLive()
  const of = (transaction: StreamTransaction) =>
    settledWritesOf(transaction, ASKED, live as unknown as LiveRows)?.map(({ change }) => change.new)
  expect(of(transactionOf(7, { id: 1 }))).toEqual([{ id: 1 }])
  expect(of(transactionOf(7, { id: 2 }))).toEqual([{ id: 2 }])
})

it('makes a change once for all audiences: what waits for them holds its rows once', () => {
  const live = createLive() as unknown as LiveRows
  const transaction = sharedOf(transactionOf(7, { id: 1 }))
  const given = [1, 2, 3].map(() => settledWritesOf(transaction, ASKED, live)?.[0]?.change)
  expect(given[0]).toBeDefined()
  expect(given.every((change) => change === given[0])).toBe(true)
})
