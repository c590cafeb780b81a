/**
 * Stage 8, server. The text of a document that a request over HTTP names. Apart from the documents themselves: options name those, and the types of
 * options name nothing that is bundled.
 */
import { memberOf } from '../../member-of.ts'
import type { PipelinePlugin } from '../session/connection-state.ts'
import type { PersistedDocuments } from './persisted-documents.ts'

/** Of requests over HTTP and its streams. */
export function createDocumentResolver(documents: PersistedDocuments): PipelinePlugin {
  return {
    onParams({ request, params, setParams }) {
      // What is no object is refused next.
      if (typeof params !== 'object' || params === null || Array.isArray(params)) return
      const documentId = memberOf(params, 'documentId') ?? idOfUrl(request)
      const query = documents.textOf({ ...params, documentId })
      // What has neither a name nor a text is answered as anywhere else.
      if (query !== undefined && query !== params.query) setParams({ ...params, query })
    },
  }
}

/** Yoga reads the parameters of a URL that it knows. */
function idOfUrl({ method, url }: Request): string | undefined {
  if (method !== 'GET' || !url.includes('documentId=')) return undefined
  return new URL(url).searchParams.get('documentId') ?? undefined
}
