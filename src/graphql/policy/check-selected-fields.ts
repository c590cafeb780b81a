/** Stage 7, graphql. Refuses a subscription that selects what its viewer may not see, before any change is delivered. */
import {
  type FieldNode,
  type GraphQLField,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  getNamedType,
  isInterfaceType,
  isObjectType,
} from 'graphql'
import type { ForeignKey } from '../../catalog/foreign-key.ts'
import { fieldsUnder, type SelectionWalk, walkSelection } from '../selection-walk.ts'
import { columnOf, relationNameOf } from '../shown-column.ts'
import { possibleTypes } from './selected-models.ts'
import type { ViewerPolicies } from './viewer-policies.ts'

/** Fields of a change that show columns of its model. */
const IMAGES: ReadonlySet<string> = new Set(['old', 'new', 'key', 'oldKey'])

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
  for (const image of fieldsUnder(info, info.fieldNodes))
    checkImage({ policies, context, info, model }, payload, image)
}

/**
 * The same for a list of changes of several models, somewhere under the field of `info`.
 * @param modelOf the model that a type of changes is of, by the type's name
 * @throws FIELD_HIDDEN
 */
export function checkSelectedChanges(
  policies: ViewerPolicies,
  context: object,
  info: GraphQLResolveInfo,
  modelOf: ReadonlyMap<string, string>,
): void {
  const walk: SelectionWalk = {
    ...{ fragments: info.fragments, entered: new Set() },
    // What is of any change does not say of which: it was said around it, or nowhere.
    enter: (where, condition) => (condition !== undefined && modelOf.has(condition) ? condition : where),
    onField(field, where) {
      const model = modelOf.get(where)
      const type = info.schema.getType(where)
      const isOfChange = model !== undefined && (isInterfaceType(type) || isObjectType(type))
      if (isOfChange) checkImage({ policies, context, info, model }, type, field)
      else walkSelection(walk, field.selectionSet)
    },
  }
  for (const node of info.fieldNodes) walkSelection(walk, node.selectionSet)
}

/** The same for rows of one model, and keys, wherever they stand under the field of `info`. @throws FIELD_HIDDEN */
export function checkListFields(
  policies: ViewerPolicies,
  context: object,
  info: GraphQLResolveInfo,
  model: string,
): void {
  for (const { type, node } of listImages(info)) checkColumns({ policies, context, info, model }, type, node)
}

/** A field of a list that shows rows or keys. */
interface ListImage {
  readonly type: GraphQLNamedType
  readonly node: FieldNode
}

/** Those under the field of `info`. */
export function listImages(info: GraphQLResolveInfo): readonly ListImage[] {
  const images: ListImage[] = []
  const visit = (nodes: readonly FieldNode[], type: GraphQLNamedType): void => {
    for (const node of fieldsUnder(info, nodes)) {
      const [field] = possibleTypes(info, type).flatMap((each) =>
        isObjectType(each) || isInterfaceType(each) ? (each.getFields()[node.name.value] ?? []) : [],
      )
      if (field === undefined) continue
      const shown = getNamedType(field.type)
      if (LIST_IMAGES.has(node.name.value)) images.push({ type: shown, node })
      else visit([node], shown)
    }
  }
  visit(info.fieldNodes, getNamedType(info.returnType))
  return images
}

/** Fields of a list that show columns of its model. */
const LIST_IMAGES: ReadonlySet<string> = new Set(['rows', 'row', 'key'])

interface CheckedImage {
  readonly policies: ViewerPolicies
  readonly context: object
  readonly info: GraphQLResolveInfo
  readonly model: string
}

/** Checks what is selected of one field of a change, if that is an image. */
function checkImage(
  { policies, context, info, model }: CheckedImage,
  payload: GraphQLInterfaceType | GraphQLObjectType,
  image: FieldNode,
): void {
  if (!IMAGES.has(image.name.value)) return
  checkColumns(
    { policies, context, info, model },
    getNamedType(payload.getFields()[image.name.value]?.type),
    image,
  )
}

function checkColumns(
  { policies, context, info, model }: CheckedImage,
  type: GraphQLNamedType | undefined,
  image: FieldNode,
): void {
  if (!isObjectType(type)) return
  for (const { name } of fieldsUnder(info, [image])) {
    const field = type.getFields()[name.value]
    if (field === undefined) continue
    const key = relationKeyOf(policies, model, field)
    policies.checkVisible(context, key ?? { model, fields: [columnOf(field)] })
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
