/** Stage 8, server. The manifest of persisted documents, read and looked through once, before the server takes anybody. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { GraphQLError, type GraphQLSchema, parse, validate } from 'graphql'
import { RowcastError } from '../../errors.ts'
import { memberOf } from '../../member-of.ts'
import type { PersistedDocumentsOptions, PersistedManifest } from '../limits/server-security.ts'
import { documentsOf, isManifest, type NamedDocument } from './manifest-form.ts'

/**
 * The documents that a server has, from its option or the file that this names.
 * @throws PERSISTED_MANIFEST_UNUSABLE where there is no such file, it has no manifest in it, a name is the hash of another text, or
 * the schema does not have what a document asks for.
 */
export function readDocuments(
  manifest: PersistedDocumentsOptions['manifest'],
  schema: GraphQLSchema,
): readonly NamedDocument[] {
  const isFile = typeof manifest === 'string' || manifest instanceof URL
  const documents = documentsOf(isFile ? readManifest(manifest) : manifest)
  const faults = documents.flatMap(([id, text]) => {
    const fault = hashFault(id, text) ?? documentFault(text, schema)
    return fault === null ? [] : [`${shown(id)} ${fault}`]
  })
  if (faults.length > 0) throw unusable(sentenceOf(faults))
  return documents
}

/** Faults that a message names; the rest is counted. */
const SHOWN = 3

function sentenceOf(faults: readonly string[]): string {
  const others = faults.length - SHOWN
  return `The manifest has documents that cannot be run: ${faults.slice(0, SHOWN).join('; ')}${others > 0 ? `; and ${others} more` : ''}.`
}

function readManifest(file: string | URL): PersistedManifest {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw unusable(`The manifest ${file} cannot be read (${String(memberOf(cause, 'code'))}).`, cause)
  }
  let value: unknown
  try {
    // Some editors write a mark of the byte order in front.
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (cause) {
    throw unusable(`The manifest ${file} is no JSON.`, cause)
  }
  if (!isManifest(value))
    throw unusable(
      `The manifest ${file} has neither the form { "<hash>": "<document>" } nor that of Apollo's tools.`,
    )
  return value
}

/** How a name shows which hash it is: by its length in hexadecimal digits. 32 are no MD5 for sure: a UUID without dashes has as many. */
const HASHES: Readonly<Record<number, string>> = { 40: 'sha1', 64: 'sha256' }

/** Names need not be hashes. One that looks like the hash of its text is trusted to be it, by clients and by whoever reads a log. */
function hashFault(id: string, text: string): string | null {
  const [, said, hex = ''] = /^(?:(sha256):)?([0-9a-f]+)$/i.exec(id) ?? []
  const algorithm = said?.toLowerCase() ?? HASHES[hex.length]
  if (hex === '' || algorithm === undefined) return null
  const isOfText = createHash(algorithm).update(text).digest('hex') === hex.toLowerCase()
  return isOfText ? null : `is not the ${algorithm} of its text`
}

function documentFault(text: string, schema: GraphQLSchema): string | null {
  try {
    const [error] = validate(schema, parse(text))
    return error === undefined ? null : `is not valid: ${error.message}`
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    return `is no GraphQL: ${error.message}`
  }
}

/** Names are clients' own words: short, and on one line. */
const shown = (id: string) => JSON.stringify(id.length > 80 ? `${id.slice(0, 80)}…` : id)

function unusable(message: string, cause?: unknown): RowcastError {
  return new RowcastError('PERSISTED_MANIFEST_UNUSABLE', message, { cause })
}
