/**
 * Beside the spine, client. Cursors that a server sends now and then in a ping, so that a subscription for which nothing
 * comes can be resumed later all the same. Each is for one subscription, known by a key that the client gave it.
 */
import type { ChangeClient } from './change-client.ts'

/** What a subscription's payload carries to get them. */
export interface BookmarkExtensions extends Record<string, unknown> {
  readonly rowcast: { readonly bookmarks: string }
}

let lastKey = 0

/** A key of one subscription, as its payload carries it. Servers that know nothing of it ignore it. */
export function createBookmarkExtensions(): BookmarkExtensions {
  lastKey += 1
  return { rowcast: { bookmarks: `bookmark ${lastKey}` } }
}

/** Reports each cursor that comes for the key: all that stands before it has come. Returns what ends that. */
export function watchBookmarks(
  client: ChangeClient,
  { rowcast }: BookmarkExtensions,
  report: (cursor: string) => void,
): () => void {
  if (client.on === undefined) return () => undefined
  return client.on('ping', (isReceived, ping) => {
    const sent = fieldOf(fieldOf(fieldOf(ping, 'rowcast'), 'bookmarks'), rowcast.bookmarks)
    if (isReceived && typeof sent === 'string') report(sent)
  })
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
