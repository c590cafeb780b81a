/**
 * Stage 3, catalog. How many digits of a second a column has. A row shows three: of more, times that look the same may differ. The Prisma schema
 * says it, and once the stream has described the table, the database does: the two need not agree, and both are read alike.
 */
import type { RelationMessage } from '../pgoutput/messages.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from './model-catalog.ts'

/** A row shows times to the millisecond. */
export const TIME_DIGITS_MAX = 3
/** Of types without a number in brackets. */
const TIME_DIGITS_DEFAULT = 6

/** time, timestamp, timestamptz, timetz, and their arrays. */
const TIME_OIDS: ReadonlySet<number> = new Set([1083, 1114, 1184, 1266, 1183, 1115, 1185, 1270])
/** The same of date. */
const DATE_OIDS: ReadonlySet<number> = new Set([1082, 1182])

/** What the stream has said of them. */
export class TimeDigits {
  readonly #known = new Map<FieldSpec, number>()

  /** Takes what PostgreSQL says of a model's table; nothing where it is none. */
  note({ columns }: Pick<RelationMessage, 'columns'>, model: ModelSpec | null): void {
    const byName = new Map(columns.map((column) => [column.name, column]))
    for (const field of model?.fields ?? []) {
      const column = field.type === 'DateTime' ? byName.get(field.column) : undefined
      if (column === undefined) continue
      const { typeOid, typeModifier } = column
      const ofTime = TIME_OIDS.has(typeOid) && typeModifier >= 0 ? typeModifier : TIME_DIGITS_DEFAULT
      this.#known.set(field, DATE_OIDS.has(typeOid) ? 0 : ofTime)
    }
  }

  of(field: FieldSpec): number | undefined {
    return this.#known.get(field)
  }
}

/** Whether times of the field may have digits that a row does not show. */
export function hidesDigits(field: FieldSpec, of: ModelCatalog['~timeDigits']): boolean {
  if (field.type !== 'DateTime' || field.kind !== 'scalar') return false
  return (of?.(field) ?? declaredDigits(field)) > TIME_DIGITS_MAX
}

function declaredDigits({ nativeType, nativeArguments }: FieldSpec): number {
  if (nativeType === 'Date') return 0
  // What Prisma makes of a DateTime that says no more.
  if (nativeType === null) return TIME_DIGITS_MAX
  return Number(nativeArguments?.[0] ?? TIME_DIGITS_DEFAULT)
}
