/**
 * Stage 7, graphql. Fields that look like secrets: they are not in the schema unless somebody says that they may be.
 * A field that is shown by mistake cannot be taken back; one that is missing is noticed at once.
 */
import type { FieldSpec, ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyModelPolicy } from './model-policy.ts'

/** Words of a name that make it look secret. */
const SECRET_WORDS: ReadonlySet<string> = new Set([
  ...['password', 'passwd', 'pwd', 'passphrase', 'passcode', 'secret', 'secrets', 'token', 'tokens'],
  ...['credential', 'credentials', 'salt', 'otp', 'totp'],
])
/** Pairs of words that do. */
const SECRET_PAIRS: ReadonlySet<string> = new Set([
  ...[
    'api key',
    'private key',
    'access key',
    'signing key',
    'encryption key',
    'recovery code',
    'recovery codes',
  ],
])
/** Types that hold secrets; a `passwordChangedAt` or a `tokenCount` is none. */
const SECRET_TYPES: ReadonlySet<string> = new Set(['String', 'Bytes', 'Json'])

/** Whether a field looks like a secret, by the words of its name and its type. */
export function looksSecret({ name, type, kind }: Pick<FieldSpec, 'name' | 'type' | 'kind'>): boolean {
  if (kind !== 'scalar' || !SECRET_TYPES.has(type)) return false
  const words = wordsOf(name)
  return words.some(
    (word, index) => SECRET_WORDS.has(word) || SECRET_PAIRS.has(`${word} ${words[index + 1] ?? ''}`),
  )
}

/** Visible fields of the model that look like secrets and are not exposed. */
export function secretFields(
  model: ModelSpec,
  { expose = [] }: Pick<AnyModelPolicy, 'expose'>,
): readonly string[] {
  return model.fields
    .filter((field) => !field.isOmitted && !expose.includes(field.name) && looksSecret(field))
    .map((field) => field.name)
}

/** All that the policy keeps out of the schema, beside what is marked `@rowcast.omit`. */
export function omittedNames(model: ModelSpec, policy: AnyModelPolicy): readonly string[] {
  return [...new Set([...(policy.omit ?? []), ...secretFields(model, policy)])]
}

/** `resetToken`, `RESET_TOKEN`, `HTTPToken2` → reset token, reset token, http token 2. */
function wordsOf(name: string): readonly string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .replace(/(\D)(\d)/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
}
