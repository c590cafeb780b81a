/** `after: 'earliest'`: what a slot brings at the start may be more than is kept. */
import { describe, expect, it } from 'vitest'
import type { BusSubscription, InProcessBus } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

/** What the log reckons for a part of one change without bytes. */
const PART_BYTES = 640
const BACKLOG = Array.from({ length: 50 }, (_, n) => n + 10)

/** A bus whose log keeps four changes, and so many while they are read; `begin` has the stream bring the backlog. */
function openBus(readMax: number) {
  const bus = createMemoryBus({ log: { bytesMax: 4 * PART_BYTES, bytesReadMax: readMax * PART_BYTES } })
  const begin = (): void => {
    bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(100n) })
    for (const commit of BACKLOG) publish(bus, commit)
  }
  return { bus, begin, earliest: () => bus.subscribe({ model: 'User', after: 'earliest' }) }
}

function publish(bus: InProcessBus, commit: number): void {
  const transaction = plainTransaction(commit)
  const changes = [plainChange({ model: 'User', index: 0, transaction, key: { id: commit } })]
  bus.publish({ transaction, changes, isFinal: true, byteLength: 0 })
}

/** Commits of what comes, up to the newest of the backlog, and the code that ended it before. */
async function drain(users: BusSubscription): Promise<{ commits: number[]; code: unknown }> {
  const commits: number[] = []
  try {
    while (commits.at(-1) !== BACKLOG.at(-1)) {
      const { value } = await users.next()
      commits.push(Number(value?.change.transaction.commitLsn))
    }
  } catch (error) {
    return { commits, code: Reflect.get(error as object, 'code') }
  }
  return { commits, code: null }
}

describe('the earliest of a backlog beyond what is kept', () => {
  it('is all of it, as it comes, for who keeps up, before it is known what a process before this one missed', async () => {
    const bus = createMemoryBus({ log: { bytesMax: 4 * PART_BYTES, bytesReadMax: 4 * PART_BYTES } })
    const users = bus.subscribe({ model: 'User', after: 'earliest' })
    bus.open({ ...PLAIN_ORIGIN, isFirst: true, mayRecall: true, floorLsn: toLsn(1n), serverLsn: toLsn(100n) })
    for (const commit of BACKLOG) {
      const next = users.next()
      publish(bus, commit)
      expect((await next).value?.change.transaction.commitLsn).toBe(BigInt(commit))
    }
    expect(bus.history?.log.byteLength).toBeLessThanOrEqual(4 * PART_BYTES)
  })

  it('is all of it for who asks before the stream begins', async () => {
    const { begin, earliest } = openBus(1_000)
    const users = earliest()
    begin()
    expect(await drain(users)).toEqual({ commits: BACKLOG, code: null })
  })

  it('or a typed end, where the log has moved on before it was read', async () => {
    const { begin, earliest } = openBus(4)
    const users = earliest()
    begin()
    const { commits, code } = await drain(users)
    expect(code).toBe('RESYNC_REQUIRED')
    expect(commits).toEqual(BACKLOG.slice(0, commits.length))
  })

  it('is the oldest that is left for who asks later', async () => {
    const { begin, earliest } = openBus(4)
    begin()
    expect(await drain(earliest())).toEqual({ commits: BACKLOG.slice(-4), code: null })
  })
})
