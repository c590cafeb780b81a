import { describe, expect, it } from 'vitest'
import { resolveDurability } from '../../src/source/durability-options.ts'

describe('resolveDurability', () => {
  it('has defaults that hurt nobody', () => {
    expect(resolveDurability({})).toEqual({
      retention: { bytes: 67_108_864, minutes: 10 },
      slotLostPolicy: 'recreate',
      slotBudget: null,
      isFailover: false,
      watchIntervalMs: 10_000,
      stalledAfterMs: 60_000,
      standbyPatienceMs: 10_000,
    })
  })

  it('takes one of the two bounds alone', () => {
    expect(resolveDurability({ retain: { minutes: 0 } }).retention).toEqual({ bytes: 67_108_864, minutes: 0 })
  })

  it.each([
    { retain: { bytes: -1 } },
    { retain: { minutes: Number.NaN } },
    { onSlotLost: 'ignore' },
    { slotBudget: { bytes: 0 } },
    { failover: 'yes' },
    { watchIntervalMs: 0 },
  ])('refuses %j', (options) => {
    expect(() => resolveDurability(options as never)).toThrow('CONFIG_BAD_FIELD')
  })
})
