/** Results as frames: written together, in order, never to a socket that has no room, and never changed on the way. */
import fc from 'fast-check'
import { GraphQLError, parse } from 'graphql'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { AnyChange } from '../../src/changes/change.ts'
import type { ChangeFeed } from '../../src/graphql/change-feed.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDeliveries } from '../../src/server/delivery/deliveries.ts'
import { createDeliveryTurn } from '../../src/server/delivery/delivery-turn.ts'
import { createFrameBatch } from '../../src/server/delivery/frame-batch.ts'
import { type FrameSource, SocketOutbox } from '../../src/server/delivery/socket-outbox.ts'
import { ResultStream } from '../../src/server/delivery/subscription-results.ts'
import { SocketBudget } from '../../src/server/limits/socket-budget.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { createDeferred } from '../support/deferred.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'
import { createFrameSocket, type FrameSocket } from './frame-socket.ts'

const guard = createGuard(silentLogger)

const TITLES = 'subscription { postChanged { new { title } transaction { last } } }'
const AUTHORS = 'subscription { postChanged { new { title author { email } } } }'

function post(title: string, more: Partial<AnyChange> = {}): Partial<AnyChange> {
  const row = { id: 1, authorId: 'u', title, body: '', views: 1n, layout: null, parentId: null }
  return { model: 'Post', action: 'UPDATE', new: row, key: { id: 1 }, ...more }
}

/** A feed on a bus of its own that keeps a log. */
function createFeed(queueLengthMax: number | undefined) {
  const bus = createMemoryBus({ models: blogCatalog.models, queueLengthMax })
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  let commitLsn = 1
  let live = 0
  const feed: ChangeFeed = {
    catalog: blogCatalog,
    isRegistered: () => true,
    subscribeDeliveries(request) {
      const subscription = bus.subscribe(request)
      live += 1
      return {
        pull: subscription.pull,
        next: () => subscription.next(),
        return() {
          live -= 1
          return subscription.return()
        },
        [Symbol.asyncIterator]() {
          return this
        },
      }
    },
    changeCursor: () => Promise.reject(new Error('Nobody asks for it.')),
    whenVisible: () => Promise.resolve(),
    hasOldImages: () => true,
  }
  return {
    feed,
    /** Subscriptions that nobody has ended. */
    live: () => live,
    /** Commits a transaction and gives the cursor of its first change. */
    commit(...changes: readonly Partial<AnyChange>[]): string {
      commitLsn += 1
      const transaction = plainTransaction(commitLsn)
      const all = changes.map((change, index) => plainChange({ transaction, index, ...change }))
      bus.publish({ transaction, changes: all, isFinal: true, byteLength: 100 })
      return all[0]?.cursor ?? ''
    },
  }
}

function createWorld(
  limits: { bufferedBytesMax?: number; payloadBytesMax?: number; queueLengthMax?: number } = {},
  authorIsThere: Promise<void> = Promise.resolve(),
) {
  const { bufferedBytesMax = 1_000_000, payloadBytesMax = 1_000_000, queueLengthMax } = limits
  const { feed, ...bus } = createFeed(queueLengthMax)
  const prisma = createRecordingPrisma({
    'user.findUnique': async () => {
      await authorIsThere
      return { id: 'u', email: 'ada@example.com', role: 'ADMIN', tags: [] }
    },
  })
  const schema = buildServiceSchema({ catalog: blogCatalog, prisma, feed, models: { Post: {} } })
  const deliveries = createDeliveries({
    ...{ guard, nowMs: () => 0 },
    mask: (error) => (error instanceof GraphQLError ? error : new GraphQLError(String(error))),
  })
  const documents = new Map<string, ReturnType<typeof parse>>()
  // No slice of time is ever over.
  const budget = new SocketBudget(Number.POSITIVE_INFINITY, () => 0)
  const outboxes = new Map<FrameSocket, SocketOutbox>()

  function outboxOf(target: FrameSocket): SocketOutbox {
    const { socket, webSocket } = target
    const { frames, turn } = deliveries
    const known =
      outboxes.get(target) ??
      new SocketOutbox({ guard, socket, webSocket, bufferedBytesMax, frames, turn, budget })
    outboxes.set(target, known)
    return known
  }

  return {
    bus,
    budget,
    prisma,
    deliveries,
    /** Subscribes on a socket; `ended` resolves with how it ended. */
    async open(target: FrameSocket, source: string, id = '1') {
      const document = documents.get(source) ?? parse(source)
      documents.set(source, document)
      const stream = await deliveries.subscribe({ schema, document, contextValue: {} })
      if (!(stream instanceof ResultStream)) throw new Error(JSON.stringify(stream.errors))
      stream.sendTo({ outbox: outboxOf(target), id, payloadBytesMax })
      const ended = stream.next().then(
        () => 'complete',
        (error: Error) => error.message,
      )
      return { stream, ended }
    },
  }
}

const settled = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
const titlesOf = ({ messages }: FrameSocket) =>
  messages.map(
    ({ payload }) =>
      (payload as { data: { postChanged: { new: { title: string } } } }).data.postChanged.new.title,
  )

describe('frames', () => {
  test('of all subscriptions of a socket and all changes of a turn are written at once', async () => {
    const world = createWorld()
    const socket = createFrameSocket()
    await world.open(socket, TITLES, 'a')
    await world.open(socket, TITLES, 'b')
    await settled()
    world.bus.commit(post('1'), post('2'))
    world.bus.commit(post('3'))
    await settled()
    expect(socket.writeCount).toBe(1)
    const titles = (id: string) => socket.messages.filter((message) => message.id === id).length
    expect([titles('a'), titles('b')]).toEqual([3, 3])
    expect(titlesOf(socket)).toEqual(['1', '2', '3', '1', '2', '3'])
  })

  test('of a socket that had much to say come after those of sockets with little, however early it is enlisted', async () => {
    const world = createWorld()
    const [heavy, light] = [createFrameSocket(), createFrameSocket()]
    await world.open(heavy, TITLES)
    await world.open(light, TITLES.replace('postChanged', 'postChanged(new: { title: { equals: "1" } })'))
    await settled()
    world.bus.commit(post('x'.repeat(100_000)))
    await settled()
    expect([heavy.writeCount, light.writeCount]).toEqual([1, 0])
    world.bus.commit(post('1'))
    // The end of the turn that brought it: the heavy one has its share of the next.
    await Promise.resolve()
    expect([heavy.writeCount, light.writeCount]).toEqual([1, 1])
    await settled()
    world.bus.commit(post('1'))
    await Promise.resolve()
    // It had little to say the last time, and is no longer behind.
    expect([heavy.writeCount, light.writeCount]).toEqual([3, 2])
  })

  test('load relations once for a group, though it has to be waited for', async () => {
    const world = createWorld()
    const sockets = Array.from({ length: 20 }, createFrameSocket)
    for (const socket of sockets) await world.open(socket, AUTHORS)
    expect(world.deliveries.groups.size).toBe(1)
    world.bus.commit(post('1'), post('2'))
    for (const socket of sockets) await expect.poll(() => titlesOf(socket)).toEqual(['1', '2'])
    expect(world.prisma.calls.map(({ call }) => call)).toEqual(['user.findUnique', 'user.findUnique'])
  })

  test('are distinguished where whether a change is the last differs', async () => {
    const world = createWorld()
    const [all, some] = [createFrameSocket(), createFrameSocket()]
    await world.open(all, TITLES)
    await world.open(some, TITLES.replace('postChanged', 'postChanged(new: { title: { equals: "1" } })'))
    expect(world.deliveries.groups.size).toBe(1)
    world.bus.commit(post('1'), post('2'))
    await settled()
    const lasts = ({ messages }: FrameSocket) =>
      messages.map(({ payload }) => JSON.stringify(payload).includes('"last":true'))
    expect([lasts(all), lasts(some)]).toEqual([[false, true], [true]])
  })

  test('stop where the socket has no room, delay nobody else, and go on', async () => {
    const world = createWorld({ bufferedBytesMax: 1_000 })
    const [slow, quick] = [createFrameSocket(), createFrameSocket()]
    await world.open(slow, TITLES)
    await world.open(quick, TITLES)
    slow.stall()
    const titles = Array.from({ length: 200 }, (_, n) => String(n))
    for (const title of titles) {
      world.bus.commit(post(title))
      await settled()
    }
    expect(titlesOf(quick)).toEqual(titles)
    // The bound, and the frame that went beyond it.
    expect(slow.socket.writableLength).toBeLessThan(1_200)
    slow.resume()
    await expect.poll(() => titlesOf(slow)).toEqual(titles)
  })

  test('that wait count as long as the socket has not taken them, however few they are', async () => {
    const world = createWorld()
    const socket = createFrameSocket()
    await world.open(socket, TITLES)
    await settled()
    socket.stall()
    world.bus.commit(post('1'))
    await settled()
    expect(world.budget.bytes).toBeGreaterThan(0)
    socket.resume()
    await settled()
    expect(titlesOf(socket)).toEqual(['1'])
    expect(world.budget.bytes).toBe(0)
  })

  test('leave what there is no room for to the log, and send it once there is', async () => {
    const world = createWorld({ bufferedBytesMax: 1_000, queueLengthMax: 50 })
    const [slow, quick] = [createFrameSocket(), createFrameSocket()]
    await world.open(slow, TITLES)
    await world.open(quick, TITLES)
    slow.stall()
    for (let n = 0; n < 200; n += 1) {
      world.bus.commit(post(String(n)))
      await settled()
    }
    expect(quick.messages).toHaveLength(200)
    expect(slow.messages.length).toBeLessThan(60)
    slow.resume()
    await expect.poll(() => slow.messages.length).toBe(200)
    expect(titlesOf(slow)).toEqual(titlesOf(quick))
    expect(world.deliveries.groups.size).toBe(1)
  })

  test('of a result that is too long are not sent, and end the subscription after what came before', async () => {
    const world = createWorld({ payloadBytesMax: 400 })
    const socket = createFrameSocket()
    const { ended } = await world.open(socket, TITLES)
    world.bus.commit(post('1'), post('x'.repeat(400)), post('3'))
    expect(await ended).toContain('A result is longer than 400 bytes.')
    expect(titlesOf(socket)).toEqual(['1'])
    expect(world.bus.live()).toBe(0)
  })

  test('do not come after the client has unsubscribed, nor after the socket began to close', async () => {
    const author = createDeferred<void>()
    const world = createWorld({}, author.promise)
    const [left, closing] = [createFrameSocket(), createFrameSocket()]
    const { stream, ended } = await world.open(left, AUTHORS)
    await world.open(closing, TITLES)
    await settled()
    world.bus.commit(post('1'))
    closing.close()
    // The author is being waited for.
    await expect.poll(() => world.prisma.calls.length, { interval: 1 }).toBe(1)
    await stream.return()
    author.resolve()
    expect(await ended).toBe('complete')
    await settled()
    expect([left.messages, closing.messages]).toEqual([[], []])
    expect(world.bus.live()).toBe(1)
  })

  test.each([
    ['a result that was waited for', AUTHORS],
    ['a change that comes', TITLES],
  ])(
    'that cannot be lined up after %s end their operation, and leave nothing standing',
    async (_, source) => {
      const author = createDeferred<void>()
      const world = createWorld({}, author.promise)
      const socket = createFrameSocket()
      const { ended } = await world.open(socket, source)
      await settled()
      if (source === AUTHORS) {
        world.bus.commit(post('1'))
        await expect.poll(() => world.prisma.calls.length, { interval: 1 }).toBe(1)
      }
      const enlist = vi.spyOn(SocketOutbox.prototype, 'enlist').mockImplementationOnce(() => {
        throw new Error('It has no line.')
      })
      onTestFinished(() => enlist.mockRestore())
      if (source === AUTHORS) author.resolve()
      else world.bus.commit(post('1'))
      expect(await ended).toBe('It has no line.')
      expect([world.bus.live(), world.deliveries.groups.size]).toEqual([0, 0])
      // The others of the socket go on.
      await world.open(socket, TITLES, '2')
      await settled()
      world.bus.commit(post('2'))
      await expect.poll(() => titlesOf(socket)).toEqual(['2'])
    },
  )

  test('of a subscription with two reasons to be sent come once, and those beside it as well', async () => {
    const author = createDeferred<void>()
    const world = createWorld({ bufferedBytesMax: 3_000 }, author.promise)
    const socket = createFrameSocket()
    const only = (source: string, filter: string) =>
      source.replace('postChanged', `postChanged(new: { title: { ${filter} } })`)
    await world.open(socket, only(AUTHORS, 'startsWith: "a"'), 'a')
    await world.open(socket, only(TITLES, 'endsWith: "b"'), 'b')
    await world.open(socket, only(TITLES, 'startsWith: "full"'), 'full')
    await settled()
    const long = 'a'.repeat(2_000)
    world.bus.commit(post(long), post(long))
    await expect.poll(() => world.prisma.calls.length, { interval: 1 }).toBeGreaterThan(0)
    socket.stall()
    world.bus.commit(post('full'.repeat(1_000)))
    await settled()
    // Its next change, and then the author of its first: each is something to say, while the socket has no room.
    world.bus.commit(post('ab'))
    author.resolve()
    await settled()
    socket.resume()
    const titlesTo = (id: string) =>
      titlesOf({ ...socket, messages: socket.messages.filter((message) => message.id === id) })
    await expect.poll(() => [titlesTo('a'), titlesTo('b')]).toEqual([[long, long, 'ab'], ['ab']])
  })

  test('come from the log first, then live', async () => {
    const world = createWorld()
    const after = world.bus.commit(post('1'), post('2'))
    const socket = createFrameSocket()
    await world.open(socket, TITLES.replace('postChanged', `postChanged(after: "${after}")`))
    await expect.poll(() => titlesOf(socket)).toEqual(['2'])
    world.bus.commit(post('3'))
    await expect.poll(() => titlesOf(socket)).toEqual(['2', '3'])
  })

  test('are as long as the client was promised, whatever the lengths and whoever stalls', () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          to: fc.nat(3),
          lengths: fc.array(fc.constantFrom(0, 3, 90, 125, 700, 9_000, 65_535, 70_000), { maxLength: 4 }),
        }),
      },
      fc.record({ stall: fc.nat(3) }),
      fc.record({ resume: fc.nat(3) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const batch = createFrameBatch()
        const sockets = Array.from({ length: 4 }, createFrameSocket)
        const expected: string[][] = sockets.map(() => [])
        let count = 0
        for (const each of steps) {
          if ('stall' in each) sockets[each.stall]?.stall()
          else if ('resume' in each) sockets[each.resume]?.resume()
          else {
            const target = sockets[each.to] as FrameSocket
            for (const length of each.lengths) {
              count += 1
              const [head, tail] = [`${count}:`, String(count % 10).repeat(length)]
              batch.add(Buffer.from(head), Buffer.from(tail))
              expected[each.to]?.push(head + tail)
            }
            batch.writeTo(target, null)
            expect(batch.byteLength).toBe(0)
          }
        }
        for (const socket of sockets) socket.resume()
        expect(sockets.map(({ texts }) => texts)).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })
})

describe('a throw in the middle of a batch', () => {
  const whole = Buffer.from('{"id":"x","type":"next","payload":')
  const tail = Buffer.from('1}')

  /** A subscription that adds a frame, or throws after one. */
  function sourceOf(isThrowing: boolean): FrameSource {
    return {
      isInLine: false,
      following: null,
      isEnding: false,
      addFrames(frames) {
        frames.add(whole, tail)
        if (isThrowing) throw new Error('In the middle.')
        return true
      },
      afterWrite() {},
    }
  }

  test('leaves nothing of one socket for the next, and ends that socket only', async () => {
    const { frames } = createDeliveries({ guard, mask: () => new GraphQLError('masked') })
    const [failing, fine] = [createFrameSocket(), createFrameSocket()]
    const turn = createDeliveryTurn(guard)
    const outboxOf = ({ socket, webSocket }: FrameSocket) =>
      new SocketOutbox({ guard, socket, webSocket, bufferedBytesMax: 1_000, frames, turn })
    const [first, second] = [outboxOf(failing), outboxOf(fine)]
    first.enlist(sourceOf(true))
    second.enlist(sourceOf(false))
    await settled()
    expect(failing.texts).toEqual([])
    expect(failing.isTerminated).toBe(true)
    expect(fine.texts).toEqual([`${whole}${tail}`])
    expect(fine.isTerminated).toBe(false)
  })
})
