/** Stage 3, catalog. What is known about one relation of the stream. */
import type { RowcastError } from '../errors.ts'
import type { RelationMessage } from '../pgoutput/messages.ts'
import type { ModelSpec } from './model-catalog.ts'
import type { RowReader } from './row-reader.ts'

/** What the registry knows about one relation. */
export interface RelationEntry {
  readonly relation: RelationMessage
  /** Null for tables that no registered model stands on. */
  readonly model: ModelSpec | null
  /** Null without a model, and where the table has drifted from it. */
  readonly reader: RowReader | null
  /** CATALOG_DRIFT: the rows cannot be read until the Prisma schema and the database agree again. */
  readonly drift: RowcastError | null
}

/** Of a table that is no model's. */
export function createForeignEntry(relation: RelationMessage): RelationEntry {
  return { relation, model: null, reader: null, drift: null }
}
