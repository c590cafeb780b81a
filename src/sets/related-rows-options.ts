/** Sets, between stages 6 and 7. What related rows may take in one process: options of the library and the service. */
import {
  checkOptions,
  isObject,
  isPositiveCount,
  maybe,
  type OptionRows,
  option,
  throwFault,
} from '../option.ts'

/** The bounds of conditions on related rows. Whoever is beyond one ends with a typed error, and nobody else. */
export interface RelatedRowsBounds {
  /** Keys of one condition; beyond that, FILTER_TOO_BROAD. @default 100_000 */
  readonly keysMax?: number | undefined
  /** Keys of all conditions together, those that somebody may still ask for among them; beyond that, FILTER_TOO_BROAD. @default 2_000_000 */
  readonly allKeysMax?: number | undefined
  /** Transactions that may wait while one condition is read; beyond that, RESYNC_REQUIRED. @default 10_000 */
  readonly waitingMax?: number | undefined
  /** Rows of one read; beyond that, FILTER_TOO_BROAD for a condition, RESYNC_REQUIRED for rows that have moved. @default 100_000 */
  readonly rowsMax?: number | undefined
  /** The same in bytes, by estimate. @default 33_554_432 // 32 MiB */
  readonly bytesMax?: number | undefined
  /** Changes of a table while its rows are read; beyond that, RESYNC_REQUIRED. @default 100_000 */
  readonly changesMax?: number | undefined
}

/** The part of the options that is about them. */
export interface RelatedRowsOptions {
  /** What conditions on related rows may take. */
  readonly relatedRows?: RelatedRowsBounds | undefined
}

/** What a graph of sets may take. */
export type SetLimits = Readonly<Record<'keysMax' | 'allKeysMax' | 'waitingMax', number>>

/** What one read of related rows may take. */
export type RelatedReadLimits = Readonly<Record<'rowsMax' | 'bytesMax' | 'changesMax', number>>

/** The bounds when nothing else is said. */
export const RELATED_ROWS_BOUNDS: SetLimits & RelatedReadLimits = {
  ...{ keysMax: 100_000, allKeysMax: 2_000_000, waitingMax: 10_000 },
  ...{ rowsMax: 100_000, bytesMax: 32 * 1024 * 1024, changesMax: 100_000 },
}

const count = maybe(isPositiveCount)
const HINT =
  'Write relatedRows: { keysMax?, allKeysMax?, waitingMax?, rowsMax?, bytesMax?, changesMax? }, each a whole number above 0.'

/** The row of these options. @internal: its type is valibot's, which nobody installs */
export const RELATED_ROWS = {
  relatedRows: option({
    check: maybe(
      isObject(
        {
          ...{ keysMax: count, allKeysMax: count, waitingMax: count },
          ...{ rowsMax: count, bytesMax: count, changesMax: count },
        } satisfies Record<keyof RelatedRowsBounds, unknown>,
        'cannot be used',
      ),
    ),
    hint: HINT,
    byDefault: '100,000 keys of a condition, 2,000,000 of all',
    meaning: 'what conditions on related rows may take: [live sets](live-sets.md#what-it-costs)',
  }),
} satisfies OptionRows<RelatedRowsOptions>

/** Fills in the defaults. @throws CONFIG_BAD_FIELD */
export function resolveRelatedRows(options: RelatedRowsOptions): SetLimits & RelatedReadLimits {
  const { relatedRows = {} } = checkOptions(RELATED_ROWS, (name) => Reflect.get(options, name), throwFault)
  const given = Object.entries(relatedRows).filter(([, value]) => value !== undefined)
  return { ...RELATED_ROWS_BOUNDS, ...Object.fromEntries(given) }
}
