/** Which entity of a normalised cache a change takes out. */
import { expect, it } from 'vitest'
import { goneKey } from '../../src/adapters/cache-changes.ts'
import type { ListChange } from '../../src/client/apply-change.ts'

const read = { action: 'READ', transition: 'LEFT', key: { rowId: 1 }, new: null } as const

it.each<[string, ListChange<{ id: number }>, object | null]>([
  ['a row that is deleted', { action: 'DELETE', key: { rowId: 1 } }, { id: 1 }],
  ['a row that may not be seen any more', { ...read, cause: 'ACCESS' }, { id: 1 }],
  ['a row of which nobody knows why it left', read, { id: 1 }],
  ['none for a row that a related row took out of the list', { ...read, cause: 'RELATION' }, null],
  [
    'a row of a model with a column rowId',
    { action: 'DELETE', key: { rowId: 7, rowId_: 1 } as never },
    { id: 1 },
  ],
  [
    'the row under the key that it had',
    { action: 'UPDATE', key: { rowId: 2 }, oldKey: { rowId: 1 }, new: { id: 2 } },
    { id: 1 },
  ],
  [
    'none for a row of which related rows have changed',
    { ...read, transition: 'STAYED', cause: 'INCLUDED', new: { id: 1 } },
    null,
  ],
  ['none for a table that was emptied', { action: 'TRUNCATE' }, null],
])('is %s', (_, change, expected) => expect(goneKey(change, { key: 'id' })).toEqual(expected))
