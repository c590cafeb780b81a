/** Beside the bus, broker. Where the models' tables stand, as a tap keeps it for gateways. */
import { createHash } from 'node:crypto'
import type { ModelTableState } from '../source/setup/model-tables.ts'
import { openDocument, sealDocument } from './sealed-document.ts'

/** A mark names it by its digest, and so binds it to its epoch. */
const KEY = 'tables'

/** Formats it as it is kept. */
export function formatTableStates(tables: readonly ModelTableState[]): string {
  return sealDocument({ tables }, KEY)
}

/** What marks name the text by. */
export function digestOfTables(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** Parses it; null when it is none of rowcast's. @throws BROKER_ENTRY_UNREADABLE when a newer rowcast wrote it */
export function parseTableStates(text: string): readonly ModelTableState[] | null {
  const content = openDocument(text, KEY)
  if (typeof content !== 'object' || content === null || !('tables' in content)) return null
  const { tables } = content
  return Array.isArray(tables) && tables.every(isTableState) ? tables : null
}

function isTableState(value: unknown): value is ModelTableState {
  if (typeof value !== 'object' || value === null) return false
  const { model, schema, table, doesExist, isPublished, unpublishedColumns } =
    value as Partial<ModelTableState>
  const areNames = [model, schema, table].every((name) => typeof name === 'string')
  const areFacts = typeof doesExist === 'boolean' && typeof isPublished === 'boolean'
  return areNames && areFacts && Array.isArray(unpublishedColumns)
}
