/**
 * Stage 7, graphql. The types around one model's change: `UserChange`, `UserKey` and `UserField`. The payload's source is the bus's delivery itself; nothing is copied per change.
 */
import type { EnumRef, ObjectRef, SchemaTypes } from '@pothos/core'
import type { PrismaModelTypes, PrismaObjectRef } from '@pothos/plugin-prisma'
import { type GraphQLResolveInfo, getNamedType } from 'graphql'
import type { Delivery } from '../../bus/bus.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyChange, AnyRow } from '../../changes/change.ts'
import { enumValues } from '../enum-type.ts'
import { graphqlTypeName, keyFields, visibleFields } from '../field-type.ts'
import { changeTypeNames } from '../names.ts'
import { hideFields } from '../policy/guard-rows.ts'
import { policiesOf } from './builder-policies.ts'
import { createImageReader } from './image-reader.ts'
import { relationsOf, type Selection } from './image-relations.ts'
import { toImage } from './image-rows.ts'
import { GUARDED_FIELD } from './policy-guard.ts'
import { type AnyBuilder, sharedChangeTypes } from './shared-change-types.ts'

/** What the payload of one model is made of beside the model. */
export interface ChangePayloadOptions {
  /** Object type of `old` and `new`. */
  readonly rowType: PrismaObjectRef<SchemaTypes, PrismaModelTypes, object>
  /** Fields that clients must not learn of. */
  readonly omit: readonly string[]
}

/** Name of a type, and the model's fields it may speak of. */
interface NamedFields {
  readonly name: string
  readonly fields: readonly FieldSpec[]
}

/** A type whose source is a delivery. */
type DeliveryRef = ObjectRef<SchemaTypes, Delivery>

/** `UserChange`, and `UserField` for arguments that name fields. */
export interface ChangePayload {
  readonly payload: DeliveryRef
  readonly fieldName: EnumRef<SchemaTypes, string>
}

/** `UserChange` and the types under it. */
export function defineChangePayload(
  builder: AnyBuilder,
  catalog: ModelCatalog,
  model: ModelSpec,
  { rowType, omit }: ChangePayloadOptions,
): ChangePayload {
  const names = changeTypeNames(catalog, model.name)
  const fields = visibleFields(model, omit)
  const payload = builder.objectRef<Delivery>(names.change).implement({
    description: `One change of a row of ${model.name}.`,
  })
  addRows(builder, payload, model, rowType)
  const key = defineKey(builder, catalog, model, { name: names.key, fields })
  if (key !== null) {
    builder.objectField(payload, 'key', (t) =>
      t.field({
        type: key,
        nullable: true,
        description: 'The primary key of the row, after an UPDATE the new one; null for TRUNCATE.',
        resolve: (delivery, _args, context) => {
          const { hidden } = policiesOf(builder).view(context, model.name)
          const row = visibleKey(model, delivery)
          return row === null ? null : hideFields(row, model.name, hidden)
        },
      }),
    )
  }
  const fieldName = addFieldNames(builder, payload, model, { name: names.field, fields })
  addOrigin(builder, payload)
  return { payload, fieldName }
}

/** `old` and `new`. */
function addRows(
  builder: AnyBuilder,
  payload: DeliveryRef,
  model: ModelSpec,
  rowType: ChangePayloadOptions['rowType'],
): void {
  const readImage = imageResolver(builder, model)
  builder.objectFields(payload, (t) => ({
    old: t.field({
      type: rowType,
      nullable: true,
      description:
        'The whole row before the change, when the server has it; never half a row. Null for INSERT and ' +
        'TRUNCATE, and where the table’s replica identity is not FULL. Its relations are those its foreign ' +
        'keys point at now; the rows may be gone.',
      extensions: { [GUARDED_FIELD]: true },
      resolve: ({ change, hidesOld }, _args, context, info) =>
        hidesOld ? null : readImage(change, change.old, change.unavailable, context, info),
    }),
    new: t.field({
      type: rowType,
      nullable: true,
      description: 'The row after the change; null for DELETE and TRUNCATE.',
      extensions: { [GUARDED_FIELD]: true },
      resolve: ({ change, hidesNew }, _args, context, info) =>
        hidesNew ? null : readImage(change, change.new, change.unavailable, context, info),
    }),
  }))
}

/** `changed` and `unavailable`, and the enum of their values. */
function addFieldNames(
  builder: AnyBuilder,
  payload: DeliveryRef,
  model: ModelSpec,
  { name, fields }: NamedFields,
): EnumRef<SchemaTypes, string> {
  const fieldName = builder.enumType(name, {
    description: `The fields of ${model.name}.`,
    values: enumValues(fields),
  })
  const visible = new Set(fields.map((field) => field.name))
  const policies = policiesOf(builder)
  const onlyVisible = (names: Iterable<string>, context: object) => {
    const { hidden } = policies.view(context, model.name)
    return [...names].filter((candidate) => visible.has(candidate) && !hidden.has(candidate))
  }
  builder.objectFields(payload, (t) => ({
    changed: t.field({
      type: [fieldName],
      nullable: { list: false, items: false },
      description:
        'The fields whose value differs between `old` and `new`: all for INSERT, none for DELETE and TRUNCATE.',
      // A row that comes into sight is new in all its fields, one that goes out of sight in none.
      resolve: ({ change, hidesOld, hidesNew }, _args, context) =>
        onlyVisible(hidesNew ? [] : hidesOld ? visible : change.changed, context),
    }),
    unavailable: t.field({
      type: [fieldName],
      nullable: { list: false, items: false },
      description:
        'The fields of `new` that PostgreSQL did not send: large values that an UPDATE left as they were, where ' +
        'the replica identity is not FULL. Selecting one of them is an error.',
      resolve: ({ change, hidesNew }, _args, context) =>
        onlyVisible(hidesNew ? [] : change.unavailable, context),
    }),
  }))
  return fieldName as EnumRef<SchemaTypes, string>
}

/** The key of the row that the viewer may see: the new one, or the old one where the new one is hidden. */
function visibleKey(model: ModelSpec, { change, hidesNew }: Delivery): AnyRow | null {
  if (!hidesNew || change.old === null) return change.key
  const { old } = change
  return Object.fromEntries(model.primaryKey.map((name) => [name, old[name]]))
}

/** `action`, `transition`, `cursor`, `committedAt` and `transaction`. */
function addOrigin(builder: AnyBuilder, payload: DeliveryRef): void {
  const { action, transaction } = sharedChangeTypes(builder)
  builder.objectFields(payload, (t) => ({
    action: t.field({
      type: action,
      nullable: false,
      description: 'What happened to the row.',
      resolve: ({ change }) => change.action,
    }),
    transition: t.field({
      type: sharedChangeTypes(builder).transition,
      nullable: true,
      description:
        'Whether the row enters, stays among or leaves the rows that `where` describes; null without `where`.',
      resolve: ({ transition }) => transition,
    }),
    cursor: t.field({
      type: 'Cursor' as never,
      nullable: false,
      description: 'Where the change stands: subscribe with `after: cursor` to go on after it.',
      resolve: ({ change }) => change.cursor as never,
    }),
    committedAt: t.field({
      type: 'DateTime' as never,
      nullable: false,
      description: 'When the transaction committed, by the clock of PostgreSQL.',
      resolve: ({ change }) => change.transaction.committedAt as never,
    }),
    transaction: t.field({
      type: transaction,
      nullable: false,
      description: 'The transaction that made the change, and the place of the change in it.',
      resolve: (delivery) => delivery,
    }),
  }))
}

/** `UserKey`; null for models without a primary key, or with one that nobody may see. */
function defineKey(
  builder: AnyBuilder,
  catalog: ModelCatalog,
  model: ModelSpec,
  { name, fields }: NamedFields,
): ObjectRef<SchemaTypes, AnyRow> | null {
  const parts = keyFields(model).filter((field) => fields.includes(field))
  if (parts.length === 0) return null
  const { needed } = sharedChangeTypes(builder)
  const types = parts.map((field) => ({ field, type: graphqlTypeName(catalog, model, field) }))
  for (const { type } of types) needed.add(type)
  return builder.objectRef<AnyRow>(name).implement({
    description: `The primary key of a row of ${model.name}.`,
    fields: (t) =>
      Object.fromEntries(
        types.map(({ field, type }) => [
          field.name,
          t.field({
            type: type as never,
            nullable: false,
            description: field.documentation ?? `\`${field.name}\` of the row.`,
            resolve: (key) => (type === 'ID' ? String(key[field.name]) : key[field.name]) as never,
          }),
        ]),
      ),
  })
}

/**
 * The resolver of `old` and `new`. Where the object type says what else its rows always carry (`include` or
 * `select` of prismaObject), the image gets that too: the type's resolvers count on it.
 */
function imageResolver(builder: AnyBuilder, model: ModelSpec) {
  const load = createImageReader(builder)
  const policies = policiesOf(builder)
  return (
    change: AnyChange,
    row: AnyRow | null,
    unavailable: readonly string[],
    context: object,
    info: GraphQLResolveInfo,
  ) => {
    if (row === null) return null
    const { hidden } = policies.view(context, model.name)
    const image = toImage(model.name, row, { unavailable, hidden, transaction: change.transaction })
    const always = getNamedType(info.returnType).extensions['pothosPrismaTypeSelection'] as
      | Selection
      | undefined
    if (always === undefined || relationsOf(model, always).size === 0) return image
    return load(model.name, image, always, context)
  }
}
