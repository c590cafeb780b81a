/** The changes a slot holds, decoded and with their readers, without a replication connection. */
import {
  createRelationRegistry,
  type RelationRegistry,
  type RelationRegistryOptions,
} from '../../src/catalog/relation-registry.ts'
import type { RowReader } from '../../src/catalog/row-reader.ts'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import type { DeleteMessage, InsertMessage, UpdateMessage } from '../../src/pgoutput/messages.ts'
import { quoteIdentifier, quoteLiteral } from '../../src/wire/quote.ts'
import { PINNED_SESSION_SETTINGS } from '../../src/wire/session-settings.ts'
import type { TestDatabase } from './database.ts'

/** A row's change and what reads it. */
export interface ReadableChange {
  readonly message: InsertMessage | UpdateMessage | DeleteMessage
  readonly reader: RowReader
}

/** The form PostgreSQL sends values in. */
export type ValueForm = 'text' | 'binary'

/** A slot over all tables, read with SQL. */
export interface ChangeSlot {
  /** All changes so far, in one form, of the tables that have a reader; they stay in the slot. */
  peek(form: ValueForm): Promise<readonly ReadableChange[]>
  /** Lets go of the changes so far. */
  advance(): Promise<void>
  /** What the last `peek` learnt about relations. */
  readonly registry: RelationRegistry
}

/** Publishes all tables and creates the slot; both go with the database. */
export async function openChangeSlot(
  database: TestDatabase,
  options: RelationRegistryOptions,
): Promise<ChangeSlot> {
  const slot = `slot_${database.name}`
  for (const [name, value] of Object.entries(PINNED_SESSION_SETTINGS)) {
    await database.query(`SET ${quoteIdentifier(name)} = ${quoteLiteral(value)}`)
  }
  await database.query('CREATE PUBLICATION everything FOR ALL TABLES')
  await database.query('SELECT pg_create_logical_replication_slot($1, $2)', [slot, 'pgoutput'])
  let registry = createRelationRegistry(options)
  return {
    async peek(form) {
      registry = createRelationRegistry(options)
      const rows = await database.query<{ data: Buffer }>(
        `SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL,
          'proto_version', '1', 'publication_names', 'everything', 'binary', $2)`,
        [slot, String(form === 'binary')],
      )
      return rows.flatMap(({ data }) => {
        const message = decodeMessage(data, 0, data.length)
        if (message.kind === 'relation') registry.update(message)
        if (message.kind === 'type') registry.updateType(message)
        if (message.kind !== 'insert' && message.kind !== 'update' && message.kind !== 'delete') return []
        const reader = registry.readerOf(message.relationOid)
        return reader === null ? [] : [{ message, reader }]
      })
    },
    async advance() {
      await database.query('SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())', [slot])
    },
    get registry() {
      return registry
    },
  }
}
