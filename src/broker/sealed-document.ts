/**
 * Beside the bus, broker. What the broker keeps beside the entries: JSON behind the version of its layout and a checksum.
 *
 *     2 0123abcd {"…":…}
 *
 * Whatever else stands at such a key was not written by rowcast, or was damaged; or it was written for another key, which the checksum
 * covers too.
 */
import { crc32 } from 'node:zlib'
import { RowcastError } from '../errors.ts'
import { jsonOf } from '../member-of.ts'

const VERSION = 4
const SEALED = /^(\d{1,4}) ([0-9a-f]{8}) /

/** Formats a document as it is kept at the key. */
export function sealDocument(content: object, key: string): string {
  const text = JSON.stringify(content)
  return `${VERSION} ${checksumOf(text, key)} ${text}`
}

/**
 * The content of a document of the key; null where the text is none of rowcast's, of another key, or was damaged.
 * @throws BROKER_ENTRY_UNREADABLE when a newer rowcast wrote it
 */
export function openDocument(text: string, key: string): unknown {
  const match = SEALED.exec(text)
  if (match === null) return null
  const version = Number(match[1])
  if (version > VERSION) {
    throw new RowcastError('BROKER_ENTRY_UNREADABLE', `The stream is described in version ${version}.`)
  }
  const content = text.slice(match[0].length)
  if (version !== VERSION || checksumOf(content, key) !== match[2]) return null
  return jsonOf(content)
}

function checksumOf(text: string, key: string): string {
  return crc32(text, crc32(key)).toString(16).padStart(8, '0')
}
