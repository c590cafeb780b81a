/**
 * Stage 4, changes. Whose change it was: what a transaction says of itself, as JSON in one logical message that stands
 * before its first change of a row. Whoever may write to the database may say anything: it is bounded and checked, and one
 * that cannot be read is none.
 * Source: PostgreSQL manual, "Replication Management Functions", pg_logical_emit_message.
 */
import { isJsonTextDeeper } from '../catalog/values/json-depth.ts'
import type { Logger } from '../logger.ts'
import { isThenable, type MetadataSchema } from '../metadata-schema.ts'

/** Prefix of the message. */
export const METADATA_PREFIX = 'rowcast.metadata'
/** Largest message that is read, in bytes of JSON. */
export const METADATA_BYTES_MAX = 8_192
/** Levels of lists and objects within each other. */
export const METADATA_DEPTH_MAX = 32
/** Each write could have one that cannot be read: a log line says so at most once in so long. */
const LOG_INTERVAL_MS = 60_000

/** Metadata where no validator says what it is. */
export type TransactionMetadata = Readonly<Record<string, unknown>>

/** Bytes of a message → metadata; null for what cannot be read. Never throws. */
export type MetadataReader = (content: Uint8Array) => unknown

/** What a reader is made of. */
export interface MetadataReaderOptions {
  readonly schema?: MetadataSchema | undefined
  readonly logger: Logger
  /** In milliseconds, ascending. */
  readonly now: () => number
}

/** Where nobody says what metadata is: any object of JSON. */
export const readAnyMetadata: MetadataReader = (content) => readMetadata(content).metadata ?? null

/** What became of a message. Why never holds what was in it. */
export type MetadataReading =
  | { readonly metadata: unknown; readonly fault?: undefined }
  | { readonly metadata?: undefined; readonly fault: string }

/** Creates a reader that logs what it cannot read. */
export function createMetadataReader({ schema, logger, now }: MetadataReaderOptions): MetadataReader {
  let loggedAtMs = Number.NEGATIVE_INFINITY
  let unlogged = 0
  return (content) => {
    const { metadata, fault } = readMetadata(content, schema)
    if (fault === undefined) return metadata
    unlogged += 1
    if (now() - loggedAtMs >= LOG_INTERVAL_MS) {
      loggedAtMs = now()
      logger.warn(`Metadata of a transaction ${fault}: its changes have none.`, { transactions: unlogged })
      unlogged = 0
    }
    return null
  }
}

/** Reads one message. */
export function readMetadata(content: Uint8Array, schema?: MetadataSchema): MetadataReading {
  if (content.length > METADATA_BYTES_MAX) return { fault: `has more than ${METADATA_BYTES_MAX} bytes` }
  let value: unknown
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(content)
    if (isJsonTextDeeper(text, METADATA_DEPTH_MAX))
      return { fault: `is nested more than ${METADATA_DEPTH_MAX} levels deep` }
    value = JSON.parse(text)
  } catch {
    return { fault: 'is not JSON in UTF-8' }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { fault: 'is no object' }
  return schema === undefined ? { metadata: frozen(value) } : validated(value, schema)
}

function validated(value: unknown, schema: MetadataSchema): MetadataReading {
  try {
    const result = schema['~standard'].validate(value)
    if (isThenable(result)) {
      // Nobody waits for it; what it rejects with must not end the process.
      result.then(undefined, () => {})
      return { fault: 'is checked by a validator that answers with a promise' }
    }
    return result.issues ? { fault: 'is not what the validator takes' } : { metadata: frozen(result.value) }
  } catch {
    return { fault: 'made the validator throw' }
  }
}

/** All changes and subscribers share it: nobody changes it for the others. */
function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value
  Object.freeze(value)
  for (const member of Object.values(value)) frozen(member)
  return value
}
