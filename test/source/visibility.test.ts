import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { parseSnapshot, seesTransaction, VisibilityGate } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'

describe('a snapshot', () => {
  it('sees what is below xmax and not running', () => {
    const isVisible = parseSnapshot('100:105:101,103')
    expect([99, 100, 101, 102, 103, 104, 105, 106].map(isVisible)).toEqual([
      true,
      true,
      false,
      true,
      false,
      true,
      false,
      false,
    ])
  })

  it('of a standby sees what is older than all that may be running, and what it has replayed', () => {
    const isVisible = parseSnapshot('100:105:@0/3000')
    expect([99, 100, 104, 105].map(isVisible)).toEqual([true, false, false, false])
    expect(isVisible.seesRange?.(98, 100)).toBe(false)
    const committedAt = (commitLsn: bigint) =>
      seesTransaction(isVisible, { xid: 104, commitLsn: toLsn(commitLsn) })
    expect([committedAt(0x2fffn), committedAt(0x3000n)]).toEqual([true, false])
  })

  it('sees nothing when it cannot be read', () => {
    expect(parseSnapshot('')(1)).toBe(false)
  })

  it('judges 32-bit ids like the 64-bit ids they are the end of, around any wraparound', () => {
    const offset = fc.bigInt({ min: -(2n ** 30n), max: 2n ** 30n })
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 31n, max: 2n ** 48n }), offset, offset, (xmax, delta, running) => {
        const full = xmax + delta
        const isVisible = parseSnapshot(`${xmax - 1n}:${xmax}:${xmax - 1n + (running < 0n ? running : 0n)}`)
        const inProgress = xmax - 1n + (running < 0n ? running : 0n)
        expect(isVisible(Number(BigInt.asUintN(32, full)))).toBe(full < xmax && full !== inProgress)
      }),
    )
  })
})

describe('the visibility gate', () => {
  it('waits until a look sees the transaction, and one look serves all who wait', async () => {
    const snapshots = ['10:11:10', '10:11:10', '11:11:']
    let looks = 0
    const gate = new VisibilityGate({ readSnapshot: async () => snapshots[looks++] ?? '99:99:' })
    await Promise.all([gate.whenVisible(10), gate.whenVisible(10), gate.whenVisible(9)])
    expect(looks).toBe(3)
    await gate.whenVisible(10)
    expect(looks).toBe(3)
  })

  it('does not wait for ever', async () => {
    let nowMs = 0
    const gate = new VisibilityGate({
      readSnapshot: async () => '10:11:10',
      waitMaxMs: 100,
      monotonicMs: () => {
        nowMs += 40
        return nowMs
      },
    })
    await gate.whenVisible(10)
    expect(nowMs).toBeGreaterThanOrEqual(100)
  })

  it('asks the database once for all who ask while it answers, and never with a look from before they asked', async () => {
    const answers: ((text: string) => void)[] = []
    const gate = new VisibilityGate({ readSnapshot: () => new Promise((resolve) => answers.push(resolve)) })
    const first = gate.look()
    const storm = Array.from({ length: 1_000 }, () => gate.look())
    expect(answers).toHaveLength(1)
    answers[0]?.('10:11:10')
    expect((await first)(10)).toBe(false)
    await vi.waitUntil(() => answers.length === 2)
    answers[1]?.('11:11:')
    for (const look of await Promise.all(storm)) expect(look(10)).toBe(true)
    expect(answers).toHaveLength(2)
  })

  it('is not held up by a look that hangs or fails', async () => {
    vi.useFakeTimers()
    try {
      let looks = 0
      const gate = new VisibilityGate({
        readSnapshot() {
          looks += 1
          return looks === 1 ? new Promise(() => undefined) : Promise.resolve('11:11:')
        },
      })
      void gate.look()
      const second = gate.look()
      await vi.advanceTimersByTimeAsync(1_000)
      expect((await second)(10)).toBe(true)
      const failing = new VisibilityGate({
        readSnapshot: () => (looks++ < 3 ? Promise.reject(new Error('gone')) : Promise.resolve('11:11:')),
      })
      const failed = failing.look()
      const next = failing.look()
      await expect(failed).rejects.toThrow('gone')
      expect((await next)(10)).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })
})
