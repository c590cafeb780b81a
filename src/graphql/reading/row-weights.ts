/**
 * Stage 7, graphql. How many bytes rows have: asked of PostgreSQL before they are read, which knows it of texts without reading
 * them, and measured once they have come.
 */
import type { FieldSpec, ModelSpec } from '../../catalog/model-catalog.ts'
import { UnrepresentableValue } from '../../catalog/values/unrepresentable-value.ts'
import { hasMembers } from '../../member-of.ts'
import { quoteIdentifier } from '../../wire/quote.ts'

/** Values of columns that are none of the heavy ones. */
export const LIGHT_BYTES = 32
/** `@db.VarChar(n)` and its kin up to here are as light as any. */
const SHORT_TEXT_MAX = LIGHT_BYTES
/** Types of Prisma's String that are short whatever they hold. */
const SHORT_TYPES: ReadonlySet<string | null> = new Set(['Uuid', 'Inet'])
const BOUNDED_TYPES: ReadonlySet<string | null> = new Set(['VarChar', 'Char', 'Bit', 'VarBit'])

/** Whether a value of the field can be of any length. */
function isHeavy({ kind, type, nativeType, nativeArguments, isList }: FieldSpec): boolean {
  if (isList) return true
  if (kind === 'enum') return false
  if (type === 'Json' || type === 'Bytes') return true
  if (type === 'Decimal') return nativeType !== null && nativeArguments === undefined
  if (type !== 'String' || SHORT_TYPES.has(nativeType)) return false
  const [length] = nativeArguments ?? []
  return !BOUNDED_TYPES.has(nativeType) || !(Number(length) <= SHORT_TEXT_MAX)
}

/** The fields of any length that a query of the model reads: all but those that it leaves out. */
export function heavyFields(model: ModelSpec, query: object): readonly FieldSpec[] {
  const { select, omit } = query as { readonly select?: unknown; readonly omit?: unknown }
  return model.fields.filter((field) => {
    const isRead = hasMembers(select)
      ? Boolean(select[field.name])
      : !(hasMembers(omit) && omit[field.name] === true)
    return isRead && isHeavy(field)
  })
}

/** The bytes of a row's fields of any length and of the rest of it, as SQL. */
export function weightOf(model: ModelSpec, fields: readonly FieldSpec[], table: string): string {
  const lengths = fields.map(({ column, type, isList }) => {
    const value = `${table}.${quoteIdentifier(column)}`
    // The length of a text stands beside it: nothing is unpacked. Bytes come as hexadecimal digits.
    const length = type === 'Bytes' && !isList ? `2 * octet_length(${value})` : `octet_length(${value}::text)`
    return `coalesce(${length}, 0)::bigint`
  })
  return [...lengths, String(LIGHT_BYTES * model.fields.length)].join(' + ')
}

/** What rows that have come hold, about; a value that many rows share counts for each of them. */
export function bytesOf(value: unknown): number {
  const rest: unknown[] = [value]
  let bytes = 0
  // Not by calls within calls: Json may be nested more deeply than there is stack.
  while (rest.length > 0) {
    const each = rest.pop()
    if (typeof each === 'string') bytes += each.length
    else bytes += LIGHT_BYTES
    if (typeof each !== 'object' || each === null) continue
    if (each instanceof Uint8Array) bytes += each.byteLength
    else if (each instanceof UnrepresentableValue) rest.push(each.value)
    // One by one: as arguments of one call, many would not fit on the stack either.
    else if (Array.isArray(each) || Object.getPrototypeOf(each) === Object.prototype)
      for (const item of Object.values(each)) rest.push(item)
  }
  return bytes
}
