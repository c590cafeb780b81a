/** Stage 7, graphql. Which models a selection can show, from the object types that Pothos made for them. */
import {
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLResolveInfo,
  getNamedType,
  isAbstractType,
  isInterfaceType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql'
import { modelOfPothos } from '../pothos-internals.ts'

/** The extension of object types that show rows of a model, where Pothos' Prisma plugin has made none. */
export const ROWS_OF = 'rowcastModel'

/** The Prisma model of a type; null where it has none. */
export function modelOfType({ extensions }: GraphQLNamedType): string | null {
  const model: unknown = modelOfPothos(extensions) ?? extensions[ROWS_OF]
  return typeof model === 'string' ? model : null
}

/** The model of a type in some schema; null where it has none. */
export type ModelOfType = (type: GraphQLNamedType) => string | null

/** Models by field of a document, of each schema: documents are kept parsed, and fields with them. */
const knownOf = new WeakMap<ModelOfType, WeakMap<FieldNode, readonly string[]>>()

/** Every model that the field of `info` and what is selected under it can show. */
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
  // Each fragment once for each type: spreads of spreads multiply, and show nothing else.
  const spread = new Set<string>()
  const visitSet = (type: GraphQLNamedType, set: SelectionSetNode | undefined): void => {
    const model = modelOf(type)
    if (model !== null) models.add(model)
    for (const selection of set?.selections ?? []) {
      if (selection.kind === Kind.FIELD) visitField(type, selection)
      else if (selection.kind === Kind.INLINE_FRAGMENT) {
        visitSet(typeOf(info, selection.typeCondition?.name.value) ?? type, selection.selectionSet)
      } else {
        const fragment = info.fragments[selection.name.value]
        const on = typeOf(info, fragment?.typeCondition.name.value) ?? type
        const name = `${on.name} ${selection.name.value}`
        if (spread.has(name)) continue
        spread.add(name)
        visitSet(on, fragment?.selectionSet)
      }
    }
  }
  const visitField = (parent: GraphQLNamedType, field: FieldNode): void => {
    const fields = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields() : {}
    const type = fields[field.name.value]?.type
    if (type === undefined) return
    const named = getNamedType(type)
    for (const possible of possibleTypes(info, named)) visitSet(possible, field.selectionSet)
  }
  visitField(info.parentType, node)
  return [...models]
}

/** The type, and what an interface or union can turn out to be. */
export function possibleTypes(info: GraphQLResolveInfo, type: GraphQLNamedType): readonly GraphQLNamedType[] {
  return isAbstractType(type) ? [type, ...info.schema.getPossibleTypes(type)] : [type]
}

function typeOf(info: GraphQLResolveInfo, name: string | undefined): GraphQLNamedType | undefined {
  return name === undefined ? undefined : info.schema.getType(name)
}

/** The fields selected directly under the fields given, through fragments, each of which counts once. */
export function fieldsUnder(info: GraphQLResolveInfo, nodes: readonly FieldNode[]): readonly FieldNode[] {
  const fields: FieldNode[] = []
  const spread = new Set<string>()
  const visitSet = (set: SelectionSetNode | undefined): void => {
    for (const selection of set?.selections ?? []) {
      if (selection.kind === Kind.FIELD) fields.push(selection)
      else if (selection.kind === Kind.INLINE_FRAGMENT) visitSet(selection.selectionSet)
      else if (!spread.has(selection.name.value)) {
        spread.add(selection.name.value)
        visitSet(info.fragments[selection.name.value]?.selectionSet)
      }
    }
  }
  for (const node of nodes) visitSet(node.selectionSet)
  return fields
}
