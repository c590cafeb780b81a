/** Stage 6, bus. Json documents as elements of a list: the same when jsonb takes them for the same. */
import { exactJsonOf, isUnsafe } from '../../catalog/values/exact-json.ts'
import { isFilterObject } from './filter-object.ts'
import type { Json } from './json-value.ts'
import { EQUALITY } from './operators.ts'
import type { ValueDomain } from './value-domain.ts'

const DEPTH_MAX = 64

/** Whether a value is Json through and through, and how many values it holds; null where it is not. */
export function countJson(value: unknown, depth = 0): number | null {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return 1
  if (typeof value === 'number') return Number.isFinite(value) ? 1 : null
  if (depth === DEPTH_MAX || (!Array.isArray(value) && !isFilterObject(value))) return null
  let count = 1
  for (const element of Object.values(value)) {
    const inner = countJson(element, depth + 1)
    if (inner === null) return null
    count += inner
  }
  return count
}

/** Whether a number stands in it of which nobody knows what was meant: two of PostgreSQL's may be this one. */
export function hasUnsafe(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null) return isUnsafe(value)
  return depth < DEPTH_MAX && Object.values(value).some((member) => hasUnsafe(member, depth + 1))
}

/** One text for all spellings of a document: keys in order. */
function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`
  if (typeof value === 'number') return Number.isFinite(value) ? JSON.stringify(value) : String(value)
  if (typeof value === 'symbol') return `~${value.description}`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join()}}`
}

/** Elements of a list of Json. */
export const JSON_DOMAIN: ValueDomain<Json> = {
  name: 'json',
  isCostly: true,
  operators: EQUALITY,
  wanted: 'a JSON value whose numbers are below 2^53',
  parse: (input) => (countJson(input) === null || hasUnsafe(input) ? undefined : (input as Json)),
  normalize: (value) => exactJsonOf(value) as Json,
  keyOf: canonicalJson,
  compare: () => 0,
}
