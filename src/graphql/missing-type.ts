/** Stage 7, graphql. Scalars and enums that rowcast's types speak of, by their names: a schema has them already or gets them. */
import type { EnumSpec, ModelCatalog } from '../catalog/model-catalog.ts'
import { enumDefinition } from './enum-type.ts'
import { SCALARS, type ScalarName } from './scalars.ts'
import { schemaNames } from './schema-names.ts'
import type { EnumDefinition } from './type-definition.ts'

/** The enum of the catalog that is called so in GraphQL; undefined where none is. */
export function enumNamed(catalog: ModelCatalog, type: string): EnumDefinition | undefined {
  const { enums } = schemaNames(catalog)
  const spec = Object.values<EnumSpec>(catalog.enums).find(({ name }) => enums.get(name)?.type === type)
  return spec && enumDefinition(catalog, spec)
}

/** Whether rowcast has a scalar of this name. */
export function isScalarName(name: string): name is ScalarName {
  return Object.hasOwn(SCALARS, name)
}
