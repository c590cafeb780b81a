/** Stage 8, server. What a manifest of persisted documents looks like. Without graphql: a config is checked where nothing is served, too. */
import { memberOf } from '../../member-of.ts'
import type { PersistedManifest, PersistedQueryManifest } from '../limits/server-security.ts'

/** A document's name and text. */
export type NamedDocument = readonly [id: string, text: string]

/** Names and texts of a manifest of either form. */
export function documentsOf(manifest: PersistedManifest): readonly NamedDocument[] {
  if (isApollos(manifest)) return manifest.operations.map((one) => [one?.id, one?.body])
  return Object.entries(manifest)
}

function isApollos(manifest: PersistedManifest): manifest is PersistedQueryManifest {
  return Array.isArray(memberOf(manifest, 'operations'))
}

/** Null and lists are no manifests; neither is one whose names are ambiguous. */
export function isManifest(value: unknown): value is PersistedManifest {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const operations = memberOf(value, 'operations')
  if (operations !== undefined && !Array.isArray(operations)) return false
  if (Array.isArray(operations) && memberOf(value, 'version') !== 1) return false
  const documents = new Map<unknown, unknown>()
  for (const [id, text] of documentsOf(value as PersistedManifest)) {
    const isNamed = typeof id === 'string' && id !== '' && typeof text === 'string' && text !== ''
    if (!isNamed || (documents.get(id) ?? text) !== text) return false
    documents.set(id, text)
  }
  return true
}
