import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfirmCeiling } from '../../src/source/slot/confirm-ceiling.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'

const MIB = 1024 * 1024
const at = (mib: number): Lsn => toLsn(BigInt(Math.floor(mib * MIB)))

function begun(bytesMax?: number): ConfirmCeiling {
  const ceiling = new ConfirmCeiling({ bytesMax })
  ceiling.begin(at(0))
  return ceiling
}

describe('the ceiling', () => {
  it('is where the slot was when the stream began, until a barrier comes', () => {
    const ceiling = begun()
    expect([ceiling.apply(at(3), at(3)), ceiling.isDue]).toEqual([at(0), true])
    ceiling.raise(at(2.9))
    expect([ceiling.apply(at(3), at(3)), ceiling.isDue]).toEqual([at(2.9), false])
  })

  it('is renewed sooner where a standby waits for the slot to move', () => {
    const ceiling = new ConfirmCeiling({ isFailover: true })
    ceiling.begin(at(0))
    ceiling.raise(at(1))
    ceiling.apply(at(1), at(1.01))
    expect(ceiling.isDue).toBe(true)
  })

  it('is renewed where much lay unread before the last barrier: the slot is held before that', () => {
    const ceiling = begun()
    ceiling.raise(at(5), 1_000, at(1))
    expect([ceiling.apply(at(5), at(5)), ceiling.isDue]).toEqual([at(1), true])
    ceiling.raise(at(5.01), 1_000, at(5))
    expect([ceiling.apply(at(5.01), at(5.01)), ceiling.isDue]).toEqual([at(5), false])
  })

  it.each([2, 5])('no slot of %i has barriers renewed by those of the others', (count) => {
    // Of a hundred models each, on a server where nobody writes: each look sees what the others wrote since the last one.
    const barrierBytes = 12_000
    let end = 1_000
    const slots = Array.from({ length: count }, () => {
      const ceiling = new ConfirmCeiling({ isFailover: true })
      ceiling.begin(toLsn(0n))
      return ceiling
    })
    let written = 0
    for (let round = 0; round < 50; round += 1) {
      for (const ceiling of slots) {
        ceiling.apply(toLsn(0n), toLsn(BigInt(end)))
        if (!ceiling.isDue) continue
        end += barrierBytes + 200
        written += 1
        // What it says of last changes holds where the slot stood before it.
        const read = end - barrierBytes - 200
        ceiling.raise(toLsn(BigInt(end - 50)), barrierBytes, toLsn(BigInt(read)))
      }
    }
    expect(written).toBe(count)
  })

  it.each([
    [undefined, 33 * MIB],
    [8 * MIB, 3 * MIB],
  ])(
    'no barrier has the next one written by its own size (at most %s held, %i bytes)',
    (bytesMax, barrierBytes) => {
      const ceiling = begun(bytesMax)
      let end = 1_000
      let written = 0
      for (let round = 0; round < 20; round += 1) {
        ceiling.apply(toLsn(0n), toLsn(BigInt(end)))
        const isUrgent = ceiling.takeUrgency()
        if (!ceiling.isDue && !isUrgent) continue
        const read = end
        // With the headers of the WAL's pages.
        end += Math.ceil(barrierBytes * (1 + 24 / 8192)) + 200
        written += 1
        ceiling.raise(toLsn(BigInt(end - 50)), barrierBytes, toLsn(BigInt(read)))
      }
      expect(written).toBe(1)
    },
  )

  it('lets go what retention does not, and nothing more', () => {
    const ceiling = begun()
    ceiling.raise(at(2))
    expect(ceiling.apply(at(1), at(2))).toBe(at(1))
    expect(ceiling.isDue).toBe(false)
  })

  it('asks for a barrier at a look, and for a look when much has passed', () => {
    const ceiling = begun()
    ceiling.raise(at(1))
    ceiling.apply(at(0), at(1.2))
    expect([ceiling.isDue, ceiling.takeUrgency()]).toEqual([false, false])
    // However much is written between two reports.
    ceiling.apply(at(0), at(2))
    expect([ceiling.isDue, ceiling.takeUrgency()]).toEqual([true, false])
    ceiling.apply(at(0), at(40))
    expect([ceiling.isDue, ceiling.takeUrgency()]).toEqual([true, true])
    // Whatever comes of that look, the next one waits for as much again, or for its turn.
    ceiling.apply(at(0), at(60))
    expect(ceiling.takeUrgency()).toBe(false)
    ceiling.apply(at(0), at(72))
    expect(ceiling.takeUrgency()).toBe(true)
    ceiling.raise(at(72))
    ceiling.apply(at(0), at(104))
    expect(ceiling.takeUrgency()).toBe(true)
  })

  it.each([
    [undefined, 256],
    [8 * MIB, 8],
  ])('is given up beyond its bound (%s): it holds no more than that', (bytesMax, boundMib) => {
    const ceiling = begun(bytesMax)
    ceiling.raise(at(1))
    expect(ceiling.apply(at(1 + boundMib), at(1 + boundMib))).toBe(at(1))
    expect(ceiling.isGivenUp).toBe(false)
    expect(ceiling.apply(at(2 + boundMib), at(2 + boundMib))).toBe(at(2 + boundMib))
    expect(ceiling.isGivenUp).toBe(true)
    ceiling.raise(at(3 + boundMib))
    expect(ceiling.apply(at(4 + boundMib), at(4 + boundMib))).toBe(at(3 + boundMib))
  })

  it('never moves backwards, never beyond what is wanted, nor beyond the last barrier unless it says so', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('raise' as const), mib: fc.integer({ min: 0, max: 600 }) }),
      fc.record({ kind: fc.constant('apply' as const), mib: fc.integer({ min: 0, max: 600 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const ceiling = begun()
        let [good, wanted, confirmed] = [at(0), at(0), at(0)]
        for (const { kind, mib } of steps) {
          if (kind === 'raise') {
            ceiling.raise(at(mib))
            if (at(mib) > good) good = at(mib)
            continue
          }
          if (at(mib) > wanted) wanted = at(mib)
          const next = ceiling.apply(wanted, wanted)
          const isHeld = ceiling.isGivenUp || next <= good
          expect(next >= confirmed && next <= wanted && (isHeld || next === confirmed)).toBe(true)
          confirmed = next
        }
      }),
    )
  })
})
