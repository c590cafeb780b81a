import { describe, expect, it } from 'vitest'
import { computeLivenessTimings, isLinkDead, parseIntervalSetting } from '../../src/wire/liveness.ts'

describe('liveness', () => {
  it.each([
    [60_000, 1_000, 120_000],
    [1_500, 500, 3_000],
    [200, 100, 400],
  ])(
    'with wal_sender_timeout %d ms reports every %d ms and gives up after %d ms',
    (timeout, status, dead) => {
      expect(computeLivenessTimings(timeout)).toEqual({
        statusIntervalMs: status,
        askAfterMs: timeout / 2,
        deadAfterMs: dead,
      })
    },
  )

  it('keeps calm when the server has no timeout: it then sends no keepalives either', () => {
    const timings = computeLivenessTimings(0)
    expect(timings.statusIntervalMs).toBe(1_000)
    expect(isLinkDead(timings, 1e12)).toBe(false)
  })

  it('gives a silent link up only after the bound', () => {
    const timings = computeLivenessTimings(1_000)
    expect(isLinkDead(timings, 2_000)).toBe(false)
    expect(isLinkDead(timings, 2_001)).toBe(true)
  })

  it.each([
    ['1min', 60_000],
    ['60s', 60_000],
    ['500ms', 500],
    ['0', 0],
    ['2h', 7_200_000],
  ])('reads the setting %s as %d ms', (text, ms) => {
    expect(parseIntervalSetting(text)).toBe(ms)
  })
})
