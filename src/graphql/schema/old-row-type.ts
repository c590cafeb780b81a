/**
 * Stage 7, graphql. `UserOld`: the type of `old`. Clients' caches merge objects of one type and one id, so the row
 * before a change has a type of its own, and that has no `id`. It is copied from the type that rows have, once the
 * schema is built: whatever that shows, hides or guards, the copy does, too.
 */
import {
  defaultFieldResolver,
  type GraphQLField,
  type GraphQLFieldConfigMap,
  GraphQLObjectType,
  GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
} from 'graphql'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { namesWithoutIdentity } from '../names.ts'
import { selectedByPothos } from '../pothos-internals.ts'
import { columnOf, relationNameOf, SHOWN_COLUMN } from '../shown-column.ts'
import { OLD_ROW, type OldRowExtension } from '../subscription/change-types.ts'
import { RUNS_OWN_CODE, showsColumn } from '../subscription/own-code.ts'

type Field = GraphQLField<unknown, object>

/** The schema with copies in the place of the types that `old` had. */
export function withOldRowTypes(schema: GraphQLSchema, catalog: ModelCatalog): GraphQLSchema {
  const copies = new Map<string, GraphQLObjectType | null>()
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    const fields = type.getFields()
    for (const field of Object.values(fields)) {
      const extension = field.extensions[OLD_ROW] as OldRowExtension | undefined
      const rowType = getNamedType(field.type)
      if (extension === undefined || !isObjectType(rowType)) continue
      // A type of rowcast's own was made without an identity.
      if (rowType.name === extension.name) continue
      const known = copies.get(extension.name)
      const copy = known === undefined ? copyOf(rowType, catalog, extension) : known
      copies.set(extension.name, copy)
      if (copy === null) delete fields[field.name]
      else field.type = copy
    }
  }
  // Made again, so that the schema knows the copies by their names.
  return copies.size === 0 ? schema : new GraphQLSchema(schema.toConfig())
}

/** Null where nothing is left to show. */
function copyOf(
  rowType: GraphQLObjectType,
  catalog: ModelCatalog,
  { name, model, omit }: OldRowExtension,
): GraphQLObjectType | null {
  const spec = catalog.models[model]
  const fields = Object.values(rowType.getFields() as Record<string, Field>).filter(
    (field) => spec !== undefined && isOfTheRow(field, spec) && !omit.includes(columnOf(field)),
  )
  if (fields.length === 0) return null
  const names = namesWithoutIdentity(fields.map((field) => field.name))
  const configs = rowType.toConfig().fields
  const copied: GraphQLFieldConfigMap<unknown, object> = {}
  for (const field of fields) {
    const config = configs[field.name]
    if (config === undefined) continue
    // Under another name it is still that column, and policies ask for columns; and it runs the code that it ran.
    const extensions = {
      ...config.extensions,
      [SHOWN_COLUMN]: columnOf(field),
      [RUNS_OWN_CODE]: !showsColumn(field),
    }
    const name = names.get(field.name) ?? field.name
    copied[name] = { ...config, extensions, ...(name === field.name ? {} : { resolve: resolverOf(field) }) }
  }
  return new GraphQLObjectType({
    ...rowType.toConfig(),
    name,
    description:
      `A row of ${model} as it was before a change: its columns, and the rows that its foreign keys point at now, which may ` +
      'be gone. It is no entity: `id` is called `rowId` here, so that clients’ caches do not take it for the row as it is.',
    interfaces: [],
    isTypeOf: null,
    fields: copied,
    astNode: null,
    extensionASTNodes: [],
  })
}

/** Resolves a field as if it still had its name: whoever reads a row by `info.fieldName` finds the column. */
function resolverOf({
  name: fieldName,
  resolve = defaultFieldResolver,
}: Field): NonNullable<Field['resolve']> {
  return (row, args, context, info) => resolve(row, args, context, { ...info, fieldName })
}

/**
 * Whether a field shows the old row itself: columns, and what one of its own foreign keys points at. What leads here by
 * another row's key belongs to the row as it is now.
 */
function isOfTheRow(field: Field, model: ModelSpec): boolean {
  const relationName = relationNameOf(field)
  if (relationName !== null) {
    const relation = model.relations.find(({ name }) => name === relationName)
    return relation !== undefined && relation.fields.length > 0
  }
  const select = selectedByPothos(field.extensions)
  if (select === undefined || select === false) return true
  if (typeof select !== 'object' || select === null) return false
  return Object.keys(select).every((name) => model.fields.some((column) => column.name === name))
}
