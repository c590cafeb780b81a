/**
 * Beside the spine, generator. `///` comments: the words go into the catalog and become GraphQL descriptions,
 * rowcast's own marker is taken out of them.
 */
import { isEnumValueName } from '../catalog/graphql-name.ts'
import { RowcastError } from '../errors.ts'

/** A comment without rowcast's markers. */
export interface Documentation {
  /** The words that are left; null where there are none. */
  readonly text: string | null
  /** Whether `@rowcast.omit` was among them. */
  readonly isOmitted: boolean
  /** What `@rowcast.name("…")` says; undefined where it is not among them. */
  readonly graphqlName?: string | undefined
  /** What `@rowcast.plural("…")` says, of a model. */
  readonly graphqlPlural?: string | undefined
}

const OMIT_MARKER = '@rowcast.omit'
const NAME_MARKER = /@rowcast\.(name|plural)\(\s*"([^"\r\n]*)"\s*\)/g
/** Anything that looks like a marker of ours, so that a misspelt one cannot let a secret through. */
const ANY_MARKER = /@rowcast\b[^\s,;)]*/gi

/**
 * Parses the comment of `where` (`User.passwordHash`).
 * @throws GENERATOR_BAD_MARKER for a marker that is not exactly `@rowcast.omit`, `@rowcast.name("…")` or, of a model, `@rowcast.plural("…")`.
 */
export function parseDocumentation(comment: string | null | undefined, where: string): Documentation {
  if (comment === null || comment === undefined) return { text: null, isOmitted: false }
  let isOmitted = false
  const chosen = new Map<string, string>()
  const lines: string[] = []
  for (const line of comment.split(/\r?\n/)) {
    let hadMarker = false
    const named = line.replace(NAME_MARKER, (_, kind: string, name: string) => {
      chosen.set(kind, checkedName(name, chosen.get(kind), where))
      hadMarker = true
      return ''
    })
    const words = named.replace(ANY_MARKER, (marker) => {
      if (marker.replace(/\.$/, '') !== OMIT_MARKER) {
        throw new RowcastError(
          'GENERATOR_BAD_MARKER',
          `The comment of ${where} has the unknown marker ${marker}.`,
        )
      }
      hadMarker = true
      isOmitted = true
      return ''
    })
    if (!hadMarker || words.trim() !== '') lines.push(words.trimEnd())
  }
  const text = lines.join('\n').trim()
  const [graphqlName, graphqlPlural] = [chosen.get('name'), chosen.get('plural')]
  return {
    ...{ text: text === '' ? null : text, isOmitted },
    ...(graphqlName === undefined ? {} : { graphqlName }),
    ...(graphqlPlural === undefined ? {} : { graphqlPlural }),
  }
}

function checkedName(name: string, before: string | undefined, where: string): string {
  if (before !== undefined)
    throw new RowcastError('GENERATOR_BAD_MARKER', `The comment of ${where} gives it two names.`)
  if (isEnumValueName(name)) return name
  throw new RowcastError('GRAPHQL_BAD_NAME', `The comment of ${where} calls it "${name}".`)
}

/** Parses the comment of a field or a relation. @throws GENERATOR_BAD_MARKER as above, and for `@rowcast.plural("…")` */
export function parseFieldDocumentation(comment: string | null | undefined, where: string): Documentation {
  const documentation = parseDocumentation(comment, where)
  if (documentation.graphqlPlural === undefined) return documentation
  throw new RowcastError('GENERATOR_BAD_MARKER', `@rowcast.plural has no effect on ${where}.`, {
    hint: 'Write it above a model: it names the query of its rows.',
  })
}

/**
 * Parses the comment of something that cannot be omitted.
 * @throws GENERATOR_BAD_MARKER for any marker but `@rowcast.name("…")`.
 */
export function parsePlainDocumentation(
  comment: string | null | undefined,
  where: string,
): Omit<Documentation, 'isOmitted'> {
  const { isOmitted, ...documentation } = parseFieldDocumentation(comment, where)
  if (isOmitted) {
    throw new RowcastError('GENERATOR_BAD_MARKER', `${OMIT_MARKER} has no effect on ${where}.`, {
      hint: 'Mark the fields that use it instead.',
    })
  }
  return documentation
}
