/**
 * Stage 2, pgoutput. Relation and type the other way: what PostgreSQL would send of a table that it has not described yet.
 * Source: PostgreSQL manual, "Logical Replication Message Formats".
 */
import type { RelationMessage, TypeMessage } from './messages.ts'

const IDENTITIES = { default: 0x64, nothing: 0x6e, full: 0x66, index: 0x69 } as const
const TAG_RELATION = 0x52 // 'R'
const TAG_TYPE = 0x59 // 'Y'

/** Byte1('R'), Int32 OID, String schema, String table, Int8 identity, Int16 columns; each Int8 flags, String, Int32, Int32. */
export function encodeRelation(relation: Omit<RelationMessage, 'kind' | 'streamXid'>): Uint8Array {
  const { oid, schema, table, replicaIdentity, columns } = relation
  return Uint8Array.from([
    ...[TAG_RELATION, ...int32(oid), ...schemaText(schema), ...text(table), IDENTITIES[replicaIdentity]],
    ...[columns.length >> 8, columns.length & 0xff],
    ...columns.flatMap(({ name, typeOid, typeModifier, isKey }) => [
      ...[isKey ? 1 : 0, ...text(name), ...int32(typeOid), ...int32(typeModifier)],
    ]),
  ])
}

/** Byte1('Y'), Int32 OID, String schema, String name. */
export function encodeType({ oid, schema, name }: Omit<TypeMessage, 'kind' | 'streamXid'>): Uint8Array {
  return Uint8Array.from([TAG_TYPE, ...int32(oid), ...schemaText(schema), ...text(name)])
}

const utf8 = new TextEncoder()
const text = (value: string) => [...utf8.encode(value), 0]
/** PostgreSQL saves bytes on its own schema's name. */
const schemaText = (schema: string) => text(schema === 'pg_catalog' ? '' : schema)
const int32 = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff)
