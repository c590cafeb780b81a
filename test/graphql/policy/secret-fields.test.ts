import { expect, it } from 'vitest'
import { looksSecret, omittedNames, secretFields } from '../../../src/graphql/policy/secret-fields.ts'
import { blogModel } from '../blog-catalog.ts'

const text = (name: string) => looksSecret({ name, type: 'String', kind: 'scalar' })

it.each(
  'password passwordHash password_hash PASSWORD resetToken accessToken tokenHash HTTPToken token2 clientSecret secrets apiKey api_key privateKeyPem salt otp totpSeed recoveryCodes credentials displayPassword partialPassword passwordLast4 display_passphrase'.split(
    ' ',
  ),
)('%s looks like a secret', (name) => expect(text(name)).toBe(true))

it.each(
  'name tokenizer secretary keyboard apiVersion publicKey hashtag assault email maskedPassword partialSecret displaySecretKey partialToken'.split(
    ' ',
  ),
)('%s does not', (name) => expect(text(name)).toBe(false))

it.each([
  ['passwordChangedAt', 'DateTime', 'scalar'],
  ['tokenCount', 'Int', 'scalar'],
  ['hasPassword', 'Boolean', 'scalar'],
  ['token', 'TokenKind', 'enum'],
] as const)('%s of type %s holds none', (name, type, kind) => {
  expect(looksSecret({ name, type, kind })).toBe(false)
})

it('leaves them out unless they are exposed, and what is omitted in any case', () => {
  const [first, ...others] = blogModel('User').fields
  if (first === undefined) throw new Error('The blog’s users have no fields.')
  const model = { ...blogModel('User'), fields: [first, { ...first, name: 'inviteToken' }, ...others] }
  expect(secretFields(model, {})).toEqual(['inviteToken'])
  expect(secretFields(model, { expose: ['inviteToken'] })).toEqual([])
  expect(omittedNames(model, { omit: ['bio'] })).toEqual(['bio', 'inviteToken'])
  expect(omittedNames(model, { omit: ['bio'], expose: ['inviteToken'] })).toEqual(['bio'])
})
