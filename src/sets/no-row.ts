/** Beside the spine, sets. A `where` of Prisma that no row matches, wherever it stands. Pure. */
import type { FieldSpec } from '../catalog/model-catalog.ts'

/** Types with `in`, besides enums. */
const TYPES_WITH_IN: ReadonlySet<string> = new Set([
  'String',
  'Int',
  'BigInt',
  'Float',
  'Decimal',
  'DateTime',
  'Bytes',
])

/**
 * No row. `{ OR: [] }` says so at the root alone: below it Prisma leaves a group without conditions out, and every row matches.
 * @param fields some fields of the model: its key, or all
 */
export function noRowOf(fields: readonly FieldSpec[]): Readonly<Record<string, unknown>> {
  const single = fields.filter(({ isList }) => !isList)
  const field = single.find(({ kind, type }) => kind === 'enum' || TYPES_WITH_IN.has(type))
  if (field !== undefined) return { [field.name]: { in: [] } }
  const boolean = single.find(({ type }) => type === 'Boolean')
  return boolean === undefined
    ? { OR: [] }
    : { AND: [{ [boolean.name]: true }, { NOT: { [boolean.name]: true } }] }
}
