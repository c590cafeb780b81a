/** The slot's default name: one for each database of a server. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { defaultSlot, formerSlotProblem } from '../../src/source/facts/default-slot.ts'

it('is made of the database’s name', () => {
  expect(defaultSlot('shop')).toBe('rowcast_shop')
  expect(defaultSlot('rowcast')).toBe('rowcast')
  expect(defaultSlot('My-Shop')).toMatch(/^rowcast_my_shop_[0-9a-f]{8}$/)
})

it('can be a slot’s name, whatever the database is called, and differs for different ones', () => {
  const name = fc.oneof(
    fc.string({ minLength: 1, maxLength: 63 }),
    fc.stringMatching(/^[aA_-]{1,3}$/),
    fc.stringMatching(/^a{50,63}$/),
  )
  fc.assert(
    fc.property(name, name, (one, other) => {
      expect(defaultSlot(one)).toMatch(/^[a-z0-9_]{1,63}$/)
      expect(defaultSlot(one) === defaultSlot(other)).toBe(one === other)
    }),
  )
})

it('is no reason to make a second slot beside that of an earlier version', () => {
  const byDefault = { slot: 'rowcast_shop', isSlotDefault: true }
  const shop = { database: 'shop', hasFormerSlot: true }
  expect(formerSlotProblem(byDefault, shop)?.code).toBe('SOURCE_SLOT_RENAMED')
  expect(formerSlotProblem(byDefault, { ...shop, hasFormerSlot: false })).toBeNull()
  // Configured ones, one of them as the default would be.
  expect(formerSlotProblem({ slot: 'mine' }, shop)).toBeNull()
  expect(formerSlotProblem({ slot: 'rowcast_shop' }, shop)).toBeNull()
})
