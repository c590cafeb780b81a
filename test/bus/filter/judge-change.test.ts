/** Which changes a filter lets through, and what they mean for its rows. */
import { describe, expect, it } from 'vitest'
import {
  type ChangeFilterInput,
  checkImagesAreSent,
  parseChangeFilter,
  requiredImages,
} from '../../../src/bus/filter/change-filter.ts'
import { judgeChange, missingValues } from '../../../src/bus/filter/judge-change.ts'
import { parseWhere } from '../../../src/bus/filter/parse-where.ts'
import type { ModelCatalog } from '../../../src/catalog/model-catalog.ts'
import { UnrepresentableValue } from '../../../src/catalog/values/unrepresentable-value.ts'
import { invariant, isRowcastError } from '../../../src/errors.ts'
import { buildField, buildModel } from '../../support/catalog-builder.ts'
import { buildChange, type ChangeParts } from '../../support/filter-changes.ts'

const thing = buildModel([
  buildField('id', 'Int'),
  buildField('status', 'String'),
  buildField('note', 'String', { isRequired: false }),
])
const catalog: ModelCatalog = { formatVersion: 1, models: { Thing: thing }, enums: {}, joinTables: [] }

const pending = { id: 1, status: 'PENDING', note: null }
const paid = { id: 1, status: 'PAID', note: null }
const sent = { id: 1, status: 'SENT', note: 'x' }

function filterOf(input: ChangeFilterInput, rows?: unknown) {
  const policy = rows === undefined ? null : parseWhere(thing, catalog, rows)
  const filter = parseChangeFilter(thing, catalog, input, { rows: policy })
  invariant(filter, 'the test gives a filter')
  return filter
}

/** `match ENTERED`, `miss`, `unknown`, with `-old` and `-new` for what is hidden. */
function judge(input: ChangeFilterInput, change: ChangeParts, rows?: unknown): string {
  const { verdict, transition, hidesOld, hidesNew } = judgeChange(filterOf(input, rows), buildChange(change))
  if (verdict === 'miss') return verdict
  return [verdict, transition, hidesOld && '-old', hidesNew && '-new'].filter(Boolean).join(' ')
}

describe('where', () => {
  const where = { status: 'PAID' }

  it.each<[string, ChangeParts]>([
    ['match ENTERED', { action: 'INSERT', new: paid }],
    ['miss', { action: 'INSERT', new: pending }],
    ['match ENTERED', { action: 'UPDATE', old: pending, new: paid }],
    ['match STAYED', { action: 'UPDATE', old: paid, new: { ...paid, note: 'y' } }],
    ['match LEFT', { action: 'UPDATE', old: paid, new: sent }],
    ['miss', { action: 'UPDATE', old: pending, new: sent }],
    ['match LEFT', { action: 'DELETE', old: paid }],
    ['miss', { action: 'DELETE', old: sent }],
    ['match LEFT', { action: 'TRUNCATE' }],
    // Without the old row: entered or stayed, nobody knows; left or never in, nobody knows.
    ['match', { action: 'UPDATE', new: paid }],
    ['unknown', { action: 'UPDATE', new: sent }],
    ['unknown', { action: 'DELETE' }],
    ['unknown', { action: 'UPDATE', new: { id: 1 }, unavailable: ['status', 'note'] }],
  ])('%s: %o', (expected, change) => {
    expect(judge({ where }, change)).toBe(expected)
  })

  it('is not moved by a null, whichever way it is put', () => {
    const change: ChangeParts = { action: 'INSERT', new: paid }
    expect(judge({ where: { note: 'x' } }, change)).toBe('miss')
    expect(judge({ where: { NOT: { note: 'x' } } }, change)).toBe('miss')
    expect(judge({ where: { note: null } }, change)).toBe('match ENTERED')
  })

  it('is decided without a value that was not sent, where the others decide', () => {
    const change: ChangeParts = { action: 'INSERT', new: { id: 1, status: 'PAID' }, unavailable: ['note'] }
    expect(judge({ where: { OR: [{ note: 'x' }, { status: 'PAID' }] } }, change)).toBe('match ENTERED')
    expect(judge({ where: { note: 'x', status: 'SENT' } }, change)).toBe('miss')
    expect(judge({ where: { note: 'x', status: 'PAID' } }, change)).toBe('unknown')
    expect(missingValues(buildChange(change))).toEqual([{ image: 'new', fields: ['note'] }])
  })

  it('says what it lacked, and only of fields that it asked about', () => {
    const unreadable = new UnrepresentableValue('unreadable', null)
    const change = buildChange({
      action: 'UPDATE',
      new: { id: unreadable, status: unreadable },
      unavailable: ['note'],
    })
    expect(missingValues(change, filterOf({ where: { status: 'PAID' } }))).toEqual([
      { image: 'old', fields: null },
      { image: 'new', fields: ['status'] },
    ])
    expect(missingValues(buildChange({ action: 'INSERT', new: paid }), filterOf({ new: { id: 1 } }))).toEqual(
      [],
    )
  })
})

describe('old, new and changed', () => {
  it('read as they stand', () => {
    const input = { old: { status: { equals: 'PENDING' } }, new: { status: { equals: 'PAID' } } }
    expect(judge(input, { action: 'UPDATE', old: pending, new: paid })).toBe('match')
    expect(judge(input, { action: 'UPDATE', old: sent, new: paid })).toBe('miss')
    expect(judge(input, { action: 'INSERT', new: paid })).toBe('miss')
    expect(judge(input, { action: 'TRUNCATE' })).toBe('miss')
    expect(judge(input, { action: 'UPDATE', new: paid })).toBe('unknown')
    expect(judge(input, { action: 'UPDATE', new: sent })).toBe('miss')
    expect(judge({ old: { id: 1 } }, { action: 'DELETE', old: paid })).toBe('match')
    expect(judge({ new: { id: 1 } }, { action: 'DELETE', old: paid })).toBe('miss')
  })

  it.each<[string, ChangeParts]>([
    ['match', { action: 'UPDATE', old: pending, new: paid }],
    ['miss', { action: 'UPDATE', old: pending, new: { ...pending, note: 'z' } }],
    ['match', { action: 'INSERT', new: paid }],
    ['miss', { action: 'DELETE', old: paid }],
    ['miss', { action: 'TRUNCATE' }],
    ['unknown', { action: 'UPDATE', new: paid }],
  ])('changed: [status] is %s for %o', (expected, change) => {
    expect(judge({ changed: ['status'] }, change)).toBe(expected)
  })

  it('all have to hold', () => {
    const change: ChangeParts = { action: 'UPDATE', old: pending, new: paid }
    expect(judge({ where: { status: 'PAID' }, changed: ['status'], old: { id: 1 } }, change)).toBe(
      'match ENTERED',
    )
    expect(judge({ where: { status: 'PAID' }, changed: ['note'] }, change)).toBe('miss')
  })
})

describe('rows of a policy', () => {
  const rows = { status: { not: 'SENT' } }

  it.each<[string, ChangeParts]>([
    ['match STAYED', { action: 'UPDATE', old: pending, new: paid }],
    ['match LEFT -new', { action: 'UPDATE', old: paid, new: sent }],
    ['match ENTERED -old', { action: 'UPDATE', old: sent, new: paid }],
    ['miss', { action: 'UPDATE', old: sent, new: { ...sent, note: 'z' } }],
    ['miss', { action: 'DELETE', old: sent }],
    ['match LEFT', { action: 'DELETE', old: paid }],
    ['miss', { action: 'INSERT', new: sent }],
    ['match LEFT', { action: 'TRUNCATE' }],
    // Whether the row was seen is not known: hidden, it would stay in the lists of those who saw it.
    ['unknown', { action: 'DELETE' }],
    ['unknown -new', { action: 'UPDATE', new: sent }],
    ['unknown', { action: 'UPDATE', new: paid }],
    ['unknown -new', { action: 'UPDATE', new: { id: 1 }, unavailable: ['status', 'note'] }],
    // What cannot be judged of a row that is new is not shown.
    ['miss', { action: 'INSERT', new: { id: 1 }, unavailable: ['status', 'note'] }],
  ])('%s: %o', (expected, change) => {
    expect(judge({}, change, rows)).toBe(expected)
  })

  it.each<[string, ChangeParts, unknown]>([
    ['unknown', { action: 'DELETE' }, rows],
    ['unknown -new', { action: 'UPDATE', new: sent }, rows],
    // The row before may have had another key.
    ['unknown', { action: 'UPDATE', new: paid }, rows],
    ['miss', { action: 'DELETE' }, { OR: [] }],
  ])('where the table is to log the row before and did not: %s: %o', (expected, change, policy) => {
    expect(judge({}, { ...change, isOldMissing: true }, policy)).toBe(expected)
  })

  it.each<[string, ChangeParts]>([
    ['match LEFT', { action: 'DELETE', key: { id: 1 } }],
    ['miss', { action: 'DELETE', key: { id: 9 } }],
    ['match STAYED', { action: 'UPDATE', key: { id: 1 }, new: paid }],
    ['match STAYED', { action: 'UPDATE', key: { id: 1 }, oldKey: { id: 2 }, new: paid }],
    ['match ENTERED -old', { action: 'UPDATE', key: { id: 1 }, oldKey: { id: 9 }, new: paid }],
    ['match LEFT -new', { action: 'UPDATE', key: { id: 9 }, oldKey: { id: 1 }, new: { ...paid, id: 9 } }],
    ['miss', { action: 'UPDATE', key: { id: 9 }, oldKey: { id: 8 }, new: { ...paid, id: 9 } }],
    // The identity is an index that does not hold the key.
    ['unknown', { action: 'DELETE', key: null }],
    ['unknown', { action: 'UPDATE', key: { id: 1 }, oldKey: undefined, new: paid }],
  ])(
    'are judged by the key where that is all they ask, and all that was sent: %s: %o',
    (expected, change) => {
      expect(judge({}, change, { id: { in: [1, 2] } })).toBe(expected)
    },
  )

  it('keep a filter from asking about what is hidden', () => {
    const change: ChangeParts = { action: 'UPDATE', old: sent, new: paid }
    expect(judge({ old: { note: 'x' } }, change, rows)).toBe('miss')
    expect(judge({ where: { note: 'x' } }, change, rows)).toBe('miss')
    expect(judge({ changed: ['id'] }, change, rows)).toBe('match ENTERED -old')
    expect(judge({ changed: ['id'] }, { action: 'UPDATE', old: paid, new: sent }, rows)).toBe('miss')
  })
})

describe('what a filter needs', () => {
  it('is reported by part and action', () => {
    const where = filterOf({ where: { status: 'PAID', OR: [{ note: null }] } })
    expect(requiredImages(where)).toEqual({
      needsOldImage: true,
      oldFields: new Set(['status', 'note']),
      newFields: new Set(['status', 'note']),
    })
    expect(requiredImages(where, ['INSERT']).needsOldImage).toBe(false)
    expect(requiredImages(filterOf({ new: { id: 1 } })).needsOldImage).toBe(false)
    expect(requiredImages(filterOf({ changed: ['note'] })).oldFields).toEqual(new Set(['note']))
    expect(requiredImages(filterOf({}, { id: 1 })).needsOldImage).toBe(false)
  })

  it('is refused where it is not sent, with what to run', () => {
    const check = (input: ChangeFilterInput, actions?: readonly ['INSERT']) => () =>
      checkImagesAreSent(filterOf(input), thing, { hasOldImages: false, actions })
    expect(check({ where: { id: 1 } })).toThrow(/\[BAD_FILTER\] where: .*Thing.* Hint: .*FULL/)
    expect(check({ old: { id: 1 } })).toThrow(/\[BAD_FILTER\] old: /)
    expect(check({ changed: ['id'] })).toThrow(/\[BAD_FILTER\] changed: /)
    expect(check({ where: { id: 1 } }, ['INSERT'])).not.toThrow()
    expect(check({ new: { id: 1 } })).not.toThrow()
    const checkRows = (rows: object, actions?: readonly ('INSERT' | 'DELETE')[]) => () =>
      checkImagesAreSent(filterOf({}, rows), thing, { hasOldImages: false, actions })
    expect(checkRows({ status: 'PAID' })).toThrow(/\[BAD_FILTER\] action: .*out of your sight.* Hint: .*FULL/)
    expect(checkRows({ id: 1, status: 'PAID' }, ['INSERT', 'DELETE'])).toThrow(/\[BAD_FILTER\] action: /)
    expect(checkRows({ status: 'PAID' }, ['INSERT'])).not.toThrow()
    expect(checkRows({ id: 1 })).not.toThrow()
    expect(checkRows({ OR: [] })).not.toThrow()
    const isSent = () => checkImagesAreSent(filterOf({ where: { id: 1 } }), thing, { hasOldImages: true })
    expect(isSent).not.toThrow()
  })

  it('is nothing where nothing is asked', () => {
    expect(parseChangeFilter(thing, catalog, { where: null, changed: undefined })).toBeNull()
  })

  it.each([[[]], [['nope']], ['id'], [[5]]])('changed does not take %o', (changed) => {
    let caught: unknown
    try {
      parseChangeFilter(thing, catalog, { changed: changed as string[] })
    } catch (error) {
      caught = error
    }
    expect(isRowcastError(caught, 'BAD_FILTER')).toBe(true)
  })
})
