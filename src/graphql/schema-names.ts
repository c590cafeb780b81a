/**
 * Stage 7, graphql. All names of a schema that come from the catalog: types, inputs, fields, enums and their values, made
 * in one go, so that no two are the same whatever models and enums are called. The same catalog gives the same names.
 *
 * Who has a name first, keeps it:
 * 1. what is rowcast's or GraphQL's own (`Query`, `DateTime`, `Transition`; on the roots `changeCursor`, …),
 * 2. what was chosen, with `/// @rowcast.name("…")` or `names` of the config,
 * 3. models and enums: one whose name is taken is called `<name>Model` or `<name>Enum`,
 * 4. what rowcast makes for a model: `UserChange`, `UserInserted`, `UserWhere`, …, in the order of the models' names.
 */
import type { EnumSpec, ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { invariant, RowcastError } from '../errors.ts'
import { type ChangeTypeNames, changeTypeNames } from './change-type-names.ts'
import { asEnumValueName, asGraphqlName, camelCase, claimName, pluralOf } from './names.ts'
import { RESERVED_FIELDS, RESERVED_TYPES } from './reserved-names.ts'

/** Types of values that fields have filters for, beside the enums. */
const FILTERED_TYPES: readonly string[] = [
  ...['ID', 'String', 'Int', 'Float', 'Boolean', 'DateTime', 'Date', 'Time', 'BigInt', 'Decimal', 'JSON'],
  ...['Bytes', 'Address'],
]

/** Names on the roots. */
export interface RootFieldNames {
  readonly one: string
  readonly many: string
  readonly changed: string
  readonly liveList: string
  readonly liveTotals: string
}

/** All names of one model. */
export interface ModelNames extends ChangeTypeNames, RootFieldNames {
  /** Its object type. */
  readonly type: string
  /** Fields and relations by their names in Prisma. */
  readonly fields: ReadonlyMap<string, string>
  /** The same as values of the enum `field`. */
  readonly values: ReadonlyMap<string, string>
}

/** All names of one enum. */
export interface EnumNames {
  readonly type: string
  /** By their names in Prisma. */
  readonly values: ReadonlyMap<string, string>
}

/** All names of a schema, by those in Prisma. */
export interface SchemaNames {
  readonly models: ReadonlyMap<string, ModelNames>
  readonly enums: ReadonlyMap<string, EnumNames>
  /** Inputs that filter a field, by the name of the value's type; by `listKey` of it for lists. */
  readonly filters: ReadonlyMap<string, string>
}

type CatalogParts = Pick<ModelCatalog, 'models' | 'enums'>

const known = new WeakMap<CatalogParts, SchemaNames>()

/**
 * The names of a catalog's schema; made once for each catalog.
 * @throws GRAPHQL_BAD_NAME when two were given the same name, or one that is reserved.
 */
export function schemaNames(catalog: CatalogParts): SchemaNames {
  const names = known.get(catalog) ?? makeNames(catalog)
  known.set(catalog, names)
  return names
}

/** The names of one model. */
export function modelNames(catalog: CatalogParts, model: string): ModelNames {
  const names = schemaNames(catalog).models.get(model)
  invariant(names !== undefined, `Model ${model} is not in the catalog.`)
  return names
}

function makeNames(catalog: CatalogParts): SchemaNames {
  const models = Object.values<ModelSpec>(catalog.models).sort(byName)
  const enums = Object.values<EnumSpec>(catalog.enums).sort(byName)
  const taken = new Set(RESERVED_TYPES)
  const types = claimTypes(taken, models, enums)
  const filters = claimFilters(taken, enums, types)
  const roots = rootNames(models, types)
  return {
    filters,
    enums: new Map(
      enums.map((spec) => [
        spec.name,
        { type: types(spec), values: claimAll(spec.values, `${spec.name}.`, asEnumValueName) },
      ]),
    ),
    models: new Map(
      models.map((spec) => {
        const base = spec.graphqlName ?? asGraphqlName(spec.name)
        const root = roots.get(spec.name) ?? NO_ROOT_FIELDS
        const fields = claimAll([...spec.fields, ...spec.relations], `${spec.name}.`, asGraphqlName)
        const values = claimAll(spec.fields, `${spec.name}.`, asEnumValueName)
        return [
          spec.name,
          { type: types(spec), fields, values, ...root, ...changeTypeNames(taken, base, spec.relations) },
        ]
      }),
    ),
  }
}

/** Of a model that is not shown. */
const NO_ROOT_FIELDS: RootFieldNames = { one: '', many: '', changed: '', liveList: '', liveTotals: '' }

/** By code unit, as the generator sorts them. */
function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

/** Chosen names first, then those that GraphQL takes as they are, then the rest. */
function claimTypes(taken: Set<string>, models: readonly ModelSpec[], enums: readonly EnumSpec[]) {
  const wanted = [
    ...models.map((spec) => ({ spec, suffixes: ['Model', 'Row'] })),
    ...enums.map((spec) => ({ spec, suffixes: ['Enum', 'Value'] })),
  ]
  const names = new Map<ModelSpec | EnumSpec, string>()
  for (const { spec } of wanted) claimChosen(taken, names, { spec, name: spec.graphqlName, path: spec.name })
  const isPlain = ({ name }: { readonly name: string }) => asGraphqlName(name) === name
  for (const wave of [
    wanted.filter(({ spec }) => isPlain(spec)),
    wanted.filter(({ spec }) => !isPlain(spec)),
  ]) {
    const given = wave.filter(({ spec }) => !names.has(spec))
    for (const { spec } of given) {
      const name = asGraphqlName(spec.name)
      if (!taken.has(name)) names.set(spec, claimName(taken, [name]))
    }
    for (const { spec, suffixes } of given) {
      const candidates = suffixes.map((suffix) => `${asGraphqlName(spec.name)}${suffix}`)
      if (!names.has(spec)) names.set(spec, claimName(taken, candidates))
    }
  }
  return (spec: ModelSpec | EnumSpec) => names.get(spec) ?? spec.name
}

/** A name that somebody chose does not give way. */
function claimChosen<Spec>(
  taken: Set<string>,
  names: Map<Spec, string>,
  { spec, name, path }: { readonly spec: Spec; readonly name: string | undefined; readonly path: string },
): void {
  if (name === undefined) return
  if (taken.has(name)) {
    throw new RowcastError('GRAPHQL_BAD_NAME', `${path} is to be called "${name}", which is taken.`)
  }
  taken.add(name)
  names.set(spec, name)
}

function claimFilters(
  taken: Set<string>,
  enums: readonly EnumSpec[],
  typeOf: (spec: EnumSpec) => string,
): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  // Of an enum `StringList` and lists of String, which both want `StringListFilter`, the first has it.
  for (const type of [...FILTERED_TYPES, ...enums.map(typeOf)]) {
    names.set(type, claimName(taken, [`${type}Filter`]))
    names.set(listKey(type), claimName(taken, [`${type}ListFilter`]))
  }
  return names
}

/** Key of the filter of lists in `SchemaNames.filters`: no type is called so. */
export function listKey(typeName: string): string {
  return `[${typeName}]`
}

/** Only models that are shown have fields on the roots. */
function rootNames(
  models: readonly ModelSpec[],
  typeOf: (spec: ModelSpec) => string,
): ReadonlyMap<string, RootFieldNames> {
  const shown = models.filter((model) => !model.isOmitted)
  const taken = new Set(RESERVED_FIELDS)
  const changedTaken = new Set(RESERVED_FIELDS)
  const plurals = new Map<ModelSpec, string>()
  for (const spec of shown)
    claimChosen(taken, plurals, { spec, name: spec.graphqlPlural, path: `${spec.name}[]` })
  const baseOf = (spec: ModelSpec) => spec.graphqlName ?? asGraphqlName(spec.name)
  const ones = shown.map((spec) => {
    const base = baseOf(spec)
    return { spec, base, one: claimName(taken, [camelCase(base), base, camelCase(typeOf(spec))]) }
  })
  return new Map(
    ones.map(({ spec, base, one }) => [
      spec.name,
      {
        one,
        many: plurals.get(spec) ?? claimName(taken, [pluralOf(one), `${one}List`, `${base}List`]),
        changed: claimName(changedTaken, [`${one}Changed`]),
        liveList: claimName(changedTaken, [`${one}List`, `${one}LiveList`]),
        liveTotals: claimName(changedTaken, [`${one}Totals`, `${one}LiveTotals`]),
      },
    ]),
  )
}

/** Names within one type: chosen ones, then those that may stay as they are, then the rest. */
function claimAll(
  parts: readonly { readonly name: string; readonly graphqlName?: string | undefined }[],
  path: string,
  asName: (name: string) => string,
): ReadonlyMap<string, string> {
  const taken = new Set<string>()
  const names = new Map<(typeof parts)[number], string>()
  for (const part of parts)
    claimChosen(taken, names, { spec: part, name: part.graphqlName, path: `${path}${part.name}` })
  const isPlain = ({ name }: { readonly name: string }) => asName(name) === name
  for (const part of [...parts.filter(isPlain), ...parts.filter((each) => !isPlain(each))])
    if (!names.has(part)) names.set(part, claimName(taken, [asName(part.name)]))
  return new Map(parts.map((part) => [part.name, names.get(part) ?? part.name]))
}
