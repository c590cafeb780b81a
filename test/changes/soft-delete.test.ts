import { describe, expect, it } from 'vitest'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { judgeVisibility, type Visibility } from '../../src/changes/soft-delete.ts'
import type { DeleteMessage, InsertMessage, UpdateMessage } from '../../src/pgoutput/messages.ts'
import { type Tuple, UNCHANGED } from '../../src/pgoutput/tuple.ts'
import { buildField, buildModel, buildRelation, buildTuple } from '../support/catalog-builder.ts'
import { text } from '../support/message-builder.ts'

const model = buildModel([
  buildField('id', 'Int'),
  buildField('deletedAt', 'DateTime', { isRequired: false }),
])
const registry = createRelationRegistry({ catalog: { enums: {} }, models: [model] })
const reader = registry.update(buildRelation({ id: 23, deletedAt: 1114 })).reader
if (reader === null) throw new Error('The model fits.')

const visible = buildTuple(text('1'), null)
const marked = buildTuple(text('1'), text('2026-11-23 00:00:00'))
const unsent = buildTuple(text('1'), UNCHANGED)
const base = { streamXid: null, relationOid: 16_999 } as const

type RowMessage = InsertMessage | UpdateMessage | DeleteMessage
const insert = (now: Tuple): RowMessage => ({ ...base, kind: 'insert', oldKind: 'none', old: null, new: now })
const update = (old: Tuple | null, now: Tuple, oldKind: 'none' | 'key' | 'full' = 'full'): RowMessage => ({
  ...base,
  kind: 'update',
  oldKind,
  old,
  new: now,
})
const remove = (old: Tuple, oldKind: 'key' | 'full' = 'full'): RowMessage => ({
  ...base,
  kind: 'delete',
  oldKind,
  old,
  new: null,
})

describe('what a write to a row that may be marked means', () => {
  it.each<[string, RowMessage, Visibility]>([
    ['a row is new', insert(visible), 'INSERT'],
    ['a row is born marked', insert(marked), 'hidden'],
    ['a visible row changes', update(visible, visible), 'UPDATE'],
    ['a row is marked', update(visible, marked), 'DELETE'],
    ['a mark is taken back', update(marked, visible), 'INSERT'],
    ['a marked row changes', update(marked, marked), 'hidden'],
    ['a visible row goes', remove(visible), 'DELETE'],
    ['a marked row goes', remove(marked), 'hidden'],
    ['an update without the old row', update(null, marked, 'none'), 'unknown'],
    // The columns beside the key are NULL in a key tuple, which says nothing about the mark.
    ['an update with the old key only', update(visible, marked, 'key'), 'unknown'],
    ['a delete with the key only', remove(visible, 'key'), 'unknown'],
    ['a mark that was not sent', update(visible, unsent), 'unknown'],
  ])('%s', (_name, message, expected) => {
    expect(judgeVisibility(reader, 'deletedAt', message)).toBe(expected)
  })
})
