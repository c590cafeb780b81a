/** Stage 7, graphql. Refuses a subscription that selects what its viewer may not see, before any change is delivered. */
import {
  type GraphQLField,
  type GraphQLResolveInfo,
  getNamedType,
  isInterfaceType,
  isObjectType,
} from 'graphql'
import type { ForeignKey } from '../../catalog/foreign-key.ts'
import { columnOf, relationNameOf } from '../shown-column.ts'
import { fieldsUnder } from './selected-models.ts'
import type { ViewerPolicies } from './viewer-policies.ts'

/** Fields of a change that show columns of its model. */
const IMAGES: ReadonlySet<string> = new Set(['old', 'new', 'key'])

/**
 * Checks what is selected of the images of a change. The policies of all selected models were asked.
 * @throws FIELD_HIDDEN
 */
export function checkSelectedFields(
  policies: ViewerPolicies,
  context: object,
  info: GraphQLResolveInfo,
  model: string,
): void {
  const payload = getNamedType(info.returnType)
  if (!isInterfaceType(payload)) return
  for (const image of fieldsUnder(info, info.fieldNodes).filter(({ name }) => IMAGES.has(name.value))) {
    const type = getNamedType(payload.getFields()[image.name.value]?.type)
    if (!isObjectType(type)) continue
    for (const { name } of fieldsUnder(info, [image])) {
      const field = type.getFields()[name.value]
      if (field === undefined) continue
      const key = relationKeyOf(policies, model, field)
      policies.checkVisible(context, key ?? { model, fields: [columnOf(field)] })
    }
  }
}

/** The foreign key that a field of an object type goes by; null where it is no relation. */
export function relationKeyOf(
  policies: ViewerPolicies,
  model: string,
  { extensions }: Pick<GraphQLField<unknown, object>, 'extensions'>,
): ForeignKey | null {
  const relation = relationNameOf({ extensions })
  return relation === null ? null : policies.foreignKey(model, relation)
}
