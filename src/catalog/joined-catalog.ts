/** Stage 3, catalog. The catalogs of several databases as one: names of models, enums and relations are those of one schema. */
import { RowcastError } from '../errors.ts'
import type { EnumSpec, FieldSpec, JoinTableSpec, ModelCatalog, ModelSpec } from './model-catalog.ts'
import { CATALOG_VERSION } from './parse-catalog.ts'

/** Catalogs by the names of their sources. */
export type Catalogs = Readonly<Record<string, ModelCatalog>>

/** All in one. @throws GRAPHQL_BAD_NAME where two have a model or an enum of the same name */
export function joinCatalogs(catalogs: Catalogs): ModelCatalog {
  const owners = new Map<string, string>()
  const joinTables: JoinTableSpec[] = []
  const models: Record<string, ModelSpec> = {}
  const enums: Record<string, EnumSpec> = {}
  for (const [source, catalog] of Object.entries(catalogs)) {
    for (const name of [...Object.keys(catalog.models), ...Object.keys(catalog.enums)]) {
      const other = owners.get(name)
      if (other !== undefined) throw sharedName(name, [other, source])
      owners.set(name, source)
    }
    for (const spec of Object.values<ModelSpec>(catalog.models)) {
      // Pairs of relations find each other by it.
      const relations = spec.relations.map((each) => ({
        ...each,
        relationName: `${source}.${each.relationName}`,
      }))
      models[spec.name] = { ...spec, relations }
    }
    Object.assign(enums, catalog.enums)
    joinTables.push(
      ...catalog.joinTables.map((each) => ({ ...each, relationName: `${source}.${each.relationName}` })),
    )
  }
  const scales = Object.values(catalogs).flatMap((catalog) => catalog['~moneyScale'] ?? [])
  const digits = Object.values(catalogs).flatMap((catalog) => catalog['~timeDigits'] ?? [])
  return {
    ...{ formatVersion: CATALOG_VERSION, models, enums, joinTables },
    ...(digits.length === 0 ? {} : { '~timeDigits': (field) => firstOf(digits, field) }),
    ...(scales.length === 0 ? {} : { '~moneyScale': () => Math.max(...scales.map((scale) => scale())) }),
    ...(Object.values(catalogs).some((catalog) => catalog['~alwaysRequired'] === true)
      ? { '~alwaysRequired': true }
      : {}),
  }
}

/** @throws never: it is the error of two sources that call something the same */
export function sharedName(name: string, sources: readonly string[]): RowcastError {
  const [first, second] = sources
  return new RowcastError(
    'GRAPHQL_BAD_NAME',
    `The sources ${first} and ${second} both call a model or an enum "${name}".`,
    {
      hint:
        `Give one of them another name: \`names: { ${name}: '…' }\` in its source of the config, ` +
        'or another name in its Prisma schema, with `@@map` for what the database calls it.',
    },
  )
}

/** The catalog with other names for models and enums; what is not in the map keeps its own. */
export function renameModels(catalog: ModelCatalog, names: ReadonlyMap<string, string>): ModelCatalog {
  const nameOf = (name: string) => names.get(name) ?? name
  const models = Object.values<ModelSpec>(catalog.models).map((spec): [string, ModelSpec] => {
    const name = nameOf(spec.name)
    const fields = spec.fields.map((field) =>
      field.kind === 'enum' ? { ...field, type: nameOf(field.type) } : field,
    )
    const relations = spec.relations.map((each) => ({ ...each, model: nameOf(each.model) }))
    const ofPrisma = name === spec.name ? {} : { prismaName: spec.prismaName ?? spec.name }
    return [name, { ...spec, ...ofPrisma, name, fields, relations }]
  })
  const enums = Object.values(catalog.enums).map((spec): [string, EnumSpec] => [
    nameOf(spec.name),
    { ...spec, name: nameOf(spec.name) },
  ])
  const joinTables = catalog.joinTables.map((each) => ({
    ...each,
    modelA: nameOf(each.modelA),
    modelB: nameOf(each.modelB),
  }))
  return { ...catalog, models: Object.fromEntries(models), enums: Object.fromEntries(enums), joinTables }
}

/** What the source says that has the field. */
function firstOf(digits: readonly DigitsOf[], field: FieldSpec): number | undefined {
  for (const of of digits) {
    const known = of(field)
    if (known !== undefined) return known
  }
  return undefined
}

type DigitsOf = NonNullable<ModelCatalog['~timeDigits']>
