/**
 * Beside the spine, client. A patch of a live list applied to its rows: pure, and the rows that it is given stay as they are. The server gives
 * each patch for the rows that the one before left; whatever does not fit these is refused.
 */
import { keyReader, type ListShape, type RowPart } from './apply-change.ts'

/** One operation of `<model>ListPatch`, as a subscription selects it. */
export interface PatchOperation<Row extends object> {
  readonly kind: 'INSERT' | 'UPDATE' | 'MOVE' | 'REMOVE'
  /** Where the row is put; of REMOVE where it is taken out. From 0 on. */
  readonly index: number
  readonly key: RowPart<Row>
  /** Null for REMOVE, and where it failed. */
  readonly row?: Row | null | undefined
}

/** The rows after the patch; null where it does not fit: then the list has to be had whole. */
export function patchList<Row extends object>(
  rows: readonly Row[],
  operations: readonly PatchOperation<Row>[],
  shape: Pick<ListShape<Row>, 'key'>,
): readonly Row[] | null {
  const keyOf = keyReader(shape)
  const [list, keys] = [[...rows], rows.map(keyOf)]
  for (const { kind, index, key, row } of operations) {
    const wanted = keyOf(key)
    const at = keys.indexOf(wanted)
    if (wanted === null || at >= 0 === (kind === 'INSERT')) return null
    if ((kind === 'UPDATE' || kind === 'REMOVE') && at !== index) return null
    if (at >= 0) {
      list.splice(at, 1)
      keys.splice(at, 1)
    }
    if (kind === 'REMOVE') continue
    if (row == null || keyOf(row) !== wanted || !(index >= 0 && index <= list.length)) return null
    list.splice(index, 0, row)
    keys.splice(index, 0, wanted)
  }
  return list
}
