/** One whose end fails keeps nobody else from ending, whatever ends them: a gap, a close, a stop, a signal. */
import { describe, expect, it } from 'vitest'
import type { ChangeBus, DeliveryPull } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { createMessageHub } from '../../src/bus/message-hub.ts'
import { serverStopping } from '../../src/bus/server-stopping.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { createGuard } from '../../src/guard.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const START = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) }
const LOST = new RowcastError('RESYNC_REQUIRED', 'Changes are missing.')

const ENDS: Readonly<Record<string, (bus: ChangeBus, abort: () => void) => void>> = {
  'a gap': (bus) => bus.gap(LOST),
  'a close': (bus) => bus.close(LOST, 'User'),
  'a stop': (bus) => bus.stop(serverStopping),
  'a signal': (_, abort) => abort(),
}

describe.each(Object.entries(ENDS))('%s', (name, end) => {
  it('ends all the others', () => {
    const logged: unknown[] = []
    const guard = createGuard({ error: (_, fields) => void logged.push(fields?.['errorId']) })
    const bus = createMemoryBus({ guard })
    bus.open(START)
    const { signal, abort } = withAbort()
    const all = [0, 1, 2].map(() => bus.subscribe({ model: 'User', signal }).pull)
    for (const pull of all) expect(pull?.take()).toBeUndefined()
    const failing = all[0]
    if (failing)
      failing.reader = {
        onReadable() {
          throw new Error('of a socket')
        },
      }
    const run = () => end(bus, abort)
    if (name === 'a signal') run()
    else expect(run).toThrow('of a socket')
    expect(all.map((pull) => pull?.isEnded)).toEqual([true, true, true])
    expect(logged).toHaveLength(name === 'a signal' ? 1 : 0)
  })
})

function withAbort() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}

it('what one listener does to a message, no other sees', async () => {
  const hub = createMessageHub(10)
  const [first, second] = [hub.listen({}), hub.listen({})]
  hub.publish({
    prefix: 'p',
    content: new Uint8Array([1, 2]),
    lsn: toLsn(1n),
    transaction: null,
    index: null,
  })
  const { value } = await first.next()
  value.content.fill(0)
  Object.assign(value, { prefix: 'q' })
  expect(await second.next()).toMatchObject({ value: { prefix: 'p', content: new Uint8Array([1, 2]) } })
})

it('whoever listens to messages after the end is ended at once, with a typed error', async () => {
  const hub = createMessageHub(10)
  const before = hub.listen({})
  hub.close()
  hub.stop(() => serverStopping(null))
  expect(await before.next()).toEqual({ done: true, value: undefined })
  await expect(hub.listen({}).next()).rejects.toMatchObject({ code: 'SERVER_STOPPING' })
})

const BEFORE_ALL = formatCursor(PLAIN_ORIGIN, toLsn(5n), 0)
const LATER = { ...START, floorLsn: toLsn(100n), serverLsn: toLsn(200n) }
const DECISIONS: Readonly<Record<string, (bus: ChangeBus, subscribe: () => void) => void>> = {
  'the first stream'(bus, subscribe) {
    subscribe()
    bus.open(LATER)
  },
  'the end of what is recalled'(bus, subscribe) {
    bus.open({ ...LATER, mayRecall: true })
    subscribe()
    bus.lastChanges.endRecall()
  },
}

describe.each(Object.entries(DECISIONS))('%s ends those with cursors that are too old', (_, decide) => {
  it('all of them, also where one fails', () => {
    const bus = createMemoryBus()
    const all: (DeliveryPull | undefined)[] = []
    const subscribe = (): void => {
      for (let n = 0; n < 3; n += 1) all.push(bus.subscribe({ model: 'User', after: BEFORE_ALL }).pull)
      for (const pull of all) {
        expect(pull?.take()).toBeUndefined()
        expect(pull?.isEnded).toBe(false)
      }
      const [failing] = all
      if (failing)
        failing.reader = {
          onReadable() {
            throw new Error('of a socket')
          },
        }
    }
    expect(() => decide(bus, subscribe)).toThrow('of a socket')
    expect(all.map((pull) => pull?.isEnded)).toEqual([true, true, true])
  })
})
