/** Beside the bus, broker. Where the models' tables stand, as a tap keeps it for gateways. */
import { createHash } from 'node:crypto'
import { hasMembers } from '../member-of.ts'
import { parsePublishedModel } from '../source/published/published-tables.ts'
import type { ModelTableState } from '../source/setup/model-tables.ts'
import { openDocument, sealDocument } from './sealed-document.ts'

/** A mark names it by its digest, and so binds it to its epoch. */
const KEY = 'tables'

/** Formats it as it is kept. */
export function formatTableStates(tables: readonly ModelTableState[]): string {
  return sealDocument({ tables }, KEY)
}

/** Before the first look. */
export const NO_TABLES = formatTableStates([])

/** What marks name the text by. */
export function digestOfTables(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** Parses it; null when it is none of rowcast's. @throws BROKER_ENTRY_UNREADABLE when a newer rowcast wrote it */
export function parseTableStates(text: string): readonly ModelTableState[] | null {
  const content = openDocument(text, KEY)
  if (typeof content !== 'object' || content === null || !('tables' in content)) return null
  const { tables } = content
  if (!Array.isArray(tables)) return null
  const states = tables.map(parseTableState)
  return states.every((state) => state !== null) ? states : null
}

const STANDINGS: readonly ModelTableState['standing'][] = ['unknown', 'settling', 'verified']

/** Field by field: who may see a model's changes is decided by it. */
function parseTableState(value: unknown): ModelTableState | null {
  if (!hasMembers(value)) return null
  const { model, schema, table, doesExist, isPublished, unpublishedColumns, published = null } = value
  // A tap of before has none of these.
  const { kind = null, persistence = null, rowSecurityExempt = null, isBlocked = false } = value
  const standing = STANDINGS.find((each) => each === (value['standing'] ?? 'unknown'))
  if (typeof model !== 'string' || typeof schema !== 'string' || typeof table !== 'string') return null
  if (typeof doesExist !== 'boolean' || typeof isPublished !== 'boolean') return null
  if (typeof isBlocked !== 'boolean' || standing === undefined) return null
  if (!isTexts(unpublishedColumns) || !(rowSecurityExempt === null || isTexts(rowSecurityExempt))) return null
  if (!isTextOrNull(kind) || !isTextOrNull(persistence)) return null
  const [known = null] = published === null ? [] : (parsePublishedModel([published]) ?? [])
  return {
    ...{ model, schema, table, doesExist, kind, persistence, isPublished, unpublishedColumns },
    // What an older tap found out in another form counts as not known.
    ...{ rowSecurityExempt, standing, isBlocked, published: known },
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}
