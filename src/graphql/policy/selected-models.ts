/** Stage 7, graphql. Which models a selection can show, from the object types that Pothos made for them. */
import {
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLResolveInfo,
  getNamedType,
  isAbstractType,
  isInterfaceType,
  isObjectType,
} from 'graphql'
import { modelOfPothos } from '../pothos-internals.ts'
import { type SelectionWalk, walkSelection } from '../selection-walk.ts'

/** The extension of object types that show rows of a model, where Pothos' Prisma plugin has made none. */
export const ROWS_OF = 'rowcastModel'

/** The Prisma model of a type; null where it has none. */
export function modelOfType({ extensions }: GraphQLNamedType): string | null {
  const model: unknown = modelOfPothos(extensions) ?? extensions[ROWS_OF]
  return typeof model === 'string' ? model : null
}

/** The extension of fields that show what rows of other models decide, as counts do: names of the models. */
export const DECIDED_BY = 'rowcastDecidedBy'

/** The model of a type in some schema; null where it has none. */
export type ModelOfType = (type: GraphQLNamedType) => string | null

/** Models by field of a document, of each schema: documents are kept parsed, and fields with them. */
const knownOf = new WeakMap<ModelOfType, WeakMap<FieldNode, readonly string[]>>()

/** Every model that the field of `info` and what is selected under it can show, or count. */
export function selectedModels(
  info: GraphQLResolveInfo,
  modelOf: ModelOfType = modelOfType,
): ReadonlySet<string> {
  const known = knownOf.get(modelOf) ?? new WeakMap<FieldNode, readonly string[]>()
  knownOf.set(modelOf, known)
  const models = new Set<string>()
  for (const node of info.fieldNodes) {
    const found = known.get(node) ?? modelsUnder(info, node, modelOf)
    known.set(node, found)
    for (const model of found) models.add(model)
  }
  return models
}

function modelsUnder(info: GraphQLResolveInfo, node: FieldNode, modelOf: ModelOfType): readonly string[] {
  const models = new Set<string>()
  const note = (type: GraphQLNamedType): string => {
    const model = modelOf(type)
    if (model !== null) models.add(model)
    return type.name
  }
  const onField = (field: FieldNode, where: string): void => {
    const parent = info.schema.getType(where)
    const fields = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields() : {}
    const type = fields[field.name.value]?.type
    if (type === undefined) return
    for (const owner of possibleTypes(info, parent as GraphQLNamedType)) {
      for (const model of decidingModels(owner, field.name.value)) models.add(model)
    }
    for (const possible of possibleTypes(info, getNamedType(type)))
      walkSelection(walk, field.selectionSet, note(possible))
  }
  const walk: SelectionWalk = {
    ...{ fragments: info.fragments, onField, entered: new Set() },
    enter(where, condition) {
      const type = info.schema.getType(condition ?? where)
      return type === undefined ? where : note(type)
    },
  }
  onField(node, info.parentType.name)
  return [...models]
}

function decidingModels(type: GraphQLNamedType, name: string): readonly string[] {
  const field = isObjectType(type) ? type.getFields()[name] : undefined
  const models: unknown = field?.extensions[DECIDED_BY]
  return Array.isArray(models) ? models : []
}

/** The type, and what an interface or union can turn out to be. */
export function possibleTypes(info: GraphQLResolveInfo, type: GraphQLNamedType): readonly GraphQLNamedType[] {
  return isAbstractType(type) ? [type, ...info.schema.getPossibleTypes(type)] : [type]
}
