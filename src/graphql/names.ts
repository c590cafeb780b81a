/**
 * Stage 7, graphql. Names in the GraphQL schema, made from model names.
 *
 * - One row: the model in camel case (`User` → `user`, `APIKey` → `apiKey`).
 * - Many rows: its plural by the regular rules of English (`user` → `users`, `category` → `categories`,
 *   `address` → `addresses`); a name that is a plural already gets `List` (`settings` → `settingsList`).
 * - Changes: `userChanged`, of type `UserChange`: `UserInserted`, `UserUpdated`, `UserDeleted` or `UserTruncated`.
 * - A name that is taken gives way: to the model's own name for one row, to `<one>List` for many.
 */
import type { ModelCatalog } from '../catalog/model-catalog.ts'
import type { ChangeAction } from '../changes/change.ts'

/** Names that GraphQL or rowcast uses for types of its own. */
const RESERVED_TYPES: ReadonlySet<string> = new Set([
  ...['Query', 'Mutation', 'Subscription', 'ID', 'String', 'Int', 'Float', 'Boolean'],
  ...['DateTime', 'Date', 'Time', 'BigInt', 'Decimal', 'JSON', 'Bytes', 'Cursor'],
  ...['ChangeAction', 'ChangeTransaction', 'Transition', 'OverflowPolicy'],
])

/** Field names of one model. */
export interface ModelFieldNames {
  readonly one: string
  readonly many: string
  readonly changed: string
}

/** Type names of one model's change. */
export interface ChangeTypeNames {
  /** The interface. */
  readonly change: string
  /** What implements it. */
  readonly byAction: Readonly<Record<ChangeAction, string>>
  readonly key: string
  readonly old: string
  readonly field: string
}

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

/** Name of the subscription field when nothing else is said: `User` → `userChanged`. */
export function changedFieldName(model: string): string {
  return `${camelCase(model)}Changed`
}

/** Field names of all models, free of collisions whatever the models are called. */
export function modelFieldNames(models: readonly string[]): ReadonlyMap<string, ModelFieldNames> {
  const taken = new Set<string>()
  const ones = new Map<string, string>()
  for (const model of models) ones.set(model, claim(taken, [camelCase(model), model]))
  const names = new Map<string, ModelFieldNames>()
  for (const [model, one] of ones) {
    names.set(model, {
      one,
      many: claim(taken, [pluralOf(one), `${one}List`, `${model}List`]),
      changed: `${one}Changed`,
    })
  }
  return names
}

/** Name of the model's object type: its own, unless GraphQL or rowcast uses that. */
export function objectTypeName(catalog: ModelCatalog, model: string): string {
  return RESERVED_TYPES.has(model) ? claim(catalogNames(catalog), [`${model}Model`, `${model}Row`]) : model
}

/** Names of the types around one model's change: `UserChange`, `UserInserted`, …, `UserKey`, `UserOld`, `UserField`. */
export function changeTypeNames(catalog: ModelCatalog, model: string): ChangeTypeNames {
  const taken = catalogNames(catalog)
  return {
    change: claim(taken, [`${model}Change`, `${model}ChangeEvent`]),
    byAction: {
      INSERT: claim(taken, [`${model}Inserted`, `${model}InsertEvent`]),
      UPDATE: claim(taken, [`${model}Updated`, `${model}UpdateEvent`]),
      DELETE: claim(taken, [`${model}Deleted`, `${model}DeleteEvent`]),
      TRUNCATE: claim(taken, [`${model}Truncated`, `${model}TruncateEvent`]),
    },
    key: claim(taken, [`${model}Key`, `${model}PrimaryKey`]),
    old: claim(taken, [`${model}Old`, `${model}OldRow`]),
    field: claim(taken, [`${model}Field`, `${model}FieldName`]),
  }
}

/** What clients' caches take for the identity of an object: Apollo and Graphcache beside the type's name, Relay alone. */
const IDENTITY_NAMES: ReadonlySet<string> = new Set(['id', '_id'])

/**
 * The names of fields in a type that is no entity, by their names in the one that is: `id` becomes `rowId`, so that
 * no client merges the old row or the key of a change with the row as it is now.
 */
export function namesWithoutIdentity(fields: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set(fields)
  return new Map(fields.map((name) => [name, IDENTITY_NAMES.has(name) ? claim(taken, ['rowId']) : name]))
}

function catalogNames(catalog: ModelCatalog): Set<string> {
  return new Set([...RESERVED_TYPES, ...Object.keys(catalog.models), ...Object.keys(catalog.enums)])
}

/** The first free candidate, or the last with as many underscores as it takes. */
function claim(taken: Set<string>, candidates: readonly string[]): string {
  let name = candidates.find((candidate) => !taken.has(candidate)) ?? `${candidates.at(-1)}_`
  while (taken.has(name)) name += '_'
  taken.add(name)
  return name
}
