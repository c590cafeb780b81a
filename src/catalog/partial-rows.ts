/** Stage 3, catalog. Rows of partitions that log a part of each only, beside those that log whole ones. */
import type { OldKind, RelationMessage } from '../pgoutput/messages.ts'
import type { RowReader } from './row-reader.ts'
import { judgeOldKind, loggedColumns, type RowMessage } from './writing-tables.ts'

/** How the rows of a table are read some of whose partitions do not log whole rows. */
export interface PartialRows {
  readonly reader: RowReader
  /** How much of the row before a message holds. */
  oldKindOf(message: RowMessage): OldKind
}

/** Creates it for a table and its partitions that log a part only. */
export function createPartialRows(
  relation: RelationMessage,
  reader: RowReader,
  writers: readonly RelationMessage[],
): PartialRows {
  const { model } = reader
  const isKeyLogged = writers.every((writer) => {
    const logged = loggedColumns(writer)
    const columnOf = (name: string) => model.fields.find((field) => field.name === name)?.column ?? ''
    return model.primaryKey.every((name) => logged.has(columnOf(name)))
  })
  return {
    reader:
      reader.isKeyLogged === isKeyLogged ? reader : reader.withKeyLogged(reader.isKeyLogged && isKeyLogged),
    oldKindOf: (message) => judgeOldKind(message, relation, writers),
  }
}
