/**
 * Stage 6, bus. The three nulls of Prisma's Json filters: the column's NULL (DbNull), a null within Json
 * (JsonNull), either (AnyNull). Prisma reference, "Working with Json fields".
 */

/** Which null. */
export type JsonNullKind = 'DbNull' | 'JsonNull' | 'AnyNull'

export const JSON_NULL_KINDS: readonly JsonNullKind[] = ['DbNull', 'JsonNull', 'AnyNull']

/** What marks Prisma's constants, whichever copy of its runtime made them. */
const OBJECT_ENUM_VALUE = Symbol.for('prisma.objectEnumValue')

/** The kind of `Prisma.DbNull`, `Prisma.JsonNull` or `Prisma.AnyNull`; null for any other value. */
export function jsonNullKindOf(value: unknown): JsonNullKind | null {
  if (typeof value !== 'object' || value === null || !(OBJECT_ENUM_VALUE in value)) return null
  const name = value.constructor.name
  return JSON_NULL_KINDS.find((kind) => kind === name) ?? null
}
