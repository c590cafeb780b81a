/** A process with a small heap and clients that do not read: what waits for them is bounded by the heap. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const PROGRAM = `
  import { createMemoryBus } from './src/bus/memory-bus.ts'
  import { PLAIN_ORIGIN, plainChange, plainTransaction } from './test/support/plain-change.ts'
  import { toLsn } from './src/wire/lsn.ts'
  const bus = createMemoryBus({ log: { bytesMax: 2_000_000 } })
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  const paused = Array.from({ length: 5 }, () => bus.subscribe({ model: 'User' }))
  let most = 0
  for (let commit = 10; commit < 1_510; commit += 1) {
    const transaction = plainTransaction(commit)
    const changes = Array.from({ length: 100 }, (_, index) =>
      plainChange({ model: 'User', index, transaction, key: { id: index }, new: { id: index, name: 'row ' + index } }))
    bus.publish({ transaction, changes, isFinal: true, byteLength: 5_000 })
    most = Math.max(most, bus.heldBytes)
    if (commit % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  const ends = await Promise.all(paused.map(async (each) => {
    try { for await (const _ of each) if (_.change.transaction.commitLsn === 1509n) break; return 'complete' } catch (error) { return error.code }
  }))
  console.log(JSON.stringify({ most, ends }))
`

it('is not exhausted by 150,000 small changes that five of them leave waiting', {
  timeout: 120_000,
}, async () => {
  const flags = ['--max-old-space-size=64', '--import', 'tsx', '--input-type=module', '-e', PROGRAM]
  const { stdout } = await promisify(execFile)(process.execPath, flags)
  const { most, ends } = JSON.parse(stdout) as { most: number; ends: readonly string[] }
  expect(most).toBeLessThan(16 * 1024 * 1024)
  expect(ends).toEqual(Array.from({ length: 5 }, () => 'RESYNC_REQUIRED'))
})
