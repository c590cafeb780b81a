/** Stage 4, changes. A row's message as its table logs it. */
import type { RelationRegistry } from '../catalog/relation-registry.ts'
import type { RowReader } from '../catalog/row-reader.ts'
import type { RowMessage } from '../catalog/writing-tables.ts'

/** A row's message, with the old row as whole as the table that wrote it logs it. */
export function asWritten(
  registry: RelationRegistry,
  reader: RowReader,
  message: RowMessage,
): { readonly reader: RowReader; readonly message: RowMessage } {
  const partial = registry.partialRowsOf(message.relationOid)
  if (partial === null) return { reader, message }
  const oldKind = partial.oldKindOf(message)
  if (oldKind === 'full') return { reader, message }
  return { reader: partial.reader, message: { ...message, oldKind } as RowMessage }
}
