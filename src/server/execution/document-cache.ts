/** Stage 8, server. Documents that are kept parsed, and errors of those that could not be, bounded in bytes. */
import type { DocumentNode } from 'graphql'
import { WeighedCache } from './weighed-cache.ts'

const DOCUMENTS_BYTES_MAX = 16 * 1024 * 1024
const ERRORS_BYTES_MAX = 1024 * 1024

/** An entry's own objects. */
const ENTRY_BYTES = 2_048
/** A token with its node and its location; measured with graphql 16: 240 to 490 bytes. */
const TOKEN_BYTES = 512
/** A UTF-16 unit; the text is the entry's key. */
const CHARACTER_BYTES = 2

/** The caches of one server, as Yoga takes them. */
export interface DocumentCaches {
  readonly documentCache: WeighedCache<DocumentNode>
  readonly errorCache: WeighedCache<Error>
}

export function createDocumentCaches(): DocumentCaches {
  return {
    documentCache: new WeighedCache({
      bytesMax: DOCUMENTS_BYTES_MAX,
      weigh: (text, document) =>
        ENTRY_BYTES + text.length * CHARACTER_BYTES + countTokens(document) * TOKEN_BYTES,
    }),
    errorCache: new WeighedCache({
      bytesMax: ERRORS_BYTES_MAX,
      weigh: (text) => ENTRY_BYTES + text.length * CHARACTER_BYTES,
    }),
  }
}

/** Tokens of a document, comments included, which graphql-js keeps and does not count. */
export function countTokens(document: DocumentNode): number {
  let count = 0
  for (let token = document.loc?.startToken ?? null; token !== null; token = token.next) count += 1
  return count
}
