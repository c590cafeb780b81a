/** A standby takes over that had not come as far as where a process, or its clients, began. */
import { expect, it } from 'vitest'
import { AFTER_EARLIEST, type InProcessBus } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const PROMOTED = { ...PLAIN_ORIGIN, timeline: PLAIN_ORIGIN.timeline + 1 }

/** The process began at 1,000 and has read up to 10; the standby's own timeline begins at `shared`. */
function failOver(shared: bigint) {
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(1_000n) })
  const before = bus.subscribe({ model: 'User' })
  const resumed = bus.subscribe({ model: 'User', after: formatCursor(PLAIN_ORIGIN, toLsn(500n), 0) })
  bus.open({ ...PROMOTED, isFirst: false, ...promotedAt(shared), floorLsn: toLsn(10n) })
  const after = bus.subscribe({ model: 'User' })
  return { before, resumed, after, publish: (commit: number) => publishTo(bus, commit) }
}

function publishTo(bus: InProcessBus, commit: number): void {
  const transaction = plainTransaction(commit)
  const changes = [plainChange({ model: 'User', action: 'INSERT', index: 0, transaction, key: { id: 1 } })]
  bus.publish({ transaction, changes, isFinal: true, byteLength: 0 })
}

/** Sees all ids below the bound; where none is known, it says nothing of earlier ones. */
function seeingUpTo(bound: bigint) {
  return Object.assign(() => true, { seesAllBefore: (all: bigint | null) => all !== null && all <= bound })
}

/** A server whose own history begins at `shared`. */
function promotedAt(shared: bigint) {
  return { floorLsn: toLsn(shared), serverLsn: toLsn(shared + 50n), sharedLsn: toLsn(shared) }
}

const RESYNC = { code: 'RESYNC_REQUIRED' }

it('whoever began beyond its beginning reads all rows again, and whoever comes now misses nothing', async () => {
  const { before, resumed, after, publish } = failOver(300n)
  publish(500)
  await expect(before.next()).rejects.toMatchObject(RESYNC)
  await expect(resumed.next()).rejects.toMatchObject(RESYNC)
  expect((await after.next()).value).toMatchObject({ change: { model: 'User' } })
})

it('whoever did not goes on', async () => {
  const { before, resumed, after, publish } = failOver(2_000n)
  publish(2_100)
  for (const each of [before, resumed, after])
    expect((await each.next()).value).toMatchObject({ change: { model: 'User' } })
})

it('a gap on the timeline that was given up ends no cursor of the next one, and those from before it as ever', async () => {
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(10n) })
  const before = bus.history?.newestCursor
  bus.passed(toLsn(1_000n))
  bus.cut('User')
  const behind = bus.history?.newestCursor
  bus.open({ ...PROMOTED, isFirst: false, ...promotedAt(300n) })
  for (const after of [before, behind])
    await expect(bus.subscribe({ model: 'User', after: after ?? '' }).next()).rejects.toMatchObject(RESYNC)
  const resumed = bus.subscribe({ model: 'User', after: bus.history?.newestCursor ?? '' })
  const earliest = bus.subscribe({ model: 'User', after: AFTER_EARLIEST })
  publishTo(bus, 310)
  for (const each of [resumed, earliest])
    expect((await each.next()).value).toMatchObject({ change: { model: 'User' } })
})

it('what was visible of the timeline that was given up says nothing of what commits on the next one', () => {
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(10n) })
  bus.history?.earlier.reaches(toLsn(1_000n))
  bus.open({ ...PROMOTED, isFirst: false, ...promotedAt(300n) })
  expect(bus.cursorBefore(seeingUpTo(0n))).not.toBeNull()
  bus.passed(toLsn(400n))
  bus.cut('User')
  expect(bus.history?.earlier.isUnasked).toBe(true)
  expect(bus.cursorBefore(seeingUpTo(70n))).toBeNull()
})

it('ids that the server before had given are no bound for one that has taken over', () => {
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(100n), serverLsn: toLsn(100n) })
  bus.history?.earlier.ask(1_000n)
  bus.open({ ...PROMOTED, isFirst: false, ...promotedAt(300n) })
  expect(bus.history?.earlier.isUnasked).toBe(true)
  bus.history?.earlier.ask(70n)
  expect(bus.cursorBefore(seeingUpTo(70n))).not.toBeNull()
})
