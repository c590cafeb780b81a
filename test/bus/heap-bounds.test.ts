/** What a process keeps of changes follows what its heap has left. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { heapBytesLeft, heldBytesMaxOf, resultBytesMaxOf } from '../../src/bus/heap-bounds.ts'
import { resolveLogBounds } from '../../src/bus/memory-bus-options.ts'
import { logBoundsOf } from '../../src/bus/retained-log-bounds.ts'

const MIB = 1024 * 1024
const boundsOf = (leftMib: number, log = {}) => {
  const { bytesMax, bytesReadMax } = resolveLogBounds(log, () => 0, leftMib * MIB)
  return [bytesMax / MIB, (bytesReadMax ?? 0) / MIB]
}

describe('what is kept', () => {
  it('is what is asked for where the heap has room', () => {
    expect(boundsOf(2_000)).toEqual([24, 24])
    expect(boundsOf(2_000, { bytesMax: 24 * MIB, bytesReadMax: 64 * MIB })).toEqual([24, 64])
    expect(heldBytesMaxOf(2_000 * MIB)).toBe(16 * MIB)
    expect(resultBytesMaxOf(2_000 * MIB)).toBe(8 * MIB)
  })

  it('is less than what the slot keeps, however slowly somebody reads', () => {
    const { bytesMax, bytesReadMax } = logBoundsOf({ bytes: 64 * MIB, minutes: 10 })
    expect([bytesMax, bytesReadMax]).toEqual([24 * MIB, 48 * MIB])
  })

  it('is a part of what a small heap has left, whatever is asked for', () => {
    expect(boundsOf(16)).toEqual([4, 6])
    expect(boundsOf(16, { bytesMax: 24 * MIB, bytesReadMax: 64 * MIB })).toEqual([4, 6])
    expect(boundsOf(16, { bytesMax: 1 * MIB })).toEqual([1, 1])
    expect(heldBytesMaxOf(16 * MIB)).toBe(2 * MIB)
    expect(resultBytesMaxOf(16 * MIB)).toBe(1 * MIB)
  })

  it('counts what is used already, and nothing of what V8 sets apart for what is young', () => {
    expect(heapBytesLeft({ heap_size_limit: 112 * MIB, used_heap_size: 40 * MIB })).toBe(24 * MIB)
    expect(heapBytesLeft({ heap_size_limit: 112 * MIB, used_heap_size: 64 * MIB })).toBe(8 * MIB)
  })
})

const PROGRAM = `
  import { createMemoryBus } from './src/bus/memory-bus.ts'
  import { PLAIN_ORIGIN, plainChange, plainTransaction } from './test/support/plain-change.ts'
  import { toLsn } from './src/wire/lsn.ts'
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  const old = bus.subscribe({ model: 'User', after: 'earliest' })
  for (let commit = 10; commit < 60_010; commit += 1) {
    const transaction = plainTransaction(commit)
    const changes = [plainChange({ model: 'User', index: 0, transaction, key: { id: commit }, new: { id: commit, name: 'row ' + commit } })]
    bus.publish({ transaction, changes, isFinal: true, byteLength: 200 })
    if (commit % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  let end = 'none'
  try { for await (const _ of old); } catch (error) { end = error.code }
  console.log(JSON.stringify({ end }))
`

it('a log without a bound of its own, of 60,000 small transactions, fits a heap of 64 MB; who reads none of it ends', {
  timeout: 120_000,
}, async () => {
  const flags = ['--max-old-space-size=64', '--import', 'tsx', '--input-type=module', '-e', PROGRAM]
  const { stdout } = await promisify(execFile)(process.execPath, flags)
  expect(JSON.parse(stdout)).toEqual({ end: 'RESYNC_REQUIRED' })
})
