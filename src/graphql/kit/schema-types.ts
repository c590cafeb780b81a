/** Stage 7, graphql. rowcast's types as graphql-js has them, from their definitions. */
import {
  GraphQLEnumType,
  type GraphQLFieldConfig,
  type GraphQLFieldConfigArgumentMap,
  type GraphQLFieldResolver,
  GraphQLInputObjectType,
  type GraphQLInputType,
  GraphQLInterfaceType,
  GraphQLList,
  type GraphQLNamedType,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLType,
  isInputType,
  isOutputType,
  specifiedScalarTypes,
} from 'graphql'
import type { ModelCatalog } from '../../catalog/model-catalog.ts'
import { invariant } from '../../errors.ts'
import { enumNamed, isScalarName } from '../missing-type.ts'
import { SCALARS } from '../scalars.ts'
import {
  type ArgumentDefinition,
  type FieldDefinition,
  type FieldDefinitions,
  type InterfaceDefinition,
  namesIn,
  type ObjectDefinition,
  type TypeDefinition,
  typeReference,
} from '../type-definition.ts'

/** Finds a type that is not among those that are made. */
export type FindType = (name: string) => GraphQLNamedType | undefined

type Field = GraphQLFieldConfig<unknown, object>

/**
 * Makes the types. Scalars and enums of the catalog that they speak of are made as well, where `findType` has none.
 * @param findType types that the schema has
 */
export function makeTypes(
  catalog: ModelCatalog,
  given: readonly TypeDefinition[],
  findType: FindType,
): ReadonlyMap<string, GraphQLNamedType> {
  const definitions = distinct(given)
  const builtIn = new Map<string, GraphQLNamedType>(specifiedScalarTypes.map((type) => [type.name, type]))
  const made = new Map<string, GraphQLNamedType>()
  const typeNamed = (name: string): GraphQLNamedType => {
    const type = made.get(name) ?? builtIn.get(name) ?? findType(name)
    invariant(type !== undefined, `There is no GraphQL type ${name}.`)
    return type
  }
  for (const definition of definitions)
    made.set(definition.name, makeType(definition, definitions, typeNamed))
  for (const name of namesIn(definitions)) {
    if (made.has(name) || builtIn.has(name) || findType(name) !== undefined) continue
    const missing = enumNamed(catalog, name)
    if (missing !== undefined) made.set(name, makeType(missing, definitions, typeNamed))
    else if (isScalarName(name)) made.set(name, SCALARS[name])
  }
  return made
}

function distinct(types: readonly TypeDefinition[]): readonly TypeDefinition[] {
  return [...new Map([...types].reverse().map((type) => [type.name, type])).values()].reverse()
}

/** The fields of an object type with those of its interfaces. */
export function fieldsOf(
  { fields, interfaces = [] }: ObjectDefinition,
  definitions: readonly TypeDefinition[],
): FieldDefinitions {
  const isOne = (type: TypeDefinition): type is InterfaceDefinition =>
    type.kind === 'interface' && interfaces.includes(type.name)
  const inherited = definitions.filter(isOne).map((type) => type.fields)
  return Object.assign({}, ...inherited, fields) as FieldDefinitions
}

type TypeNamed = (name: string) => GraphQLNamedType

function makeType(
  type: TypeDefinition,
  definitions: readonly TypeDefinition[],
  typeNamed: TypeNamed,
): GraphQLNamedType {
  const { name, description } = type
  switch (type.kind) {
    case 'enum':
      return new GraphQLEnumType({ name, description, values: { ...type.values } })
    case 'input':
      return new GraphQLInputObjectType({
        ...{ name, description },
        fields: () => argumentsOf(type.fields, typeNamed),
      })
    case 'interface':
      return new GraphQLInterfaceType({
        ...{ name, description, resolveType: (source) => type.resolveType(source) },
        fields: () => fieldConfigs(type.fields, typeNamed),
      })
    case 'object':
      return new GraphQLObjectType({
        ...{ name, description, extensions: type.extensions ?? {} },
        interfaces: () => (type.interfaces ?? []).map((each) => typeNamed(each) as GraphQLInterfaceType),
        fields: () => fieldConfigs(fieldsOf(type, definitions), typeNamed),
      })
  }
}

function fieldConfigs(fields: FieldDefinitions, typeNamed: TypeNamed): Record<string, Field> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, fieldConfig(field, typeNamed)]),
  )
}

function fieldConfig(field: FieldDefinition, typeNamed: TypeNamed): Field {
  const { description, args, extensions } = field
  const config: Field = {
    type: outputType(field.type, typeNamed),
    description,
    ...(args === undefined ? {} : { args: argumentsOf(args, typeNamed) }),
    ...(extensions === undefined ? {} : { extensions }),
  }
  return { ...config, ...resolversOfField(field) }
}

/** What executes a field. */
export interface FieldResolvers {
  readonly resolve?: GraphQLFieldResolver<unknown, object>
  readonly subscribe?: GraphQLFieldResolver<unknown, object>
}

/** What executes the field, in the form of graphql-js. */
export function resolversOfField(field: FieldDefinition): FieldResolvers {
  const { resolve, subscribe } = field
  return {
    ...(resolve === undefined ? {} : { resolve }),
    ...(subscribe === undefined ? {} : { subscribe }),
  }
}

function argumentsOf(
  args: Readonly<Record<string, ArgumentDefinition>>,
  typeNamed: TypeNamed,
): GraphQLFieldConfigArgumentMap {
  return Object.fromEntries(
    Object.entries(args).map(([name, { type, description }]) => [
      name,
      { type: inputType(type, typeNamed), description },
    ]),
  )
}

function outputType(text: string, typeNamed: TypeNamed): GraphQLOutputType {
  const type = typeOf(text, typeNamed)
  invariant(isOutputType(type), `No field is of type ${text}.`)
  return type
}

function inputType(text: string, typeNamed: TypeNamed): GraphQLInputType {
  const type = typeOf(text, typeNamed)
  invariant(isInputType(type), `No argument is of type ${text}.`)
  return type
}

function typeOf(text: string, typeNamed: TypeNamed): GraphQLType {
  const { name, isList, isNullable, isItemNullable } = typeReference(text)
  const named = typeNamed(name)
  const item = isList && !isItemNullable ? new GraphQLNonNull(named) : named
  const type = isList ? new GraphQLList(item) : item
  return isNullable ? type : new GraphQLNonNull(type)
}
