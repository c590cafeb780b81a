import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AckTracker } from '../../src/source/session/ack-tracker.ts'
import { DEFAULT_RETENTION, RetentionWindow } from '../../src/source/slot/retention-window.ts'
import { LSN_ZERO, type Lsn, toLsn } from '../../src/wire/lsn.ts'

const MINUTE = 60_000
const lsn = (value: number) => toLsn(BigInt(value))

describe('RetentionWindow', () => {
  it('confirms at once where nothing is to be retained', () => {
    for (const retention of [
      { bytes: 0, minutes: 10 },
      { bytes: 1_000, minutes: 0 },
    ]) {
      const window = new RetentionWindow(retention, LSN_ZERO)
      expect(window.observe(lsn(500), 0)).toBe(500n)
    }
  })

  it('keeps what was delivered for as long as it is asked to', () => {
    const window = new RetentionWindow({ bytes: 1_000_000, minutes: 10 }, lsn(100))
    expect(window.observe(lsn(200), 0)).toBe(100n)
    expect(window.observe(lsn(300), 5 * MINUTE)).toBe(100n)
    expect(window.observe(lsn(300), 10 * MINUTE)).toBe(200n)
    expect(window.observe(lsn(300), 15 * MINUTE)).toBe(300n)
  })

  it('gives way, to the byte, before more is kept than it is asked to', () => {
    const window = new RetentionWindow({ bytes: 1_000, minutes: 10 }, LSN_ZERO)
    expect(window.observe(lsn(900), 0)).toBe(0n)
    expect(window.observe(lsn(5_000), 1)).toBe(4_000n)
  })

  it('keeps 10 minutes or 64 MiB by default', () => {
    expect(DEFAULT_RETENTION).toEqual({ bytes: 67_108_864, minutes: 10 })
  })

  type Step =
    | { kind: 'transaction'; bytes: number; isAccepted: boolean }
    | { kind: 'accept' }
    | { kind: 'keepalive'; bytes: number }
    | { kind: 'clock'; ms: number }
    | { kind: 'reconnect' }
    | { kind: 'crash' }

  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({
      kind: fc.constant('transaction' as const),
      bytes: fc.integer({ min: 1, max: 4_000 }),
      isAccepted: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('accept' as const) }),
    fc.record({ kind: fc.constant('keepalive' as const), bytes: fc.integer({ min: 0, max: 4_000 }) }),
    fc.record({ kind: fc.constant('clock' as const), ms: fc.integer({ min: 0, max: 4 * MINUTE }) }),
    fc.record({ kind: fc.constant('reconnect' as const) }),
    fc.record({ kind: fc.constant('crash' as const) }),
  )

  /**
   * A model of the server: what is confirmed survives a crash, all else of ours does not, and the server sends
   * again what lies behind the confirmed position.
   */
  it('never confirms what is unsafe, too young or already confirmed, and always catches up', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80 }),
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 0, max: 10 }),
        (steps, bytes, minutes) => {
          const retention = { bytes, minutes }
          let ack = new AckTracker()
          let window = new RetentionWindow(retention, LSN_ZERO)
          let sent = 0n
          let nowMs = 0
          let slot: Lsn = LSN_ZERO
          let pending: Lsn[] = []
          /** Every safe position with its time, since the process started. */
          let history: { safe: Lsn; atMs: number }[] = []

          const check = () => {
            history.push({ safe: ack.safe, atMs: nowMs })
            const confirmed = window.observe(ack.safe, nowMs)
            const ripe = history.findLast((h) => nowMs - h.atMs >= minutes * MINUTE)?.safe ?? 0n
            const forced = ack.safe - BigInt(minutes === 0 ? 0 : bytes)
            const bound = [slot, ripe, forced].reduce((a, b) => (a > b ? a : b))
            expect(confirmed <= ack.safe).toBe(true)
            expect(confirmed <= bound).toBe(true)
            expect(confirmed >= slot).toBe(true)
            expect(ack.safe - confirmed <= BigInt(bytes)).toBe(true)
            slot = confirmed
          }

          for (const one of steps) {
            if (one.kind === 'transaction') {
              sent += BigInt(one.bytes)
              ack.begin()
              ack.commit(toLsn(sent))
              pending.push(toLsn(sent))
              if (one.isAccepted) ack.accept(toLsn(sent))
              if (one.isAccepted) pending = []
            } else if (one.kind === 'accept') {
              const end = pending.shift()
              if (end !== undefined) ack.accept(end)
            } else if (one.kind === 'keepalive') {
              sent += BigInt(one.bytes)
              ack.keepalive(toLsn(sent))
            } else if (one.kind === 'clock') nowMs += one.ms
            else if (one.kind === 'reconnect') ack.disconnect()
            else {
              ack = new AckTracker(slot)
              window = new RetentionWindow(retention, slot)
              pending = []
              history = []
              sent = slot
            }
            check()
          }

          for (const end of pending) ack.accept(end)
          for (let i = 0; i < 3; i += 1) {
            nowMs += minutes * MINUTE
            check()
          }
          expect(slot).toBe(ack.safe)
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('measures the age to a 64th of the window however often it is asked', () => {
    const window = new RetentionWindow({ bytes: 1e15, minutes: 10 }, LSN_ZERO)
    for (let i = 1; i <= 100_000; i += 1) window.observe(lsn(i), i * 100)
    // 10,000 s have passed; what is confirmed is ten minutes old, to a 64th.
    expect(Number(window.confirmed)).toBeGreaterThanOrEqual(100_000 - 6_000 - 94)
    expect(Number(window.confirmed)).toBeLessThanOrEqual(100_000 - 6_000)
  })
})
