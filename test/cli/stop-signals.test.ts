/** Signals that stop: the first stops in order, a later one forces, npm's echo does neither. */
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { createStopSignals } from '../../src/cli/stop-signals.ts'

function listen() {
  const source = new EventEmitter()
  const clock = { nowMs: 10_000 }
  const forced: number[] = []
  const stop = createStopSignals({
    source,
    nowMs: () => clock.nowMs,
    onForced: (exitCode) => void forced.push(exitCode),
  })
  return { source, clock, stop, signal: stop.listen(), forced }
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'])('%s aborts the signal', (name) => {
  const { source, signal, forced } = listen()
  expect(signal.aborted).toBe(false)
  source.emit(name)
  expect(signal.aborted).toBe(true)
  expect(forced).toEqual([])
})

test('a second one soon after is an echo, a later one forces', () => {
  const { source, clock, forced } = listen()
  source.emit('SIGINT')
  clock.nowMs += 499
  source.emit('SIGINT')
  expect(forced).toEqual([])
  clock.nowMs += 1
  source.emit('SIGTERM')
  expect(forced).toEqual([143])
})

test('dispose() leaves no listener', () => {
  const { source, stop } = listen()
  stop.dispose()
  expect(source.eventNames()).toEqual([])
})

test.each([
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends who does not listen at once; listening twice is listening once', (name, exitCode) => {
  const source = new EventEmitter()
  const forced: number[] = []
  const stop = createStopSignals({ source, nowMs: () => 0, onForced: (code) => void forced.push(code) })
  source.emit(name)
  expect(forced).toEqual([exitCode])
  expect(stop.listen()).toBe(stop.listen())
  expect(source.listenerCount(name)).toBe(1)
  source.emit(name)
  expect(forced).toEqual([exitCode])
})
