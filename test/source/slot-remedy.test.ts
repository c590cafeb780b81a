import { describe, expect, it } from 'vitest'
import { ERRORS, type ErrorCode, RowcastError } from '../../src/errors.ts'
import { NO_REMEDY, type Remedy, remedyFor } from '../../src/source/slot/slot-remedy.ts'

const verdict = (code: ErrorCode) => new RowcastError(code, 'as seen in the catalog')
const fromServer = (code: ErrorCode) =>
  new RowcastError(code, 'as the server said', { details: { sqlstate: '42704' } })
const remedy = (gap: Remedy['gap'], isSlotToDrop: boolean, isSlotToCreate: boolean): Remedy => ({
  gap,
  isSlotToDrop,
  isSlotToCreate,
})

/** Error, who says so, whether we have streamed; then what to do with `recreate` and with `stop`. */
const TABLE: readonly (readonly [ErrorCode, 'catalog' | 'server', boolean, Remedy, Remedy])[] = [
  [
    'SOURCE_SLOT_INVALIDATED',
    'catalog',
    true,
    remedy('slot-lost', true, true),
    remedy('slot-lost', false, false),
  ],
  [
    'SOURCE_SLOT_INVALIDATED',
    'catalog',
    false,
    remedy('slot-lost', true, true),
    remedy('slot-lost', false, false),
  ],
  ['SOURCE_SLOT_INVALIDATED', 'server', true, NO_REMEDY, NO_REMEDY],
  [
    'SOURCE_SLOT_MISSING',
    'catalog',
    true,
    remedy('slot-dropped', false, true),
    remedy('slot-dropped', false, false),
  ],
  ['SOURCE_SLOT_MISSING', 'catalog', false, NO_REMEDY, NO_REMEDY],
  ['SOURCE_SLOT_MISSING', 'server', true, NO_REMEDY, NO_REMEDY],
  [
    'SOURCE_PUBLICATION_MISSING',
    'server',
    true,
    remedy('publication-dropped', true, true),
    remedy('publication-dropped', false, false),
  ],
  [
    'SOURCE_PUBLICATION_MISSING',
    'catalog',
    true,
    remedy('publication-dropped', false, false),
    remedy('publication-dropped', false, false),
  ],
  ['SOURCE_PUBLICATION_MISSING', 'catalog', false, NO_REMEDY, NO_REMEDY],
  [
    'SOURCE_PUBLICATION_INCOMPLETE',
    'catalog',
    true,
    remedy('table-unpublished', false, false),
    remedy('table-unpublished', false, false),
  ],
  ['SOURCE_PUBLICATION_INCOMPLETE', 'catalog', false, NO_REMEDY, NO_REMEDY],
  [
    'SOURCE_SLOT_OVER_BUDGET',
    'catalog',
    true,
    remedy('slot-over-budget', true, true),
    remedy('slot-over-budget', true, false),
  ],
  // A gap that nobody could write down.
  [
    'RESYNC_REQUIRED',
    'catalog',
    true,
    remedy('publication-changed', false, false),
    remedy('publication-changed', false, false),
  ],
]

describe('remedyFor', () => {
  it.each(TABLE)('%s from the %s, streamed before: %s', (code, from, hasStreamed, recreate, stop) => {
    const error = from === 'catalog' ? verdict(code) : fromServer(code)
    expect(remedyFor(error, 'recreate', hasStreamed)).toEqual(recreate)
    expect(remedyFor(error, 'stop', hasStreamed)).toEqual(stop)
  })

  it('does nothing to the slot for any other error', () => {
    const known = new Set(TABLE.map(([code]) => code))
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      if (!known.has(code)) expect(remedyFor(verdict(code), 'recreate', true)).toBe(NO_REMEDY)
    }
  })
})
