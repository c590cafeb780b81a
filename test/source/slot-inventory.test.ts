/** Slots as `rowcast slots` shows them; on a real server: cli/slots.pg.test.ts. */
import { describe, expect, it } from 'vitest'
import {
  type InventoryRow,
  isLeftBehind,
  refusalOf,
  toInventorySlot,
} from '../../src/source/slot/slot-inventory.ts'

const row: InventoryRow = {
  ...{ name: 'rowcast_old', plugin: 'pgoutput', slotType: 'logical', database: 'shop', isTemporary: false },
  ...{ activePid: null, reader: null, restartBytes: 5_000, walStatus: 'reserved', more: {} },
}
const own = { project: 'rowcast_shop', database: 'shop' }
const slotOf = (rest: Partial<InventoryRow> = {}) => toInventorySlot({ ...row, ...rest }, [row], own)

describe('what a slot holds', () => {
  it('is the WAL since its restart position', () => {
    expect(slotOf()).toMatchObject({ heldBytes: 5_000, origin: 'name' })
  })

  it.each([
    ['one that was idle for too long', { walStatus: 'lost', more: { invalidation_reason: 'idle_timeout' } }],
    ['one that lacks its WAL (before 17)', { walStatus: 'lost', restartBytes: null }],
    ['a mark, which never asked for any', { slotType: 'physical', plugin: null, restartBytes: null }],
  ])('is nothing for %s', (_, rest) => {
    expect(slotOf(rest).heldBytes).toBe(0)
  })

  it('says nothing of whether somebody is to come back', () => {
    expect(isLeftBehind(slotOf())).toBe(true)
    expect(isLeftBehind(slotOf({ walStatus: 'lost', restartBytes: null }))).toBe(true)
    expect(isLeftBehind(slotOf({ activePid: 42 }))).toBe(false)
    expect(isLeftBehind(slotOf({ name: 'rowcast_shop' }))).toBe(false)
    expect(isLeftBehind(slotOf({ more: { synced: true } }))).toBe(false)
  })

  it('is for nobody where a standby has the slot by now, and may go', () => {
    const named = { ...row, name: own.project }
    const at = (isMoved: boolean) => toInventorySlot(named, [named], { ...own, isMoved })
    expect([at(true).origin, isLeftBehind(at(true))]).toEqual(['moved', true])
    expect(refusalOf(at(true), { name: own.project, project: own.project })).toBe(null)
    expect(refusalOf(at(false), { name: own.project, project: own.project })?.hint).toContain('disable')
  })
})
