/** Stage 6, bus. Json as jsonb's operators see it. PostgreSQL manual, 8.14 "JSON Types", and 9.16. */
import { isSameValue } from '../../catalog/values/same-value.ts'

/**
 * A value of a Json field, below SQL's null. A symbol stands for a number of a row that JavaScript does not hold exactly: no filter has an equal one.
 */
export type Json =
  | string
  | number
  | symbol
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json }

/** What jsonb_typeof says. */
export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null'

const INDEX = /^[ \t\n\v\f\r]*[+-]?\d{1,10}$/

/** jsonb_typeof. */
export function jsonKindOf(value: Json): JsonKind {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'symbol' ? 'number' : (typeof value as JsonKind)
}

/** `#>`: what stands at the path; undefined where nothing does. */
export function extractJson(root: Json | undefined, path: readonly string[]): Json | undefined {
  let value = root
  for (const step of path) {
    if (value === undefined || value === null || typeof value !== 'object') return undefined
    value = isList(value) ? elementAt(value, step) : memberOf(value, step)
  }
  return value
}

function memberOf(value: { readonly [key: string]: Json }, step: string): Json | undefined {
  return Object.hasOwn(value, step) ? value[step] : undefined
}

function elementAt(list: readonly Json[], step: string): Json | undefined {
  return INDEX.test(step) ? list.at(Number(step)) : undefined
}

/** An array, and what of it can be looked up. */
export interface JsonList {
  readonly list: readonly Json[]
  /** All that are neither lists nor objects. */
  readonly primitives: ReadonlySet<Json>
}

/** Makes an array ready to be asked what it contains. */
export function createJsonList(list: readonly Json[]): JsonList {
  return { list, primitives: new Set(list.filter((element) => !isContainer(element))) }
}

/** `@>` of an array: whatever the order and how often. */
export function listContains({ list, primitives }: JsonList, part: Json): boolean {
  // The one exception to "same structure": a list contains a primitive.
  if (!isContainer(part)) return primitives.has(part)
  if (!isList(part)) return false
  return part.every((wanted) =>
    isContainer(wanted) ? list.some((element) => containsNested(element, wanted)) : primitives.has(wanted),
  )
}

function isContainer(value: Json): boolean {
  return typeof value === 'object' && value !== null
}

/** `@>`: objects by their keys, lists by their elements. */
function containsNested(whole: Json, part: Json): boolean {
  if (part === null || whole === null || typeof part !== 'object' || typeof whole !== 'object') {
    return isSameValue(whole, part)
  }
  if (isList(part)) {
    return isList(whole) && part.every((wanted) => whole.some((element) => containsNested(element, wanted)))
  }
  if (isList(whole)) return false
  return Object.entries(part).every(([key, wanted]) => {
    const value = memberOf(whole, key)
    return value !== undefined && containsNested(value, wanted)
  })
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
