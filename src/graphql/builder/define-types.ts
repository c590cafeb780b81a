/** Stage 7, graphql. rowcast's types in a Pothos builder: their definitions become Pothos' own. */
import { enumNamed, isScalarName } from '../missing-type.ts'
import { SCALARS } from '../scalars.ts'
import {
  type ArgumentDefinition,
  type FieldDefinition,
  type FieldDefinitions,
  namesIn,
  type TypeDefinition,
  typeReference,
} from '../type-definition.ts'
import { stateOf } from './builder-state.ts'
import { type AnyBuilder, type UntypedFields, untyped } from './untyped-builder.ts'

/** Adds types that the builder does not have from here yet, and notes the scalars and enums that they speak of. */
export function defineTypes(builder: AnyBuilder, types: readonly TypeDefinition[]): void {
  const { refs, needed } = stateOf(builder)
  const added = types.filter(({ name }, index) => {
    const isFirst = types.findIndex((type) => type.name === name) === index
    return isFirst && !refs.has(name)
  })
  // First all of them, then what is in them: they speak of each other.
  const made = added.map((type) => makeType(builder, type))
  for (const { name, ref } of made) refs.set(name, ref)
  for (const type of made) type.fill()
  for (const name of namesIn(added)) if (!refs.has(name)) needed.add(name)
}

/** The ref of a type that was defined here; whatever else is asked for is known to Pothos by its name. */
export function refOf(builder: AnyBuilder, name: string): object | string {
  return stateOf(builder).refs.get(name) ?? name
}

/** The type by its name, and how it is filled in, once all others have names. */
interface MadeType {
  readonly name: string
  readonly ref: object
  fill(): void
}

function makeType(builder: AnyBuilder, type: TypeDefinition): MadeType {
  const { name, description } = type
  const pothos = untyped(builder)
  if (type.kind === 'enum')
    return { name, ref: pothos.enumType(name, { description, values: type.values }), fill() {} }
  if (type.kind === 'input') {
    const ref = pothos.inputRef(name)
    const fields = (t: UntypedFields) => argumentsOf(builder, type.fields, (options) => t.field(options))
    return { name, ref, fill: () => ref.implement({ description, fields }) }
  }
  const fields = (t: UntypedFields) => fieldsOf(builder, type.fields, t)
  if (type.kind === 'interface') {
    const ref = pothos.interfaceRef(name)
    return { name, ref, fill: () => ref.implement({ description, resolveType: type.resolveType, fields }) }
  }
  const ref = pothos.objectRef(name)
  const { extensions = {}, interfaces = [] } = type
  const refs = () => interfaces.map((each) => refOf(builder, each))
  return { name, ref, fill: () => ref.implement({ description, extensions, interfaces: refs(), fields }) }
}

/** Fields as Pothos makes them. */
export function fieldsOf(
  builder: AnyBuilder,
  fields: FieldDefinitions,
  t: UntypedFields,
): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, t.field(fieldOptions(builder, name, field, t))]),
  )
}

/** Adds a field to a root; made when the schema is built, where a function makes it. */
export function defineRootField(
  builder: AnyBuilder,
  root: 'Query' | 'Subscription',
  name: string,
  field: FieldDefinition | (() => FieldDefinition),
): void {
  const define = (t: UntypedFields) => {
    const definition = typeof field === 'function' ? field() : field
    return t.field(fieldOptions(builder, name, definition, t))
  }
  if (root === 'Query') untyped(builder).queryField(name, define)
  else untyped(builder).subscriptionField(name, define)
}

/** What Pothos takes for a field. */
function fieldOptions(
  builder: AnyBuilder,
  name: string,
  { type: text, description, args, extensions, resolve, subscribe }: FieldDefinition,
  t: Pick<UntypedFields, 'arg'>,
): object {
  const { name: typeName, isList, isNullable, isItemNullable } = typeReference(text)
  const type = refOf(builder, typeName)
  return {
    type: isList ? [type] : type,
    nullable: isList ? { list: isNullable, items: isItemNullable } : isNullable,
    ...(description === undefined ? {} : { description }),
    ...(extensions === undefined ? {} : { extensions }),
    ...(args === undefined ? {} : { args: argumentsOf(builder, args, t.arg) }),
    ...(subscribe === undefined ? {} : { subscribe }),
    resolve: resolve ?? ((source: object) => Reflect.get(source, name)),
  }
}

function argumentsOf(
  builder: AnyBuilder,
  args: Readonly<Record<string, ArgumentDefinition>>,
  define: (options: object) => object,
): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(args).map(([name, { type: text, description }]) => {
      const { name: typeName, isList, isNullable } = typeReference(text)
      const type = refOf(builder, typeName)
      const documented = description === undefined ? {} : { description }
      return [name, define({ type: isList ? [type] : type, required: !isNullable, ...documented })]
    }),
  )
}

/** Adds the scalars and enums that defined types speak of to a builder that does not have types of these names. */
export function addMissingTypes(builder: AnyBuilder): void {
  const { catalog } = builder.options.rowcast.feed
  for (const name of stateOf(builder).needed) {
    if (builder.configStore.hasConfig(name)) continue
    const missing = enumNamed(catalog, name)
    if (missing !== undefined) defineTypes(builder, [missing])
    else if (isScalarName(name)) untyped(builder).addScalarType(name, SCALARS[name])
  }
}
