/** Whether a process has caught up, where another server goes on before it has. */

import { expect, it } from 'vitest'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { StreamPosition } from '../../src/source/session/ack-state.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'
import { seeing } from '../support/seeing.ts'

const lsnOf = (at: number): Lsn => toLsn(BigInt(at))
const serverAt = (flushed: number, timeline = 1) => ({
  ...{ systemId: '7000000000000000001', timeline },
  flushedLsn: lsnOf(flushed),
})

function positionAt(flushed: number): StreamPosition {
  const position = new StreamPosition({ bytes: 0, minutes: 0 }, () => 0)
  position.begin(serverAt(flushed), { kind: 'first', floorLsn: lsnOf(100) }, lsnOf(100))
  position.keepalive(lsnOf(200))
  expect(position.isCatchingUp).toBe(true)
  return position
}

it('has caught up with a standby that took over, which had not come as far', () => {
  const position = positionAt(1_000)
  const sharedLsn = lsnOf(500)
  position.begin(serverAt(510, 2), { kind: 'continuous', floorLsn: lsnOf(200), sharedLsn }, lsnOf(100))
  expect(position.isCatchingUp).toBe(true)
  position.keepalive(lsnOf(510))
  expect(position.isCatchingUp).toBe(false)
})

it('has caught up with a server that was restored from a backup', () => {
  const position = positionAt(1_000)
  position.begin(serverAt(150), { kind: 'gap', floorLsn: lsnOf(120), reason: 'server-behind' }, lsnOf(120))
  position.keepalive(lsnOf(150))
  expect(position.isCatchingUp).toBe(false)
})

it('is still to reach what the server had at the start, however much has been written since', () => {
  const position = positionAt(1_000)
  position.begin(serverAt(9_000), { kind: 'continuous', floorLsn: lsnOf(200) }, lsnOf(100))
  position.keepalive(lsnOf(999))
  expect(position.isCatchingUp).toBe(true)
  position.keepalive(lsnOf(1_000))
  expect(position.isCatchingUp).toBe(false)
})

it('is to reach what another database has, where that answers before it has caught up', () => {
  const position = positionAt(1_000)
  const other = { ...serverAt(9_000), systemId: '7000000000000000002' }
  position.begin(other, { kind: 'gap', floorLsn: lsnOf(8_000), reason: 'other-cluster' }, lsnOf(8_000))
  position.keepalive(lsnOf(8_999))
  expect(position.isCatchingUp).toBe(true)
  position.keepalive(lsnOf(9_000))
  expect(position.isCatchingUp).toBe(false)
})

it('has not caught up behind a gap until all has come that the server had: the slot may stand at what was delivered long ago', () => {
  const position = positionAt(1_000)
  position.keepalive(lsnOf(1_000))
  expect(position.isCatchingUp).toBe(false)
  const gap = { kind: 'gap', floorLsn: lsnOf(100), reason: 'timeline-diverged' } as const
  position.begin(serverAt(800, 2), gap, lsnOf(100))
  expect(position.isCatchingUp).toBe(true)
  position.keepalive(lsnOf(799))
  expect(position.isCatchingUp).toBe(true)
  position.keepalive(lsnOf(800))
  expect(position.isCatchingUp).toBe(false)
})

it('confirms nothing that is to be sent again, as whoever had it has lost it', () => {
  const position = positionAt(1_000)
  position.keepalive(lsnOf(1_000))
  expect(position.confirm()).toBe(lsnOf(100))
  // A barrier has come, and nothing has been confirmed since.
  position.ceiling.raise(lsnOf(900))
  position.begin(serverAt(2_000), { kind: 'continuous', floorLsn: lsnOf(300) }, lsnOf(100))
  expect(position.confirm()).toBe(lsnOf(100))
  position.keepalive(lsnOf(1_000))
  position.ceiling.raise(lsnOf(900))
  expect(position.confirm()).toBe(lsnOf(900))
})

it('stays caught up where the stream goes on after a disconnection', () => {
  const position = positionAt(1_000)
  position.keepalive(lsnOf(1_000))
  position.begin(serverAt(2_000), { kind: 'continuous', floorLsn: lsnOf(1_000) }, lsnOf(100))
  expect(position.isCatchingUp).toBe(false)
})

it('says nothing of the timeline that a standby which took over has given up', () => {
  const position = positionAt(1_000)
  const sees = { isVisible: SEES_ALL, xidBound: 0n }
  position.seen.hear(lsnOf(200))
  position.seen.look(sees, lsnOf(1_000))
  expect(position.seen.lsn).toBe(lsnOf(1_000))
  position.transactionBegins({ xid: 5, finalLsn: lsnOf(1_100) })
  position.noteServerLsn(lsnOf(5_000))
  const promoted = { kind: 'continuous', floorLsn: lsnOf(200), sharedLsn: lsnOf(500) } as const
  position.begin(serverAt(510, 2), promoted, lsnOf(100))
  expect(position.describe().lagBytes).toBe(310)
  expect(position.seen.lsn).toBe(lsnOf(500))
  // Nobody will ever see what only the server before had.
  position.seen.look({ ...sees, isVisible: seeing((xid) => xid !== 5) }, lsnOf(700))
  expect(position.seen.lsn).toBe(lsnOf(700))
})
