/**
 * Stage 7, graphql. Fields that look like secrets: they are not in the schema unless somebody says that they may be.
 * A field that is shown by mistake cannot be taken back; one that is missing is noticed at once.
 */
import type { FieldSpec, ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyModelPolicy } from './model-policy.ts'
import { isSecretName, wordsOf } from './secret-names.ts'

/** Types that hold secrets; a `passwordChangedAt` or a `tokenCount` is none. */
const SECRET_TYPES: ReadonlySet<string> = new Set(['String', 'Bytes', 'Json'])

/** Whether a field looks like a secret, by its name, its type and its model. */
export function looksSecret(
  { name, type, kind }: Pick<FieldSpec, 'name' | 'type' | 'kind'>,
  model?: string | undefined,
): boolean {
  if (kind !== 'scalar' || !SECRET_TYPES.has(type)) return false
  // What signing in has left behind is not listed by anybody.
  const [first = ''] = wordsOf(name)
  return isSecretName({ name, model }) || (type === 'Json' && SECRET_DOCUMENTS.has(first))
}

/** Words that documents about signing in, and sets of keys, begin with. */
const SECRET_DOCUMENTS: ReadonlySet<string> = new Set(['auth', 'authentication', 'keys'])

/** Visible fields of the model that look like secrets and are not exposed. */
export function secretFields(
  model: ModelSpec,
  { expose = [] }: Pick<AnyModelPolicy, 'expose'>,
): readonly string[] {
  return model.fields
    .filter((field) => !field.isOmitted && !expose.includes(field.name) && looksSecret(field, model.name))
    .map((field) => field.name)
}

/** All that the policy keeps out of the schema, beside what is marked `@rowcast.omit`. */
export function omittedNames(model: ModelSpec, policy: AnyModelPolicy): readonly string[] {
  return [...new Set([...(policy.omit ?? []), ...secretFields(model, policy)])]
}
