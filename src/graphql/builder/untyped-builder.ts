/**
 * Stage 7, graphql. Pothos' builders with their types forgotten: which models, fields and types there are is known when a schema is
 * built, not when this is compiled. The one file that casts towards Pothos; `test/architecture.test.ts` refuses casts to Pothos' types
 * elsewhere, and `as never` and `as unknown as` in all of `graphql/`.
 */
import { InterfaceFieldBuilder, type InterfaceRef, type SchemaTypes } from '@pothos/core'
import { getRefFromModel, type PrismaModelTypes, type PrismaObjectRef } from '@pothos/plugin-prisma'
import type { GraphQLScalarType } from 'graphql'
import type { EnumValues } from '../type-definition.ts'

/** A builder with its schema types forgotten. */
export type AnyBuilder = PothosSchemaTypes.SchemaBuilder<SchemaTypes>

/** A builder of any schema types as one of none. */
export function anyBuilder(builder: object): AnyBuilder {
  return builder as AnyBuilder
}

/** The type of the rows of a model, announced or defined. */
export function rowRefOf(builder: AnyBuilder, model: string) {
  return getRefFromModel(model, builder) as PrismaObjectRef<SchemaTypes, PrismaModelTypes, object>
}

/** What an interface was announced by, for those who know the shape of its values. */
export function interfaceRefOf<Shape>(ref: object | string): InterfaceRef<SchemaTypes, Shape> {
  return ref as InterfaceRef<SchemaTypes, Shape>
}

/** A type that was announced, to be filled in. */
interface UntypedRef {
  implement(options: object): object
}

/** What Pothos gives to whoever defines fields or arguments. */
export interface UntypedFields {
  field(options: object): object
  readonly arg: (options: object) => object
  /** Of object types of a model. */
  relation(name: string, options: object): object
  /** Of the roots: rows of a model. */
  prismaField(options: object): object
}

/** Fields or arguments by name, made with what Pothos gives. */
type Define = (t: UntypedFields) => Readonly<Record<string, object>>

/** The methods of a builder as they are called where names and types are values. */
export interface UntypedBuilder {
  enumType(name: string, options: { readonly description: string; readonly values: EnumValues }): object
  inputRef(name: string): UntypedRef
  interfaceRef(name: string): UntypedRef
  objectRef(name: string): UntypedRef
  prismaObject(name: string, options: { readonly fields: Define } & Readonly<Record<string, unknown>>): object
  args(define: Define): Readonly<Record<string, object>>
  addScalarType(name: string, scalar: GraphQLScalarType): object
  queryField(name: string, define: (t: UntypedFields) => object): void
  subscriptionField(name: string, define: (t: UntypedFields) => object): void
}

/** The same builder, as those call it who have no types to give. */
export function untyped(builder: object): UntypedBuilder {
  return builder as UntypedBuilder
}

/** Whether a root of the builder has a field of this name so far. */
export function hasRootField(
  { configStore }: AnyBuilder,
  root: 'Query' | 'Subscription',
  name: string,
): boolean {
  const fields: { getFields(type: string): ReadonlyMap<string, unknown> } = Object(configStore)
  return fields.getFields(root).has(name)
}

/** Adds fields to an interface that was defined; those that it has by such a name stay. */
export function addInterfaceFields(builder: AnyBuilder, ref: object, define: Define): void {
  const store: { addFieldDefaults(type: object, fields: () => object): void } = Object(builder.configStore)
  const t: UntypedFields = Object(new InterfaceFieldBuilder(builder))
  store.addFieldDefaults(ref, () => define(t))
}
