/**
 * Stage 7, graphql. Images: rows that came out of a change instead of a query. Resolvers see plain rows;
 * which of them are images is remembered beside them, because subscriptions share the row objects.
 */
import type { GraphQLError } from 'graphql'
import { UnrepresentableValue } from '../../catalog/values/unrepresentable-value.ts'
import type { AnyRow, TransactionInfo } from '../../changes/change.ts'
import { graphqlError } from '../graphql-errors.ts'
import { hideFields } from '../policy/guard-rows.ts'
import { unrepresentable } from '../unrepresentable.ts'

/** What is known of an image beside its values. */
interface Origin {
  readonly transaction: TransactionInfo | null
  /** The same row with what is hidden from the viewer: relations are found by keys that may be. */
  readonly sent: AnyRow
}

const images = new WeakMap<object, Origin>()

/** Whether the row is the old or new row of a change. */
export function isImage(row: object): row is AnyRow {
  return images.has(row)
}

/** The transaction that an image is from, where it is known. */
export function transactionOf(image: AnyRow): TransactionInfo | null {
  return images.get(image)?.transaction ?? null
}

/** The row of an image as PostgreSQL sent it, hidden fields included: for looking up, not for showing. */
export function sentRow(image: AnyRow): AnyRow {
  return images.get(image)?.sent ?? image
}

/** What is not to be read of an image, and where it is from. */
export interface ImageOptions {
  /** Fields that PostgreSQL left out. */
  readonly unavailable?: readonly string[]
  /** Fields that the viewer may not see. */
  readonly hidden?: ReadonlySet<string>
  readonly transaction?: TransactionInfo | null
}

/**
 * Marks a row of a change as an image. Where PostgreSQL left values out, some cannot be shown, or the viewer may not see
 * some, a copy is returned in which reading one of them throws: whoever asks for it gets an explanation instead of null.
 * @throws GRAPHQL_VALUE_UNAVAILABLE, GRAPHQL_VALUE_UNREPRESENTABLE, FIELD_HIDDEN when such a value is read, not before.
 */
export function toImage(
  model: string,
  row: AnyRow,
  { unavailable = [], hidden = new Set(), transaction = null }: ImageOptions = {},
): AnyRow {
  const sent = withoutUnreadable(model, row, unavailable)
  const image = hideFields(sent, model, hidden)
  images.set(image, { transaction, sent })
  return image
}

/** The row, or a copy in which values throw that were not sent or cannot be shown. */
export function withoutUnreadable(
  model: string,
  row: AnyRow,
  unavailable: readonly string[] = NO_FIELDS,
): AnyRow {
  const failures = [
    ...unavailable.map((field) => [field, () => notSent(model, field)] as const),
    ...unrepresentableFields(row).map(
      ([field, { reason }]) => [field, () => unrepresentable(`${model}.${field}`, reason)] as const,
    ),
  ]
  if (failures.length === 0) return row
  const readable = { ...row }
  for (const [field, failureOf] of failures) {
    // Not enumerable, so that copying or printing the row does not throw.
    Object.defineProperty(readable, field, {
      enumerable: false,
      configurable: true,
      get() {
        throw failureOf()
      },
    })
  }
  return readable
}

function notSent(model: string, field: string): GraphQLError {
  return graphqlError(
    'GRAPHQL_VALUE_UNAVAILABLE',
    `PostgreSQL did not send ${model}.${field}: a large value that this UPDATE left as it was.`,
  )
}

const NO_FIELDS: readonly never[] = []

/** Asked for each image that is shown: most rows have none. */
function unrepresentableFields(row: AnyRow): readonly (readonly [string, UnrepresentableValue])[] {
  let fields: (readonly [string, UnrepresentableValue])[] | null = null
  for (const field in row) {
    const value = row[field]
    if (value instanceof UnrepresentableValue) fields = [...(fields ?? []), [field, value]]
  }
  return fields ?? NO_FIELDS
}

/** A copy of the image with more properties: loaded relations and counts. */
export function extendImage(image: AnyRow, properties: AnyRow): AnyRow {
  const extended: Record<string, unknown> = { ...image, ...properties }
  for (const name of Object.getOwnPropertyNames(image)) {
    const { get } = Object.getOwnPropertyDescriptor(image, name) ?? {}
    if (get !== undefined && !(name in extended))
      Object.defineProperty(extended, name, { enumerable: false, get })
  }
  images.set(extended, { transaction: transactionOf(image), sent: sentRow(image) })
  return extended
}
