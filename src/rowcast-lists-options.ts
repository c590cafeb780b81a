/** Beside the spine. What the library's users ask of lists and totals, before its types. */
import { badFilter } from './bus/filter/bad-filter.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from './catalog/model-catalog.ts'
import { sortableField } from './sets/row-order.ts'
import { hasExtremes, isSummed, isUnreadInTotals } from './sets/total-fields.ts'

/** Of lists and totals. */
export interface LibraryOptions {
  readonly where?: unknown
  readonly every?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface LibraryListOptions extends LibraryOptions {
  readonly orderBy?: unknown
  readonly take?: number | undefined
  readonly totalCount?: boolean | undefined
}

/** Names of fields. */
export type LibraryTotalsOptions = LibraryOptions &
  Partial<Record<'sum' | 'min' | 'max', readonly string[] | undefined>>

/** The fields named. @throws BAD_FILTER */
export function totalsFields(model: ModelSpec, catalog: ModelCatalog, options: LibraryTotalsOptions) {
  const named = (part: 'sum' | 'min' | 'max') =>
    (options[part] ?? []).map((name, index): FieldSpec => {
      const field = sortableField(model, catalog, `${part}[${index}]`, name)
      if (part === 'sum' ? isSummed(field) : hasExtremes(field)) return field
      if (isUnreadInTotals(field))
        throw badFilter(
          `${part}[${index}]`,
          'Prisma Client does not read it of money.',
          'Name another field.',
        )
      throw part === 'sum'
        ? badFilter(`sum[${index}]`, 'it is no number.', 'Name fields of numbers.')
        : badFilter(`${part}[${index}]`, `PostgreSQL has no ${part} of its type.`, 'Name another field.')
    })
  return { sum: named('sum'), min: named('min'), max: named('max') }
}
