/** Signals that stop: the first stops in order, a later one forces, npm's echo does neither. */
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { createStopSignals } from '../../src/cli/stop-signals.ts'

function listen() {
  const source = new EventEmitter()
  const clock = { nowMs: 10_000 }
  let forced = 0
  const stop = createStopSignals({
    source,
    nowMs: () => clock.nowMs,
    onForced: () => {
      forced += 1
    },
  })
  return { source, clock, stop, signal: stop.listen(), forced: () => forced }
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'])('%s aborts the signal', (name) => {
  const { source, signal, forced } = listen()
  expect(signal.aborted).toBe(false)
  source.emit(name)
  expect(signal.aborted).toBe(true)
  expect(forced()).toBe(0)
})

test('a second one soon after is an echo, a later one forces', () => {
  const { source, clock, forced } = listen()
  source.emit('SIGINT')
  clock.nowMs += 499
  source.emit('SIGINT')
  expect(forced()).toBe(0)
  clock.nowMs += 1
  source.emit('SIGTERM')
  expect(forced()).toBe(1)
})

test('dispose() leaves no listener', () => {
  const { source, stop } = listen()
  stop.dispose()
  expect(source.eventNames()).toEqual([])
})

test('who does not listen leaves the process its own way to end; listening twice is listening once', () => {
  const source = new EventEmitter()
  const stop = createStopSignals({ source, nowMs: () => 0, onForced: () => undefined })
  expect(source.eventNames()).toEqual([])
  expect(stop.listen()).toBe(stop.listen())
  expect(source.listenerCount('SIGTERM')).toBe(1)
})
