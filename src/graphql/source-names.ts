/** Stage 7, graphql. What models and enums of several databases are called in one schema. */
import { type Catalogs, sharedName } from '../catalog/joined-catalog.ts'
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { schemaNames } from './schema-names.ts'

/** Of one source, other names for what another source calls the same. */
export type Renames = ReadonlyMap<string, string>

/**
 * Names that are nobody else's, by source. A name that two have stays where GraphQL shows it under another: `names` of the config.
 * @throws GRAPHQL_BAD_NAME where GraphQL would show two things under one name
 */
export function namesInOneSchema(catalogs: Catalogs): Readonly<Record<string, Renames>> {
  const sources = Object.entries(catalogs).map(([source, catalog]) => {
    const names = schemaNames(catalog)
    const types = new Map([...names.models, ...names.enums].map(([name, { type }]) => [name, type]))
    return { source, types, shown: shownNames(catalog) }
  })
  const owners = new Map<string, string>()
  for (const { source, types, shown } of sources) {
    for (const name of shown) {
      const type = types.get(name) ?? name
      const other = owners.get(type)
      if (other !== undefined) throw sharedName(type, [other, source])
      owners.set(type, source)
    }
  }
  const uses = new Map<string, number>()
  for (const { types } of sources) for (const name of types.keys()) uses.set(name, (uses.get(name) ?? 0) + 1)
  const taken = new Set<string>()
  const claim = (source: string, name: string, type: string): string => {
    // Who is shown under the name keeps it.
    const free = (type === name ? [name] : [type]).find((each) => !taken.has(each))
    const isOthers = free !== undefined && free !== name && uses.has(free)
    const claimed = free === undefined || isOthers ? `${source}.${name}` : free
    taken.add(claimed)
    return claimed
  }
  return Object.fromEntries(
    sources.map(({ source, types }) => {
      const shared = [...types].filter(([name]) => (uses.get(name) ?? 0) > 1)
      return [source, new Map(shared.map(([name, type]) => [name, claim(source, name, type)]))]
    }),
  )
}

/** Models that are not omitted, and the enums of their fields. */
function shownNames({ models, enums }: ModelCatalog): ReadonlySet<string> {
  const shown = Object.values<ModelSpec>(models).filter(({ isOmitted }) => !isOmitted)
  const types = shown.flatMap(({ fields }) =>
    fields.flatMap(({ type, isOmitted }) => (!isOmitted && Object.hasOwn(enums, type) ? [type] : [])),
  )
  return new Set([...shown.map(({ name }) => name), ...types])
}
