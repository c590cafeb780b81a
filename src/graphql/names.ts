/**
 * Stage 7, graphql. Words of the GraphQL schema: how one name is made from another. Which names a schema has, and who
 * gives way where two want the same, is decided in schema-names.ts.
 *
 * - One row: the model in camel case (`User` → `user`, `APIKey` → `apiKey`).
 * - Many rows: its plural by the regular rules of English (`user` → `users`, `category` → `categories`,
 *   `address` → `addresses`); a name that is a plural already gets `List` (`settings` → `settingsList`).
 * - Letters beyond ASCII lose their marks (`größe` → `grosse`), or become their code (`名` → `u540d`).
 */
import { isEnumValueName, isGraphqlName } from '../catalog/graphql-name.ts'

/** `User` → `user`, `APIKey` → `apiKey`, `URL` → `url`. */
export function camelCase(model: string): string {
  const [capitals = ''] = /^[A-Z]*/.exec(model) ?? []
  const next = model.charAt(capitals.length)
  // The last of several capitals before a small letter begins the next word.
  const isWordNext = capitals.length > 1 && next >= 'a' && next <= 'z'
  const count = isWordNext ? capitals.length - 1 : capitals.length
  return model.slice(0, count).toLowerCase() + model.slice(count)
}

/** Regular English plural of a name; names that end like a plural get `List`. */
export function pluralOf(name: string): string {
  if (/(ss|us|is|x|z|ch|sh)$/i.test(name)) return `${name}es`
  if (/s$/i.test(name)) return `${name}List`
  if (/[^aeiou]y$/i.test(name)) return `${name.slice(0, -1)}ies`
  return `${name}s`
}

/** What clients' caches take for the identity of an object: Apollo and Graphcache beside the type's name, Relay alone. */
const IDENTITY_NAMES: ReadonlySet<string> = new Set(['id', '_id'])

/**
 * The names of fields in a type that is no entity, by their names in the one that is: `id` becomes `rowId`, so that
 * no client merges the old row or the key of a change with the row as it is now.
 */
export function namesWithoutIdentity(fields: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set(fields)
  return new Map(fields.map((name) => [name, IDENTITY_NAMES.has(name) ? claimName(taken, ['rowId']) : name]))
}

/** The first free candidate, or the last with as many underscores as it takes; taken from then on. */
export function claimName(taken: Set<string>, candidates: readonly string[]): string {
  let name = candidates.find((candidate) => !taken.has(candidate)) ?? `${candidates.at(-1)}_`
  while (taken.has(name)) name += '_'
  taken.add(name)
  return name
}

/** Letters that Unicode does not take apart. */
const LATIN: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', ẞ: 'SS', æ: 'ae', Æ: 'AE', œ: 'oe', Œ: 'OE', ø: 'o', Ø: 'O', ł: 'l', Ł: 'L' },
  ...{ đ: 'd', Đ: 'D', ð: 'd', Ð: 'D', þ: 'th', Þ: 'Th', ı: 'i' },
}

/** The nearest name that GraphQL takes; the same name where it takes that. */
export function asGraphqlName(name: string): string {
  if (isGraphqlName(name)) return name
  const letters = [...name.normalize('NFKD').replace(/\p{M}/gu, '')].map((letter) => {
    if (/\w/.test(letter)) return letter
    return LATIN[letter] ?? (/\p{L}|\p{N}/u.test(letter) ? `u${letter.codePointAt(0)?.toString(16)}` : '_')
  })
  const text = letters.join('').replace(/^__+/, '_')
  return /^\d/.test(text) || text === '' ? `_${text}` : text
}

/** The same for a value of an enum: `true` → `true_`. */
export function asEnumValueName(name: string): string {
  const text = asGraphqlName(name)
  return isEnumValueName(text) ? text : `${text}_`
}
