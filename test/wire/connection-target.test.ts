/** What ends a wait: either of two signals, at once or later, and nothing is left of the wait afterwards. */
import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { waitBoundsOf } from '../../src/wire/driver-target.ts'

function createWait() {
  const worker = new AbortController()
  const own = new AbortController()
  const { end } = waitBoundsOf({ waits: { signal: worker.signal } }, { signal: own.signal })
  const listeners = () =>
    [worker, own].map(({ signal }) => getEventListeners(signal, 'abort').length).join(' ')
  return { worker, own, end, listeners }
}

it.each(['worker', 'own'] as const)('ends with the signal of the %s, once', (name) => {
  const wait = createWait()
  let calls = 0
  wait.end.onAbort(() => {
    calls += 1
  })
  expect([wait.end.aborted, calls]).toEqual([null, 0])
  wait[name].abort(new Error('enough'))
  wait.worker.abort()
  wait.own.abort()
  expect([calls, wait.listeners()]).toEqual([1, '0 0'])
  expect(wait.end.aborted).not.toBeNull()
})

it('leaves nothing with signals that outlive it', () => {
  const wait = createWait()
  const stops = Array.from({ length: 100 }, () => wait.end.onAbort(() => undefined))
  // One for all: Node.js warns of a leak at eleven.
  expect(wait.listeners()).toBe('1 1')
  for (const stop of stops) stop()
  expect(wait.listeners()).toBe('0 0')
})

it('never ends where nobody gives a signal', () => {
  const { end, answerTimeoutMs } = waitBoundsOf({})
  end.onAbort(() => expect.unreachable())()
  expect([end.aborted, answerTimeoutMs]).toEqual([null, 10_000])
})
