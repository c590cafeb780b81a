/**
 * Stage 7, graphql. Types of a schema as data: what rowcast adds to a schema, whoever builds that. Pothos' builder gets them
 * by `defineTypes`, schemas written as SDL by `sdlOf` and `resolversOf`.
 */
import type { GraphQLResolveInfo } from 'graphql'
import type { Nullability } from './nullability.ts'

/** An argument, or a field of an input. */
export interface ArgumentDefinition {
  /** In GraphQL's own words: `[UserField!]`. */
  readonly type: string
  readonly description?: string | undefined
}

/** A field of an object type or an interface. */
export interface FieldDefinition extends ArgumentDefinition {
  readonly args?: Readonly<Record<string, ArgumentDefinition>> | undefined
  readonly extensions?: Readonly<Record<string, unknown>> | undefined
  /** Reads the property of its name where it is absent. */
  resolve?(source: unknown, args: unknown, context: object, info: GraphQLResolveInfo): unknown
  /** Of a field on the Subscription root. */
  subscribe?(root: unknown, args: unknown, context: object, info: GraphQLResolveInfo): unknown
}

/** Fields by name. */
export type FieldDefinitions = Readonly<Record<string, FieldDefinition>>

/** Values of an enum by their names in GraphQL. */
export type EnumValues = Readonly<Record<string, { readonly value: string; readonly description?: string }>>

/** An enum; the value behind each name is what resolvers and arguments have. */
export interface EnumDefinition {
  readonly kind: 'enum'
  readonly name: string
  readonly description: string
  readonly values: EnumValues
}

/** An input. */
export interface InputDefinition {
  readonly kind: 'input'
  readonly name: string
  readonly description: string
  readonly fields: Readonly<Record<string, ArgumentDefinition>>
}

/** An interface; the fields are those of each type that implements it, too. */
export interface InterfaceDefinition {
  readonly kind: 'interface'
  readonly name: string
  readonly description: string
  readonly fields: FieldDefinitions
  /** Name of the type that a source is of. */
  resolveType(source: unknown): string
}

/** An object type. */
export interface ObjectDefinition {
  readonly kind: 'object'
  readonly name: string
  readonly description: string
  /** Names. */
  readonly interfaces?: readonly string[] | undefined
  /** Beside those of its interfaces, or in their place. */
  readonly fields: FieldDefinitions
  readonly extensions?: Readonly<Record<string, unknown>> | undefined
}

/** A type that rowcast adds. Scalars, and enums of the catalog, are there by their names: see `missingType`. */
export type TypeDefinition = EnumDefinition | InputDefinition | InterfaceDefinition | ObjectDefinition

/** What the text of a type says. */
export interface TypeReference {
  readonly name: string
  readonly isList: boolean
  readonly isNullable: boolean
  /** Of what is in the list. */
  readonly isItemNullable: boolean
}

/** Reads the text of a type, of one list at the most. */
export function typeReference(text: string): TypeReference {
  const isList = text.startsWith('[')
  const item = isList ? text.slice(1, text.lastIndexOf(']')) : text
  return {
    name: item.replace('!', ''),
    isList,
    isNullable: !text.endsWith('!'),
    isItemNullable: isList && !item.endsWith('!'),
  }
}

/** Text of the type of a column. */
export function columnType(typeName: string, isList: boolean, nullability: Nullability): string {
  if (!isList) return nullability === true ? typeName : `${typeName}!`
  const { list, items } = typeof nullability === 'boolean' ? { list: nullability, items: false } : nullability
  return `[${typeName}${items ? '' : '!'}]${list ? '' : '!'}`
}

/** All names of types that definitions speak of. */
export function namesIn(types: readonly TypeDefinition[]): ReadonlySet<string> {
  const names = new Set<string>()
  for (const type of types) {
    if (type.kind !== 'enum') addNames(names, type.fields)
  }
  return names
}

function addNames(
  names: Set<string>,
  fields: Readonly<Record<string, ArgumentDefinition & Pick<FieldDefinition, 'args'>>>,
): void {
  for (const { type, args = {} } of Object.values(fields)) {
    names.add(typeReference(type).name)
    addNames(names, args)
  }
}
