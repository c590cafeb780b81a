/** A standby takes over that had not come as far as where a process, or its clients, began. */
import { expect, it } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_EPOCH, plainChange, plainTransaction } from '../support/plain-change.ts'

const PROMOTED = { ...PLAIN_EPOCH, timeline: PLAIN_EPOCH.timeline + 1 }

/** The process began at 1,000 and has read up to 10; the standby's own timeline begins at `shared`. */
function failOver(shared: bigint) {
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_EPOCH, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(1_000n) })
  const before = bus.subscribe({ model: 'User' })
  const resumed = bus.subscribe({ model: 'User', after: formatCursor(PLAIN_EPOCH, toLsn(500n), 0) })
  const [floorLsn, serverLsn, sharedLsn] = [toLsn(10n), toLsn(shared + 50n), toLsn(shared)]
  bus.open({ ...PROMOTED, isFirst: false, floorLsn, serverLsn, sharedLsn })
  const after = bus.subscribe({ model: 'User' })
  const publish = (commit: number) => {
    const transaction = plainTransaction(commit)
    const changes = [plainChange({ model: 'User', action: 'INSERT', index: 0, transaction, key: { id: 1 } })]
    bus.publish({ transaction, changes, isFinal: true, byteLength: 0 })
  }
  return { before, resumed, after, publish }
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
