/** Stage 7, graphql. Definitions as SDL. */
import { type GraphQLNamedType, GraphQLObjectType, GraphQLScalarType } from 'graphql'
import type { ArgumentDefinition, FieldDefinitions } from '../type-definition.ts'
import type { ChangeSchemaOptions } from './kit-options.ts'
import type { FindType } from './schema-types.ts'

/** Stands in for types that the schema has: what they are like is of no matter where only SDL is made. */
export function placeholderOf({ models }: ChangeSchemaOptions, existing: readonly string[]): FindType {
  const rows = Object.values(models).flatMap(({ type }) => type ?? [])
  const types = new Map<string, GraphQLNamedType>(
    existing.map((name) => [name, new GraphQLScalarType({ name })]),
  )
  for (const name of rows) types.set(name, new GraphQLObjectType({ name, fields: {} }))
  return (name) => types.get(name)
}

/** The roots, each as `type` or `extend type`. */
export function rootsSdl(
  word: 'type' | 'extend type',
  roots: Readonly<Record<string, FieldDefinitions>>,
): string {
  return Object.entries(roots)
    .map(([name, fields]) => `${word} ${name} {\n${fieldsSdl(fields)}\n}`)
    .join('\n\n')
}

function fieldsSdl(fields: FieldDefinitions): string {
  return Object.entries(fields)
    .map(([name, { type, description, args = {} }]) => {
      const given = Object.entries(args).map(([arg, definition]) => `    ${argumentSdl(arg, definition)}`)
      const list = given.length === 0 ? '' : `(\n${given.join('\n')}\n  )`
      return `  ${described(description)}${name}${list}: ${type}`
    })
    .join('\n')
}

function argumentSdl(name: string, { type, description }: ArgumentDefinition): string {
  return `${described(description)}${name}: ${type}`
}

/** A description as a string of GraphQL, with all that has to be escaped. */
function described(description: string | undefined): string {
  return description === undefined ? '' : `${JSON.stringify(description)} `
}
