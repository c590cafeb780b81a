/** Every live model of a server that is known by its address alone: what can be selected of its rows, from introspection. */
import {
  buildClientSchema,
  type GraphQLField,
  type GraphQLSchema,
  getIntrospectionQuery,
  getNamedType,
  getNullableType,
  type IntrospectionQuery,
  isLeafType,
  isListType,
  isObjectType,
} from 'graphql'
import { postGraphql } from '../server/server-fixture.ts'

/** A model, as a client sees it. */
export interface SeenModel {
  /** Its type in GraphQL. */
  readonly name: string
  /** `userChanged` */
  readonly changed: string
  /** `users` */
  readonly many: string
  /** All that has no fields of its own. */
  readonly selection: string
}

/** Reads the schema of a server. */
export async function introspect(url: string): Promise<GraphQLSchema> {
  const { body } = await postGraphql(url, getIntrospectionQuery())
  return buildClientSchema(body['data'] as IntrospectionQuery)
}

/** The models that have changes and a list of rows. */
export function seenModels(schema: GraphQLSchema): readonly SeenModel[] {
  const lists = Object.values(schema.getQueryType()?.getFields() ?? {}).filter(({ type }) =>
    isListType(getNullableType(type)),
  )
  return Object.values(schema.getSubscriptionType()?.getFields() ?? {}).flatMap((field) => {
    const row = rowType(field)
    const list = lists.find(({ type }) => getNamedType(type) === row)
    if (row === null || list === undefined) return []
    const leaves = Object.values(row.getFields()).filter(({ type }) => isLeafType(getNamedType(type)))
    const selection = leaves.map(({ name }) => name).join(' ')
    return [{ name: row.name, changed: field.name, many: list.name, selection }]
  })
}

function rowType({ type }: GraphQLField<unknown, unknown>) {
  const change = getNamedType(type)
  if (!('getFields' in change)) return null
  const after = change.getFields()['new']
  const row = after === undefined || !('args' in after) ? null : getNamedType(after.type)
  return isObjectType(row) ? row : null
}
