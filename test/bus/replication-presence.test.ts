/** Waits for the stream: each has an end, and what fails says why. */
import { expect, it, onTestFinished, vi } from 'vitest'
import { toBrokerError } from '../../src/broker/broker-faults.ts'
import { notAnswered, StreamPresence } from '../../src/bus/replication-presence.ts'
import { failureFields } from '../../src/describe-error.ts'
import { isRowcastError, type RowcastError } from '../../src/errors.ts'
import { toRowcastError } from '../../src/source/db/sqlstate.ts'

it('what cannot be asked for fails with its own error, leaves no wait behind, and can be asked for again', async () => {
  const presence = new StreamPresence(20)
  const broken = () => {
    throw new Error('no model is live')
  }
  expect(() => presence.whenReady(broken)).toThrow('no model is live')
  await expect(presence.whenReady(() => Promise.resolve())).resolves.toBeUndefined()
  // A wait that nobody listens to would end the process at its deadline.
  await new Promise((resolve) => setTimeout(resolve, 40))
})

it('at the deadline a wait ends, however many wait', async () => {
  const presence = new StreamPresence(5)
  const never = () => new Promise<void>(() => undefined)
  const waits = [presence.whenReady(never), presence.whenReady(never), presence.whenLive()]
  for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: 'NO_STREAM_YET' })
})

it('nobody waits where another process has the changes, from then on and until that is over', async () => {
  const presence = new StreamPresence(60_000)
  const never = () => new Promise<void>(() => undefined)
  const waits = () => [presence.whenReady(never), presence.whenLive()]
  const before = waits()
  // What an application waits for goes on: it is there once this process takes over.
  let isSettled = false
  const end = () => {
    isSettled = true
  }
  void presence.untilEnd(never()).then(end, end)
  presence.onStandAside(true)
  for (const wait of [...before, ...waits()])
    await expect(wait).rejects.toMatchObject({ code: 'SERVER_STANDING_BY' })
  presence.onOpened()
  await expect(presence.whenLive()).rejects.toMatchObject({ code: 'SERVER_STANDING_BY' })
  presence.onStandAside(false)
  expect(presence.whenLive()).toBeNull()
  expect(isSettled).toBe(false)
  presence.end()
})

it('whoever is refused where another process has the changes leaves no timer behind, however often he comes', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const presence = new StreamPresence(60_000)
  const never = () => new Promise<void>(() => undefined)
  const waits = () => [presence.whenReady(never), presence.whenLive()]
  const before = waits()
  expect(vi.getTimerCount()).toBe(2)
  presence.onStandAside(true)
  for (const wait of [...before, ...waits(), ...waits()])
    await expect(wait).rejects.toMatchObject({ code: 'SERVER_STANDING_BY' })
  expect(vi.getTimerCount()).toBe(0)
})

const fetchFailed = new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') })

it.each([
  ['of a server that does not answer is to be asked again', new Error('Timed out.'), 'NO_STREAM_YET'],
  ['of a driver that asks over HTTP likewise', fetchFailed, 'NO_STREAM_YET'],
  ['that is a mistake of a program is none that passes', new TypeError('x is not a function'), 'BUG'],
])('a failure %s', (_name, failure, code) => {
  expect(() => notAnswered(failure)).toThrow(expect.objectContaining({ code, cause: failure }))
  const fields = code === 'BUG' ? { code, error: 'TypeError' } : { code }
  expect(failureFields(thrownBy(() => notAnswered(failure)))).toMatchObject(fields)
})

it('a mistake of ours beside Redis or PostgreSQL is not taken for a failure of theirs', () => {
  const mistake = new ReferenceError('x is not defined')
  const target = { host: 'h', port: 1, database: 'd', user: 'u' }
  expect([toBrokerError(mistake).code, toRowcastError(mistake, target).code]).toEqual(['BUG', 'BUG'])
  const cut = Object.assign(new Error('read'), { code: 'ECONNRESET' })
  expect([toBrokerError(cut).code, toRowcastError(cut, target).code]).toEqual([
    'BROKER_LOST',
    'SOURCE_CONNECTION_LOST',
  ])
})

function thrownBy(run: () => void): RowcastError {
  try {
    run()
  } catch (error) {
    if (isRowcastError(error)) return error
  }
  throw new Error('Nothing of ours was thrown.')
}
