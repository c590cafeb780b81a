/** The `names` of the config file: what models, enums, fields and values are called in GraphQL. */
import { isEnumValueName } from '../catalog/graphql-name.ts'
import type { EnumSpec, ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { nearestName } from '../nearest-name.ts'
import { shownValue } from '../printable.ts'
import type { Faults } from './config-faults.ts'

/** `User`, `User[]` (the query of its rows), `User.email`, `Role`, `Role.ADMIN` → the name in GraphQL. */
export type ChosenNames = Readonly<Record<string, string>>

/** The catalog with the chosen names in it; they count before those of the Prisma schema's comments. */
export function withChosenNames(
  catalog: ModelCatalog,
  value: ChosenNames | undefined,
  faults: Faults,
): ModelCatalog {
  if (value === undefined) return catalog
  const known = pathsOf(catalog)
  const usable: Record<string, string> = {}
  for (const [path, name] of Object.entries(value)) {
    if (!known.has(path)) {
      const nearest = nearestName(path, [...known])
      const hint = nearest === null ? 'Name models, enums, fields or values.' : `Did you mean "${nearest}"?`
      faults.add(
        'CONFIG_BAD_FIELD',
        `\`names\` names "${path}", which the Prisma schema does not have.`,
        hint,
      )
    } else if (typeof name !== 'string' || !isEnumValueName(name)) {
      faults.add('GRAPHQL_BAD_NAME', `\`names\` calls ${path} ${shownValue(name)}.`)
    } else usable[path] = name
  }
  // The others are noted; names are made of these next, and that takes texts.
  return renamed(catalog, usable)
}

function pathsOf(catalog: ModelCatalog): ReadonlySet<string> {
  const models = Object.values<ModelSpec>(catalog.models).flatMap(({ name, fields, relations }) => [
    name,
    pluralPath(name),
    ...[...fields, ...relations].map((part) => `${name}.${part.name}`),
  ])
  const enums = Object.values<EnumSpec>(catalog.enums).flatMap(({ name, values }) => [
    name,
    ...values.map((part) => `${name}.${part.name}`),
  ])
  return new Set([...models, ...enums])
}

/** How `names` calls the list of a model's rows. */
function pluralPath(model: string): string {
  return `${model}[]`
}

function renamed(catalog: ModelCatalog, names: ChosenNames): ModelCatalog {
  const chosen = <Spec extends object>(path: string, spec: Spec): Spec =>
    Object.hasOwn(names, path) ? { ...spec, graphqlName: names[path] } : spec
  const parts = <Spec extends { readonly name: string }>(owner: string, specs: readonly Spec[]) =>
    specs.map((spec) => chosen(`${owner}.${spec.name}`, spec))
  const models = Object.entries<ModelSpec>(catalog.models).map(([name, spec]) => {
    const [fields, relations] = [parts(name, spec.fields), parts(name, spec.relations)]
    const graphqlPlural = names[pluralPath(name)] ?? spec.graphqlPlural
    const more = graphqlPlural === undefined ? {} : { graphqlPlural }
    return [name, chosen(name, { ...spec, ...more, fields, relations })]
  })
  const enums = Object.entries<EnumSpec>(catalog.enums).map(([name, spec]) => [
    name,
    chosen(name, { ...spec, values: parts(name, spec.values) }),
  ])
  return { ...catalog, models: Object.fromEntries(models), enums: Object.fromEntries(enums) }
}
