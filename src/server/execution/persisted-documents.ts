/**
 * Stage 8, server. Documents that clients name by their hash instead of sending them, and a server that runs no others. The same on
 * every transport: whoever has a request asks here for its text before anything else looks at it.
 */
import { type CodesWith, RowcastError } from '../../errors.ts'
import { OWN_DOCUMENTS } from '../../graphql/own-documents.ts'
import { memberOf } from '../../member-of.ts'
import type { NamedDocument } from './manifest-form.ts'

/** What a request says of its document. */
export interface DocumentRequest {
  readonly query?: unknown
  /** https://github.com/graphql/graphql-over-http, appendix "Persisted Documents"; GraphQL Code Generator's clients. */
  readonly documentId?: unknown
  /** `persistedQuery.sha256Hash` is Apollo's; a text under `persistedQuery` is that of graphql-ws' manual. */
  readonly extensions?: unknown
}

/** Why a document is not run. */
export type DocumentRefusal = CodesWith<{ refusesDocument: true }>

/** Notified of each refusal. */
export type OnDocumentRefused = (why: DocumentRefusal) => void

/** The documents of one server. */
export class PersistedDocuments {
  /** Whether clients can name documents at all. */
  readonly hasManifest: boolean
  readonly #byId: ReadonlyMap<string, string>
  /** The same text counts as its name: not every client can send names. Null: any text does. */
  readonly #allowed: ReadonlySet<string> | null
  readonly #onRefused: OnDocumentRefused

  /** Without documents there is no manifest, and whatever has a text is run. */
  constructor(
    documents: readonly NamedDocument[] | null,
    { onlyPersisted, onRefused }: { readonly onlyPersisted: boolean; readonly onRefused: OnDocumentRefused },
  ) {
    this.hasManifest = documents !== null
    this.#byId = new Map(documents)
    this.#allowed =
      documents !== null && onlyPersisted ? new Set([...this.#byId.values(), ...OWN_DOCUMENTS]) : null
    this.#onRefused = onRefused
  }

  /**
   * The text to run; undefined where the request has neither text nor name. A name counts before a text, so that what runs is
   * what the manifest says.
   * @throws PERSISTED_QUERY_NOT_FOUND, PERSISTED_QUERY_NOT_SUPPORTED, QUERY_NOT_PERSISTED
   */
  textOf(request: DocumentRequest): string | undefined {
    const id = idOf(request)
    const named = id === null ? undefined : this.#textById(id)
    if (named !== undefined) return named
    const { query } = request
    if (typeof query === 'string' && query !== '') {
      if (this.#allowed === null || this.#allowed.has(query)) return query
      this.#onRefused('QUERY_NOT_PERSISTED')
      throw new RowcastError('QUERY_NOT_PERSISTED', 'The document is none of those that the server runs.')
    }
    if (id === null) return undefined
    const why = this.hasManifest ? 'PERSISTED_QUERY_NOT_FOUND' : 'PERSISTED_QUERY_NOT_SUPPORTED'
    this.#onRefused(why)
    throw new RowcastError(
      why,
      this.hasManifest ? 'The server has no document of this name.' : 'The server has no names of documents.',
    )
  }

  /** Names may say by which function they were made, in the manifest as well as in the request. */
  #textById(id: string): string | undefined {
    const other = id.startsWith(SHA256) ? id.slice(SHA256.length) : SHA256 + id
    return this.#byId.get(id) ?? this.#byId.get(other)
  }
}

const SHA256 = 'sha256:'

function idOf({ documentId, extensions }: DocumentRequest): string | null {
  const persisted = memberOf(extensions, 'persistedQuery')
  const ids = [documentId, persisted, memberOf(persisted, 'sha256Hash')]
  return ids.find((id): id is string => typeof id === 'string' && id !== '') ?? null
}
