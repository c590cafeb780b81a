/** Keys with counts: what was in after which transaction, and the bound. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CountedKeys } from '../../src/sets/counted-keys.ts'

const KEYS = ['a', 'b', 'c', 'd']

/** Counts by key; null empties the set first. */
const step = fc.record({
  isCleared: fc.boolean().map((one) => one),
  adds: fc.dictionary(fc.constantFrom(...KEYS), fc.integer({ min: 0, max: 2 })),
  removes: fc.dictionary(fc.constantFrom(...KEYS), fc.integer({ min: 0, max: 2 })),
})

describe('counted keys', () => {
  it('have the keys that any row had, after each transaction that somebody may be at', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.nat(8), (steps, pruned) => {
        const keys = new CountedKeys('It')
        const counts = new Map(KEYS.map((key) => [key, 0]))
        const history: ReadonlySet<string>[] = [new Set()]
        for (const [index, { isCleared, adds, removes }] of steps.entries()) {
          if (isCleared) for (const key of KEYS) counts.set(key, 0)
          const delta = new Map<string, { values: readonly unknown[]; count: number }>()
          for (const key of KEYS) {
            const before = counts.get(key) ?? 0
            const after = Math.max(0, before + (adds[key] ?? 0) - (removes[key] ?? 0))
            if (after !== before) delta.set(key, { values: [key], count: after - before })
            counts.set(key, after)
          }
          keys.apply(index + 1, { isCleared, counts: delta })
          history.push(new Set(KEYS.filter((key) => (counts.get(key) ?? 0) > 0)))
          const toggled = KEYS.filter((key) => history[index]?.has(key) !== history[index + 1]?.has(key))
          expect([...keys.toggledBy(index + 1).keys()].sort()).toEqual(toggled)
        }
        const least = Math.min(pruned, steps.length)
        keys.prune(least)
        for (let at = least; at <= steps.length; at++) {
          expect(
            KEYS.filter((key) => keys.has(key, at)),
            `after ${at}`,
          ).toEqual([...(history[at] ?? [])])
        }
        expect(keys.size).toBe(history.at(-1)?.size)
        keys.prune(steps.length)
        expect(keys.kept).toBe(keys.size)
      }),
    )
  })

  it('are bounded', () => {
    const keys = new CountedKeys('The set of id of Team', { keysMax: 1 })
    const counts = new Map([1, 2].map((key) => [key, { values: [key], count: 1 }]))
    expect(() => keys.apply(1, { isCleared: false, counts })).toThrow(
      expect.objectContaining({ code: 'FILTER_TOO_BROAD', details: { keysMax: 1 } }),
    )
  })
})
