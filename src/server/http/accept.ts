/** Stage 8, server. What a client accepts, and which of the answers there are it prefers. RFC 9110, section 12.5.1. */
import type { StreamFormat } from './result-stream-format.ts'

/** One part of an `Accept` header. */
export interface MediaRange {
  /** As in `text/event-stream`, lower case; parts of it may be `*`. */
  readonly type: string
  /** By their names in lower case; quotes are taken off. */
  readonly parameters: ReadonlyMap<string, string>
  /** From 0 (never) to 1. */
  readonly quality: number
}

/** How much a client wants one thing: the more, the first member that differs decides. */
type Preference = readonly [quality: number, isNamed: number, ahead: number]

const NEVER: Preference = [0, 0, 0]

/** Ranges of an `Accept` header; without one, everything. Only UTF-8 is spoken here. */
export function parseAccept(header: string | null | undefined): readonly MediaRange[] {
  const text = header?.trim() || '*/*'
  return text.split(',').flatMap((part) => {
    const [type = '', ...rest] = part.split(';').map((each) => each.trim())
    const parameters = new Map(rest.map(parseParameter))
    if ((parameters.get('charset')?.toLowerCase() ?? 'utf-8') !== 'utf-8') return []
    return type === '' ? [] : [{ type: type.toLowerCase(), parameters, quality: qualityOf(parameters) }]
  })
}

/** The format in which a client wants a stream; undefined where it takes none. Of equal ones, one that it names, then the one it names first. */
export function chooseFormat(
  ranges: readonly MediaRange[],
  formats: readonly StreamFormat[],
): StreamFormat | undefined {
  return prefer(formats, (format) => preferenceOfFormat(ranges, format))?.choice
}

/** The format that a client names, whatever it asks for; undefined where it names none. */
export function namedFormat(
  ranges: readonly MediaRange[],
  formats: readonly StreamFormat[],
): StreamFormat | undefined {
  const named = ranges.filter(({ type }) => !type.includes('*'))
  return chooseFormat(named, formats)
}

/** The media type, or the format of streams, in which a client wants one result; undefined where it takes none. Of equal ones, JSON. */
export function chooseAnswer(
  ranges: readonly MediaRange[],
  formats: readonly StreamFormat[],
): string | StreamFormat | undefined {
  const json = prefer(JSON_TYPES, (type) => preferenceOfType(ranges, type))
  const stream = prefer(formats, (format) => preferenceOfFormat(ranges, format))
  if (json === undefined) return stream?.choice
  return stream !== undefined && stream.preference[0] > json.preference[0] ? stream.choice : json.choice
}

/** https://graphql.github.io/graphql-over-http/draft/#sec-Media-Types: who names none of them gets the first. */
const JSON_TYPES = ['application/json', 'application/graphql-response+json'] as const

function parseParameter(text: string): [name: string, value: string] {
  const [name = '', value = ''] = text.split('=', 2).map((each) => each.trim())
  const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"')
  return [name.toLowerCase(), isQuoted ? value.slice(1, -1) : value]
}

/** What is no number between 0 and 1 says nothing. */
function qualityOf(parameters: ReadonlyMap<string, string>): number {
  const text = parameters.get('q')
  const quality = text === undefined || text === '' ? 1 : Number(text)
  return quality >= 0 && quality <= 1 ? quality : 1
}

/** A format with a parameter is taken by those alone who name it: others could not read it. */
function preferenceOfFormat(
  ranges: readonly MediaRange[],
  { mediaType, parameter }: StreamFormat,
): Preference {
  if (parameter === undefined) return preferenceOfType(ranges, mediaType)
  const [name, value] = parameter
  return preferenceAt(
    ranges,
    ranges.findIndex(({ type, parameters }) => type === mediaType && parameters.get(name) === value),
    true,
  )
}

/** By the range that is the most specific one for it. */
function preferenceOfType(ranges: readonly MediaRange[], mediaType: string): Preference {
  const [family = ''] = mediaType.split('/', 1)
  const indexes = [mediaType, `${family}/*`, '*/*'].map((name) =>
    ranges.findIndex(({ type }) => type === name),
  )
  const index = indexes.find((each) => each >= 0) ?? -1
  return preferenceAt(ranges, index, index === indexes[0])
}

function preferenceAt(ranges: readonly MediaRange[], index: number, isNamed: boolean): Preference {
  const range = ranges[index]
  return range === undefined ? NEVER : [range.quality, isNamed ? 1 : 0, -index]
}

function prefer<T>(choices: readonly T[], preferenceOf: (choice: T) => Preference) {
  let best: { readonly choice: T; readonly preference: Preference } | undefined
  for (const choice of choices) {
    const preference = preferenceOf(choice)
    if (preference[0] > 0 && (best === undefined || isMore(preference, best.preference)))
      best = { choice, preference }
  }
  return best
}

function isMore(one: Preference, other: Preference): boolean {
  const index = one.findIndex((value, at) => value !== other[at])
  return index >= 0 && (one[index] ?? 0) > (other[index] ?? 0)
}
