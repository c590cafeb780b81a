/** One signal that ends many. */
import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { onAborted } from '../../src/wire/shared-listener.ts'

test('many share one listener, and each is called once', () => {
  const controller = new AbortController()
  const called: number[] = []
  const releases = Array.from({ length: 20 }, (_, index) =>
    onAborted(controller.signal, () => void called.push(index)),
  )
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
  releases[3]?.()
  controller.abort()
  releases[4]?.()
  expect(called).toEqual(Array.from({ length: 20 }, (_, index) => index).filter((index) => index !== 3))
})

test('the same callback twice is called twice, and taken back once', () => {
  const controller = new AbortController()
  let count = 0
  const callback = (): void => void count++
  const release = onAborted(controller.signal, callback)
  onAborted(controller.signal, callback)
  release()
  controller.abort()
  expect(count).toBe(1)
})

test('one that throws keeps none of the others from being called', () => {
  const controller = new AbortController()
  const listeners: (() => void)[] = []
  const signal = Object.assign(controller.signal, {
    addEventListener: (_type: string, listener: () => void) => void listeners.push(listener),
  })
  const called: number[] = []
  for (const index of [0, 1, 2])
    onAborted(signal, () => {
      called.push(index)
      if (index < 2) throw new Error(`from ${index}`)
    })
  expect(() => listeners[0]?.()).toThrow('from 0')
  expect(called).toEqual([0, 1, 2])
})
