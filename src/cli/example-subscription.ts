/** Beside the spine, cli. A subscription to paste, made from the catalog. Pure. */
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import type { Config } from '../config/config.ts'
import { namesWithoutIdentity } from '../graphql/names.ts'
import { omittedNames } from '../graphql/policy/secret-fields.ts'
import { modelNames } from '../graphql/schema-names.ts'

/** The document, for `User` where it is live, else for the first live model. */
export function exampleSubscription(catalog: ModelCatalog, models: Config['models']): string {
  const live = Object.keys(models).filter((each) => models[each]?.live !== false)
  const name = live.includes('User') ? 'User' : live[0]
  const model = name === undefined ? undefined : catalog.models[name]
  if (model === undefined) return ''
  const { changed: field, fields } = modelNames(catalog, model.name)
  const row = exampleFields(model, omittedNames(model, models[model.name] ?? {})).map(
    (each) => fields.get(each) ?? each,
  )
  const old = [...namesWithoutIdentity(row).values()].join(' ')
  return [
    'subscription {',
    `  ${field} {`,
    '    action',
    `    old { ${old} }`,
    `    new { ${row.join(' ')} }`,
  ]
    .concat(['    changed', '  }', '}'])
    .join('\n')
}

/** The key and the first fields that are easy to read. */
function exampleFields(model: ModelSpec, omit: readonly string[]): readonly string[] {
  const visible = model.fields.filter((field) => !field.isOmitted && !omit.includes(field.name))
  const key = visible.filter((field) => model.primaryKey.includes(field.name))
  const others = visible.filter(
    (field) => !key.includes(field) && !field.isList && !['Bytes', 'Json'].includes(field.type),
  )
  return [...key, ...others.slice(0, 3)].map((field) => field.name)
}
