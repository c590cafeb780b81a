import { describe, expect, test } from 'vitest'
import {
  parseDocumentation,
  parseFieldDocumentation,
  parsePlainDocumentation,
} from '../../src/generator/parse-documentation.ts'

describe('parseDocumentation', () => {
  test.each([
    [undefined, null, false],
    ['', null, false],
    ['Plain words.', 'Plain words.', false],
    ['@rowcast.omit', null, true],
    ['Above.\n@rowcast.omit\nBelow.', 'Above.\nBelow.', true],
    ['@rowcast.omit\nBelow.', 'Below.', true],
    ['A secret. @rowcast.omit', 'A secret.', true],
    ['A secret, @rowcast.omit.', 'A secret,', true],
    ['First paragraph.\n\nSecond.\n@rowcast.omit', 'First paragraph.\n\nSecond.', true],
    ['Write to ada@rowcaster.example', 'Write to ada@rowcaster.example', false],
  ])('%j', (comment, text, isOmitted) => {
    expect(parseDocumentation(comment, 'User.secret')).toEqual({ text, isOmitted })
  })

  test('a chosen name', () => {
    const parsed = parseDocumentation('Tall. @rowcast.name( "height" )\n@rowcast.omit', 'User.größe')
    expect(parsed).toEqual({ text: 'Tall.', isOmitted: true, graphqlName: 'height' })
    for (const name of ['', 'a b', '__x', 'größe', 'true', '1a'])
      expect(() => parseDocumentation(`@rowcast.name("${name}")`, 'A.b')).toThrow(/GRAPHQL_BAD_NAME/)
    const twice = '@rowcast.name("a") @rowcast.name("b")'
    expect(() => parseDocumentation(twice, 'A.b')).toThrow(/GENERATOR_BAD_MARKER.*two names/)
  })

  test('a chosen plural, of a model alone', () => {
    const parsed = parseDocumentation('@rowcast.name("Person") @rowcast.plural("people")\nAll.', 'model User')
    expect(parsed).toEqual({ text: 'All.', isOmitted: false, graphqlName: 'Person', graphqlPlural: 'people' })
    for (const parse of [parseFieldDocumentation, parsePlainDocumentation])
      expect(() => parse('@rowcast.plural("people")', 'User.name')).toThrow(
        /GENERATOR_BAD_MARKER.*no effect on User\.name/,
      )
  })

  test.each([
    '@rowcast.name',
    '@rowcast.plural',
    '@rowcast.omitt',
    '@rowcast.Omit',
    '@Rowcast.omit',
    '@rowcast',
    '@rowcast:omit',
    '@rowcast.hide',
  ])('the misspelt marker %s is refused, so that nothing slips into GraphQL', (marker) => {
    expect(() => parseDocumentation(`Hash.\n${marker}`, 'User.secret')).toThrow(
      `[GENERATOR_BAD_MARKER] The comment of User.secret has the unknown marker ${marker}.`,
    )
  })
})

describe('parsePlainDocumentation', () => {
  test('words pass, a marker is refused', () => {
    expect(parsePlainDocumentation('Words.', 'enum Role')).toEqual({ text: 'Words.' })
    const named = 'Words.\n@rowcast.name("Roles")'
    expect(parsePlainDocumentation(named, 'enum Role')).toEqual({ text: 'Words.', graphqlName: 'Roles' })
    expect(() => parsePlainDocumentation('@rowcast.omit', 'enum Role')).toThrow(
      '[GENERATOR_BAD_MARKER] @rowcast.omit has no effect on enum Role.',
    )
  })
})
