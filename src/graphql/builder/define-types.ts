/** Stage 7, graphql. rowcast's types in a Pothos builder: the one place where their definitions become Pothos' own. */
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
import { type AnyBuilder, stateOf } from './builder-state.ts'

/** Adds types that the builder does not have from here yet, and notes the scalars and enums that they speak of. */
export function defineTypes(builder: AnyBuilder, types: readonly TypeDefinition[]): void {
  const { refs, needed } = stateOf(builder)
  const added = types.filter(({ name }, index) => {
    const isFirst = types.findIndex((type) => type.name === name) === index
    return isFirst && !refs.has(name)
  })
  // First all of them, then what is in them: they speak of each other.
  for (const type of added) refs.set(type.name, createRef(builder, type))
  for (const type of added) implement(builder, type)
  for (const name of namesIn(added)) if (!refs.has(name)) needed.add(name)
}

/** The ref of a type that was defined here; whatever else is asked for is known to Pothos by its name. */
export function refOf(builder: AnyBuilder, name: string): never {
  return (stateOf(builder).refs.get(name) ?? name) as never
}

function createRef(builder: AnyBuilder, type: TypeDefinition): object {
  switch (type.kind) {
    case 'enum':
      return builder.enumType(type.name, { description: type.description, values: type.values as never })
    case 'input':
      return builder.inputRef<object>(type.name)
    case 'interface':
      return builder.interfaceRef<object>(type.name)
    case 'object':
      return builder.objectRef<object>(type.name)
  }
}

function implement(builder: AnyBuilder, type: TypeDefinition): void {
  const ref: object = refOf(builder, type.name)
  const { description } = type
  if (type.kind === 'input') {
    const inputs = ref as ReturnType<typeof builder.inputRef<object>>
    inputs.implement({
      description,
      fields: (t) => argumentsOf(builder, type.fields, (options) => t.field(options)) as never,
    })
  } else if (type.kind === 'interface') {
    const payload = ref as ReturnType<typeof builder.interfaceRef<object>>
    payload.implement({
      ...{ description, resolveType: type.resolveType as never },
      fields: (t) => fieldsOf(builder, type.fields, t as never) as never,
    })
  } else if (type.kind === 'object') {
    const object = ref as ReturnType<typeof builder.objectRef<object>>
    object.implement({
      ...{ description, extensions: type.extensions ?? {} },
      interfaces: (type.interfaces ?? []).map((name) => refOf(builder, name)),
      fields: (t) => fieldsOf(builder, type.fields, t as never) as never,
    })
  }
}

/** What Pothos gives to whoever defines fields, its types forgotten. */
interface FieldBuilder {
  field(options: object): unknown
  readonly arg: (options: never) => unknown
}

function fieldsOf(builder: AnyBuilder, fields: FieldDefinitions, t: FieldBuilder): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, t.field(fieldOptions(builder, name, field, t))]),
  )
}

/** What Pothos takes for a field. */
export function fieldOptions(
  builder: AnyBuilder,
  name: string,
  { type: text, description, args, extensions, resolve, subscribe }: FieldDefinition,
  t: Pick<FieldBuilder, 'arg'>,
): never {
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
  } as never
}

function argumentsOf(
  builder: AnyBuilder,
  args: Readonly<Record<string, ArgumentDefinition>>,
  define: (options: never) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(args).map(([name, { type: text, description }]) => {
      const { name: typeName, isList, isNullable } = typeReference(text)
      const type = refOf(builder, typeName)
      const documented = description === undefined ? {} : { description }
      return [name, define({ type: isList ? [type] : type, required: !isNullable, ...documented } as never)]
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
    else if (isScalarName(name)) builder.addScalarType(name as never, SCALARS[name])
  }
}
