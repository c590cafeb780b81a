/** The side of a queue that works without promises: what is taken, and when its reader is told. */
import { describe, expect, test } from 'vitest'
import type { Delivery } from '../../src/bus/bus.ts'
import { createSubscriptionQueue, type SubscriptionQueue } from '../../src/bus/subscription-queue.ts'
import { plainChange } from '../support/plain-change.ts'

function delivery(index: number): Delivery {
  const flags = { transition: null, hidesOld: false, hidesNew: false, isLastOfTransaction: false }
  return { change: plainChange({ index }), ...flags }
}

function createQueue(options: Partial<Parameters<typeof createSubscriptionQueue>[0]> = {}) {
  const queue = createSubscriptionQueue({
    ...{ queueLengthMax: 10, overflow: 'end', startCursor: null, onEnd: () => undefined },
    ...options,
  })
  let notices = 0
  queue.pull.reader = {
    onReadable() {
      notices += 1
    },
  }
  return { queue, notices: () => notices }
}

/** All that is there. */
function drain({ pull }: SubscriptionQueue): number[] {
  const taken: number[] = []
  for (let next = pull.take(); next !== undefined; next = pull.take()) taken.push(next.change.index)
  return taken
}

describe('pulling from a queue', () => {
  test('gives what is there in order, and tells the reader once for all that comes', () => {
    const { queue, notices } = createQueue()
    queue.push(delivery(0))
    expect(notices()).toBe(0)
    expect(drain(queue)).toEqual([0])
    queue.push(delivery(1))
    queue.push(delivery(2))
    expect(notices()).toBe(1)
    expect(queue.length).toBe(2)
    expect(drain(queue)).toEqual([1, 2])
  })

  test('gives what came before the end, then tells of it', async () => {
    const { queue, notices } = createQueue()
    queue.push(delivery(0))
    queue.end(new Error('over'))
    expect(queue.pull.isEnded).toBe(true)
    expect(drain(queue)).toEqual([0])
    expect(notices()).toBe(0)
    await expect(queue.next()).rejects.toThrow('over')
    expect(await queue.next()).toEqual({ done: true, value: undefined })
  })

  test('an end is told to a reader that waits', () => {
    const { queue, notices } = createQueue()
    expect(drain(queue)).toEqual([])
    queue.end()
    expect(notices()).toBe(1)
  })

  test('a queue that nobody empties ends at its bound', async () => {
    const { queue } = createQueue({ queueLengthMax: 2 })
    for (let index = 0; index < 3; index += 1) queue.push(delivery(index))
    expect(drain(queue)).toEqual([])
    await expect(queue.next()).rejects.toThrow('left 2 changes waiting')
  })

  test('older deliveries are read when nothing is there, a step at a time, then it is live', async () => {
    let steps = 0
    const { queue, notices } = createQueue({
      refill() {
        steps += 1
        queue.push(delivery(steps))
        return steps < 3
      },
    })
    const taken: number[] = []
    expect(queue.pull.take()).toBeUndefined()
    await expect
      .poll(() => {
        taken.push(...drain(queue))
        return taken
      })
      .toEqual([1, 2, 3])
    expect(steps).toBe(3)
    const noticesOfLog = notices()
    queue.push(delivery(4))
    expect(notices()).toBe(noticesOfLog + 1)
    expect(drain(queue)).toEqual([4])
  })

  test('a reader that takes as soon as it is told misses nothing of the log', async () => {
    let steps = 0
    const taken: number[] = []
    const { queue } = createQueue({
      async refill() {
        steps += 1
        await Promise.resolve()
        if (steps % 3 !== 0) queue.push(delivery(steps))
        return steps < 50
      },
    })
    queue.pull.reader = { onReadable: () => queueMicrotask(() => taken.push(...drain(queue))) }
    taken.push(...drain(queue))
    const expected = Array.from({ length: 50 }, (_, n) => n + 1).filter((n) => n % 3 !== 0)
    await expect.poll(() => taken).toEqual(expected)
  })
})
