/** Stage 3, catalog. What identifies a table by name, and what of a Relation its reader depends on. */
import type { RelationMessage } from '../pgoutput/messages.ts'
import type { DynamicType } from './column-codec.ts'

/** One text for a table's name. */
export function qualify(schema: string, table: string): string {
  return JSON.stringify([schema, table])
}

/** Whether both have the same name. */
export function isNamesake(a: RelationMessage, b: RelationMessage): boolean {
  return a.schema === b.schema && a.table === b.table
}

/** All that a reader depends on, as one string. */
export function describeShape(message: RelationMessage, types: ReadonlyMap<number, DynamicType>): string {
  const columns = message.columns.map(({ name, typeOid, isKey }) => {
    const type = types.get(typeOid)
    return [name, typeOid, isKey, type?.schema, type?.name]
  })
  return JSON.stringify([message.schema, message.table, columns])
}
