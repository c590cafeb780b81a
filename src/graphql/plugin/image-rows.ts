/**
 * Stage 7, graphql. Images: rows that came out of a change instead of a query. Resolvers see plain rows;
 * which of them are images is remembered beside them, because subscriptions share the row objects.
 */
import type { AnyRow, TransactionInfo } from '../../changes/change.ts'
import { graphqlError } from '../graphql-errors.ts'

const images = new WeakMap<object, TransactionInfo | null>()

/** Whether the row is the old or new row of a change. */
export function isImage(row: object): row is AnyRow {
  return images.has(row)
}

/** The transaction that an image is from, where it is known. */
export function transactionOf(image: AnyRow): TransactionInfo | null {
  return images.get(image) ?? null
}

/**
 * Marks a row of a change as an image. Where PostgreSQL left values out, a copy is returned in which
 * reading one of them throws: whoever asks for it gets an explanation instead of null.
 * @throws GRAPHQL_VALUE_UNAVAILABLE when such a value is read, not before.
 */
export function toImage(
  model: string,
  row: AnyRow,
  unavailable: readonly string[],
  transaction: TransactionInfo | null = null,
): AnyRow {
  const image = unavailable.length === 0 ? row : { ...row }
  for (const field of unavailable) {
    // Not enumerable, so that copying or printing the row does not throw.
    Object.defineProperty(image, field, {
      enumerable: false,
      get() {
        throw graphqlError(
          'GRAPHQL_VALUE_UNAVAILABLE',
          `PostgreSQL did not send ${model}.${field}: a large value that this UPDATE left as it was.`,
        )
      },
    })
  }
  images.set(image, transaction)
  return image
}

/** A copy of the image with more properties: loaded relations and counts. */
export function extendImage(image: AnyRow, properties: AnyRow): AnyRow {
  const extended: Record<string, unknown> = { ...image, ...properties }
  for (const name of Object.getOwnPropertyNames(image)) {
    const { get } = Object.getOwnPropertyDescriptor(image, name) ?? {}
    if (get !== undefined && !(name in extended))
      Object.defineProperty(extended, name, { enumerable: false, get })
  }
  images.set(extended, transactionOf(image))
  return extended
}
