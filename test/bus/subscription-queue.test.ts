/** The side of a queue that works without promises: what is taken, and when its reader is reported. */
import { describe, expect, test } from 'vitest'
import { Account, Holdings, Weight } from '../../src/bus/holdings.ts'
import type { QueuedDelivery } from '../../src/bus/pending-deliveries.ts'
import type { QueueHost, SubscriptionQueueOptions } from '../../src/bus/queue-options.ts'
import { SubscriptionQueue } from '../../src/bus/subscription-queue.ts'
import { plainChange } from '../support/plain-change.ts'

function delivery(index: number, rowBytes = 0): QueuedDelivery {
  const flags = { transition: null, hidesOld: false, hidesNew: false, isLastOfTransaction: false }
  return { change: plainChange({ index }), weight: new Weight(rowBytes), ...flags }
}

function createQueue(options: Partial<SubscriptionQueueOptions & QueueHost> = {}) {
  const host: QueueHost = {
    ...{ queueLengthMax: 10, queueBytesMax: 1e6, holdings: new Holdings(1e6), nowMs: 0 },
    ...options,
  }
  const queue = new SubscriptionQueue({
    ...{ host, overflow: 'end', account: null, onEnd: () => undefined },
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
  test('gives what is there in order, and notifies the reader once for all that comes', () => {
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

  test('gives what came before the end, then reports it', async () => {
    const { queue, notices } = createQueue()
    queue.push(delivery(0))
    queue.end(new Error('over'))
    expect(queue.pull.isEnded).toBe(true)
    expect(drain(queue)).toEqual([0])
    expect(notices()).toBe(0)
    await expect(queue.next()).rejects.toThrow('over')
    expect(await queue.next()).toEqual({ done: true, value: undefined })
  })

  test('an end is reported to a reader that waits', () => {
    const { queue, notices } = createQueue()
    expect(drain(queue)).toEqual([])
    queue.end()
    expect(notices()).toBe(1)
  })

  test('a queue that nobody empties takes no more than its bounds, and what it holds is counted', async () => {
    const holdings = new Holdings(1e6)
    const account = new Account({}, [new Account({})])
    const { queue } = createQueue({ queueLengthMax: 5, queueBytesMax: 10_000, holdings, account })
    const taken = [0, 1, 2, 3].map((index) => queue.push(delivery(index, 1_000)))
    expect(taken).toEqual([true, true, true, false])
    expect(holdings.bytes).toBe(queue.byteLength)
    expect(account.bytes).toBe(queue.byteLength)
    expect(drain(queue)).toEqual([0, 1, 2])
    expect([queue.byteLength, holdings.bytes, account.bytes]).toEqual([0, 0, 0])
    // One that is larger than all it may hold: a queue that is empty takes it.
    expect([queue.push(delivery(4, 100_000)), queue.push(delivery(5))]).toEqual([true, false])
    await queue.return()
    expect([queue.byteLength, holdings.bytes, account.bytes]).toEqual([0, 0, 0])
  })

  test('a change that many hold counts once for the process, and for each of them', () => {
    const holdings = new Holdings(1e6)
    const queues = [1, 2, 3].map(() => createQueue({ holdings }).queue)
    const shared = delivery(0, 10_000)
    for (const queue of queues) queue.push(shared)
    expect(holdings.bytes).toBeLessThan(2 * (queues[0]?.byteLength ?? 0))
    for (const queue of queues) drain(queue)
    expect(holdings.bytes).toBe(0)
  })

  test('an account that is full takes nothing more, whoever of it holds what there is', () => {
    const server = new Account({})
    const address = new Account({ bytesMax: 5_000 }, [server])
    const [one, other] = [new Account({}, [address]), new Account({}, [address])]
    const first = createQueue({ account: one }).queue
    const second = createQueue({ account: other }).queue
    expect([first.push(delivery(0, 3_000)), second.push(delivery(1))]).toEqual([true, false])
    expect(server.bytes).toBe(first.byteLength)
    drain(first)
    expect(second.push(delivery(2))).toBe(true)
  })

  test('shows when its consumer has made room while more waits elsewhere', () => {
    let hungry = 0
    const onHungry = (): void => {
      hungry += 1
    }
    const { queue } = createQueue({ onHungry })
    drain(queue)
    expect(hungry).toBe(0)
    queue.isBehind = true
    queue.pushRead(delivery(0))
    expect(hungry).toBe(0)
    expect(drain(queue)).toEqual([0])
    expect(hungry).toBe(1)
    expect(queue.isAwaited).toBe(true)
  })

  test('one that has ended and is not emptied can be made to let go: its end says where to go on', async () => {
    const { queue } = createQueue()
    queue.push(delivery(0))
    queue.push(delivery(1))
    await queue.next()
    queue.end()
    queue.endTooSlow()
    expect(queue.length).toBe(0)
    await expect(queue.next()).rejects.toMatchObject({
      code: 'SUBSCRIBER_TOO_SLOW',
      details: { cursor: delivery(0).change.cursor },
    })
  })
})
