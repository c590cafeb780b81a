/**
 * Stage 2, pgoutput. Relation and type: what the tuples that follow are made of.
 * The order of fields in an object literal is the order on the wire: each reads the next bytes.
 * Source: PostgreSQL manual, "Logical Replication Message Formats".
 */
import { formatByte } from './message-faults.ts'
import type { MessageReader } from './message-reader.ts'
import type { RelationColumn, RelationMessage, ReplicaIdentity, TypeMessage } from './messages.ts'
import { COLUMN_COUNT_MAX } from './tuple.ts'

/** Decodes a message whose tag is 'R'. @throws PGOUTPUT_TRUNCATED, PGOUTPUT_MALFORMED */
export function decodeRelation(reader: MessageReader, isStreamed: boolean): RelationMessage {
  return {
    kind: 'relation',
    streamXid: reader.readStreamXid(isStreamed),
    oid: reader.readUint32(),
    schema: readSchema(reader),
    table: reader.readString(),
    replicaIdentity: readReplicaIdentity(reader),
    columns: readRelationColumns(reader),
  }
}

function readRelationColumns(reader: MessageReader): RelationColumn[] {
  const columnCount = reader.readUint16()
  if (columnCount > COLUMN_COUNT_MAX) throw reader.malformed(`a relation of ${columnCount} columns`, 2)
  const columns: RelationColumn[] = []
  for (let index = 0; index < columnCount; index++) {
    const isKey = (reader.readUint8() & 1) !== 0
    columns.push({
      name: reader.readString(),
      typeOid: reader.readUint32(),
      typeModifier: reader.readInt32(),
      isKey,
    })
  }
  return columns
}

function readReplicaIdentity(reader: MessageReader): ReplicaIdentity {
  const byte = reader.readUint8()
  switch (byte) {
    case 0x64: // 'd'
      return 'default'
    case 0x6e: // 'n'
      return 'nothing'
    case 0x66: // 'f'
      return 'full'
    case 0x69: // 'i'
      return 'index'
    default:
      throw reader.malformed(`an unknown replica identity (${formatByte(byte)})`, 1)
  }
}

/** Decodes a message whose tag is 'Y'. @throws PGOUTPUT_TRUNCATED */
export function decodeType(reader: MessageReader, isStreamed: boolean): TypeMessage {
  return {
    kind: 'type',
    streamXid: reader.readStreamXid(isStreamed),
    oid: reader.readUint32(),
    schema: readSchema(reader),
    name: reader.readString(),
  }
}

/** PostgreSQL saves bytes on its own schema's name. */
function readSchema(reader: MessageReader): string {
  return reader.readString() || 'pg_catalog'
}
