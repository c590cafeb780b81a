/** What reads text of others looks at each character a bounded number of times, however the text repeats itself. */
import { describe, expect, it } from 'vitest'
import { parseAddress } from '../src/bus/filter/network-address.ts'
import { NUMBER_DOMAINS } from '../src/bus/filter/number-domains.ts'
import { TEXT_DOMAINS } from '../src/bus/filter/text-domains.ts'
import { parseArrayText } from '../src/catalog/values/array-text.ts'
import { cutSuggestion, isFilterShorthand } from '../src/graphql/graphql-sentences.ts'
import { SCALARS } from '../src/graphql/scalars.ts'
import { redactText } from '../src/redact-log.ts'
import { countTextWork } from './support/count-text-work.ts'

const { char, citext } = { char: TEXT_DOMAINS.byNativeType.Char, citext: TEXT_DOMAINS.byNativeType.Citext }

const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  redactText,
  cutSuggestion,
  isFilterShorthand,
  parseAddress,
  char: (text) => char.normalize(text),
  citext: (text) => citext.normalize(text),
  uuid: (text) => TEXT_DOMAINS.byNativeType.Uuid.parse(text),
  decimal: (text) => NUMBER_DOMAINS.byType.Decimal.parse(text),
  bigInt: (text) => NUMBER_DOMAINS.byType.BigInt.parse(text),
  array: (text) => parseArrayText(`{${text}}`, (element) => element),
  ...Object.fromEntries(
    Object.entries(SCALARS).map(([name, scalar]) => [
      `scalar ${name}`,
      (text: string) => {
        try {
          return scalar.parseValue(text)
        } catch {
          return null
        }
      },
    ]),
  ),
}

/** What backtracking likes: the beginnings of what is looked for, never finished. */
const REPEATED = [
  ...[
    'a',
    ' ',
    '1',
    '1.',
    '.',
    ':',
    '::',
    '1:',
    'f:',
    '/',
    '@',
    '"',
    "'",
    '\\',
    '{',
    '}',
    ',',
    '(',
    ')',
    '\n',
    '=',
  ],
  ...['Did you mean ', '?', 'Did you mean ?', 'a://', 'a-', 'a://b@', '://', 'x://USER:PASSWORD@'],
  ...[
    'password=',
    'password="',
    "password='",
    'password="\\',
    'token : ',
    'cookie:',
    'authorization',
    'bearer ',
  ],
  ...['bearer x', 'Key (', ')=(', 'Key (a)=(', 'row contains (', 'api_key', 'secret', 'pass="', 'basic \n'],
  ...['0000-', '{0000', '2020-01-01T00:00:00.0', 'Expected type "', 'Expected value of type "', '", found '],
]
const ENDS = ['', '!', '@', '"', '?', ')', 'x']
const COUNT = 2_000

describe.each(Object.entries(READERS))('%s', (_name, read) => {
  it('works in proportion to its text', () => {
    for (const piece of REPEATED) {
      for (const end of ENDS) {
        const text = piece.repeat(COUNT) + end
        const work = countTextWork(() => read(text))
        // Some twenty passes; one that looks back at each piece would be at a thousand.
        expect(work / text.length, JSON.stringify(piece + end)).toBeLessThan(25)
      }
    }
  })
})

describe('the measure', () => {
  it('sees work that grows faster than the text', () => {
    const quadratic = (text: string) => [...text].map((_, at) => text.indexOf('!', at))
    expect(countTextWork(() => quadratic('a'.repeat(1_000))) / 1_000).toBeGreaterThan(400)
    const regular = /x(?=.)/g
    expect(countTextWork(() => 'x'.repeat(1_000).replace(regular, ''))).toBeGreaterThan(900)
  })
})
