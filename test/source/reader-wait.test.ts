/** Reading from PostgreSQL waits for those who read a large transaction: within bounds, and for nobody who is slow by itself. */
import { expect, it } from 'vitest'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { ReaderWait, type ReadLag } from '../../src/source/session/reader-wait.ts'
import type { ReplicationConnection } from '../../src/wire/replication-connection.ts'
import { plainTransaction } from '../support/plain-change.ts'
import { until } from '../support/tags.ts'

/** A connection, readers, and a clock that goes on by so much at each look. */
function setUp(lagAt: (look: number) => ReadLag | null, lookMs = 10, onResume = () => {}) {
  const [flow, left]: [string[], unknown[]] = [[], []]
  const connection = {
    pause: () => void flow.push('pause'),
    resume() {
      flow.push('resume')
      onResume()
    },
  } as unknown as ReplicationConnection
  let [looks, nowMs] = [0, 0]
  const state: { connection: ReplicationConnection | null; isTurnFull: boolean } = {
    ...{ connection, isTurnFull: false },
  }
  const wait = new ReaderWait({
    readers: {
      get lag() {
        return lagAt(looks++)
      },
      get isTurnFull() {
        return state.isTurnFull
      },
      beginRound() {},
      leaveSlow: (min) => void left.push(min),
    },
    connectionNow: () => state.connection,
    guard: createGuard(silentLogger),
    monotonicMs: () => (nowMs += lookMs),
  })
  const take = (commit: number, isFinal = false) =>
    wait.afterPart({ transaction: plainTransaction(commit), isFinal })
  return { wait, flow, left, state, take, whenResumed: () => until(() => flow.at(-1) === 'resume') }
}

const lagOf = (bytes: number): ReadLag => ({ bytes, bytesMax: 80 })

it('from the moment that somebody would soon be left behind until there is room again', async () => {
  const lags = [39, 40, 35, 31, 30]
  const { flow, left, take, whenResumed } = setUp((look) => lagOf(lags[look] ?? 0))
  take(10)
  expect(flow).toEqual([])
  take(10)
  expect(flow).toEqual(['pause'])
  await whenResumed()
  expect(flow).toEqual(['pause', 'resume'])
  expect(left).toEqual([])
})

it('not behind the end of a transaction, nor where nobody reads', () => {
  const { flow, take } = setUp((look) => (look === 0 ? null : lagOf(80)))
  take(10)
  take(10, true)
  expect(flow).toEqual([])
})

it('not for those who have read next to nothing in two seconds', async () => {
  const { flow, left, take, whenResumed } = setUp((look) => (look < 7 ? lagOf(80) : null), 400)
  take(10)
  await whenResumed()
  expect(flow).toEqual(['pause', 'resume'])
  expect(left).toEqual([{ bytes: 1024 * 1024, changes: 1_000 }])
})

it('for thirty seconds in all of one transaction, and of the next one again', async () => {
  const { flow, take, whenResumed } = setUp(() => lagOf(80), 16_000)
  take(10)
  await whenResumed()
  take(10)
  expect(flow).toEqual(['pause', 'resume'])
  take(20)
  expect(flow).toEqual(['pause', 'resume', 'pause'])
  await whenResumed()
})

it('not beyond the end of the connection', async () => {
  const { flow, state, take, whenResumed } = setUp(() => lagOf(80))
  take(10)
  state.connection = null
  await whenResumed()
  take(10)
  expect(flow).toEqual(['pause', 'resume'])
})

it('until the next turn where this one has had enough, also behind the end of a transaction', async () => {
  const { flow, left, state, take, whenResumed } = setUp(() => null)
  take(10, true)
  state.isTurnFull = true
  take(20, true)
  take(30)
  expect(flow).toEqual(['pause'])
  state.isTurnFull = false
  await whenResumed()
  take(40, true)
  expect(flow).toEqual(['pause', 'resume'])
  expect(left).toEqual([])
})

it('and reading goes on also where going on fails in rowcast itself', async () => {
  let failures = 1
  const { wait, flow, take } = setUp(
    (look) => lagOf(look === 0 ? 80 : 0),
    10,
    () => {
      if (failures-- > 0) throw new TypeError('resume is not there')
    },
  )
  take(10)
  await until(() => flow.length === 3)
  expect(flow).toEqual(['pause', 'resume', 'resume'])
  expect(wait.isWaiting).toBe(false)
})
