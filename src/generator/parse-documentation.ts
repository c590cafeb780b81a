/**
 * Beside the spine, generator. `///` comments: the words go into the catalog and become GraphQL descriptions,
 * rowcast's own marker is taken out of them.
 */
import { RowcastError } from '../errors.ts'

/** A comment without rowcast's markers. */
export interface Documentation {
  /** The words that are left; null where there are none. */
  readonly text: string | null
  /** Whether `@rowcast.omit` was among them. */
  readonly isOmitted: boolean
}

const OMIT_MARKER = '@rowcast.omit'
/** Anything that looks like a marker of ours, so that a misspelt one cannot let a secret through. */
const ANY_MARKER = /@rowcast\b[^\s,;)]*/gi

/**
 * Parses the comment of `where` (`User.passwordHash`).
 * @throws GENERATOR_BAD_MARKER for a marker that is not exactly `@rowcast.omit`.
 */
export function parseDocumentation(comment: string | null | undefined, where: string): Documentation {
  if (comment === null || comment === undefined) return { text: null, isOmitted: false }
  let isOmitted = false
  const lines: string[] = []
  for (const line of comment.split(/\r?\n/)) {
    let hadMarker = false
    const words = line.replace(ANY_MARKER, (marker) => {
      if (marker.replace(/\.$/, '') !== OMIT_MARKER) {
        throw new RowcastError(
          'GENERATOR_BAD_MARKER',
          `The comment of ${where} has the unknown marker ${marker}.`,
        )
      }
      hadMarker = true
      return ''
    })
    isOmitted ||= hadMarker
    if (!hadMarker || words.trim() !== '') lines.push(words.trimEnd())
  }
  const text = lines.join('\n').trim()
  return { text: text === '' ? null : text, isOmitted }
}

/**
 * Parses the comment of something that cannot be omitted.
 * @throws GENERATOR_BAD_MARKER for any marker.
 */
export function parsePlainDocumentation(comment: string | null | undefined, where: string): string | null {
  const { text, isOmitted } = parseDocumentation(comment, where)
  if (isOmitted) {
    throw new RowcastError('GENERATOR_BAD_MARKER', `${OMIT_MARKER} has no effect on ${where}.`, {
      mend: 'Mark the fields that use it instead.',
    })
  }
  return text
}
