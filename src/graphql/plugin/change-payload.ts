/**
 * Stage 7, graphql. The types around one model's change: the interface `UserChange` with a type for each action,
 * `UserKey` and `UserField`. Their source is the bus's delivery itself; nothing is copied per change.
 */
import type { EnumRef, InterfaceRef, SchemaTypes } from '@pothos/core'
import type { PrismaModelTypes, PrismaObjectRef } from '@pothos/plugin-prisma'
import { type GraphQLResolveInfo, getNamedType } from 'graphql'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { type ChangeEvent, isFirstRow } from '../../sets/row-subscription.ts'
import { policiesOf } from '../builder/builder-policies.ts'
import type { AnyBuilder } from '../builder/builder-state.ts'
import { sharedChangeTypes } from '../builder/shared-change-types.ts'
import { enumValues } from '../enum-type.ts'
import { EVENT_ACTIONS, type EventAction, isChangeAction } from '../event-action.ts'
import { visibleFields } from '../field-type.ts'
import { modelNames } from '../schema-names.ts'
import { defineKey, keyField, type PayloadScope } from './change-key.ts'
import { createImageReader } from './image-reader.ts'
import { relationsOf, type Selection } from './image-relations.ts'
import { toImage } from './image-rows.ts'
import { OLD_ROW, type OldRowExtension } from './old-row-type.ts'
import { CHANGE_TYPE } from './own-change.ts'
import { runsOwnCode } from './own-code.ts'
import { GUARDED_FIELD } from './policy-guard.ts'

/** What the payload of one model is made of beside the model. */
export interface ChangePayloadOptions {
  /** Object type of `old` and `new`. */
  readonly rowType: PrismaObjectRef<SchemaTypes, PrismaModelTypes, object>
  /** Fields that clients must not learn of. */
  readonly omit: readonly string[]
}

/** A type whose source is a delivery, or what stands beside deliveries. */
type EventRef = InterfaceRef<SchemaTypes, ChangeEvent>

/** The same with the object type of the images. */
interface RowScope extends PayloadScope, ChangePayloadOptions {}

/** `UserChange`, and `UserField` for arguments that name fields. */
export interface ChangePayload {
  readonly payload: EventRef
  readonly fieldName: EnumRef<SchemaTypes, string>
}

/** `UserChange`, the types that implement it, and those under it. */
export function defineChangePayload(
  builder: AnyBuilder,
  catalog: ModelCatalog,
  model: ModelSpec,
  { rowType, omit }: ChangePayloadOptions,
): ChangePayload {
  const names = modelNames(catalog, model.name)
  const { byAction } = names
  const scope = { builder, catalog, model, names, rowType, omit, fields: visibleFields(model, omit) }
  const payload = builder.interfaceRef<ChangeEvent>(names.change).implement({
    description: `One change of a row of ${model.name}: which of the types it is says what is there.`,
    resolveType: ({ change, hidesNew }) => byAction[hidesNew ? 'DELETE' : change.action],
  }) as EventRef
  const fieldName = builder.enumType(names.field, {
    description: `The fields of ${model.name}.`,
    values: enumValues(scope.fields, names.values),
  }) as EnumRef<SchemaTypes, string>
  addRows(scope, payload)
  const key = defineKey(scope)
  if (key !== null) builder.interfaceField(payload, 'key', (t) => t.field(keyField(scope, key)))
  addFieldNames(scope, payload, fieldName)
  addOrigin(builder, payload)
  for (const action of EVENT_ACTIONS) defineAction(scope, payload, action)
  return { payload, fieldName }
}

const ACTION_DESCRIPTIONS: Readonly<Record<EventAction, (model: string) => string>> = {
  INSERT: (model) => `A row of ${model} is new.`,
  UPDATE: (model) => `A row of ${model} was there before.`,
  DELETE: (model) =>
    `A row of ${model} is gone; or an UPDATE took it out of the viewer’s sight, and \`action\` says so.`,
  TRUNCATE: (model) => `All rows of ${model} are gone at once.`,
  READ: (model) =>
    `A row of ${model} that no write brought: with \`initial\`, one that is there; or, where \`transition\` is LEFT, is none of them any more.`,
  READY: (model) =>
    `All rows of ${model} that are there have come; changes follow, and can be gone on after from here.`,
}

/** `UserInserted` and its kind: the interface's fields, of which some are never null. */
function defineAction(scope: RowScope, payload: EventRef, action: EventAction): void {
  const { builder, names, model } = scope
  const ref = builder.objectRef<ChangeEvent>(names.byAction[action]).implement({
    description: ACTION_DESCRIPTIONS[action](model.name),
    interfaces: [payload],
    extensions: { [CHANGE_TYPE]: true },
  })
  // The same for both: what two types of a selection have under one name must be null in both or in none.
  if (action === 'INSERT' || action === 'UPDATE')
    builder.objectField(ref, 'new', (t) => t.field(newField(scope, false)) as never)
  if (!isChangeAction(action)) return
  builder.objectFields(ref, (t) => ({
    committedAt: t.field(committedAtField(false)),
    transaction: t.field(transactionField(builder, false)),
  }))
}

/** `old` and `new`. */
function addRows(scope: RowScope, payload: EventRef): void {
  const { builder, model, names, omit, rowType } = scope
  const readImage = imageResolver(builder, model)
  builder.interfaceFields(payload, (t) => ({
    old: t.field({
      type: rowType,
      nullable: true,
      description:
        'The whole row before the change, when the server has it; never half a row. Null for INSERT and ' +
        'TRUNCATE, and where the table’s replica identity is not FULL. Its relations are those its foreign ' +
        'keys point at now; the rows may be gone.',
      extensions: {
        [GUARDED_FIELD]: true,
        [OLD_ROW]: { name: names.old, model: model.name, omit } satisfies OldRowExtension,
      },
      resolve: ({ change, hidesOld }, _args, context, info) =>
        hidesOld ? null : readImage(change, 'old', context, info),
    }),
    new: t.field(newField(scope, true)),
  }))
}

/** `new`; an INSERT has one whenever it is delivered, an UPDATE whenever it is of that type. */
function newField({ builder, model, rowType }: RowScope, isNullable: boolean) {
  const readImage = imageResolver(builder, model)
  return {
    type: rowType,
    nullable: isNullable,
    description: isNullable
      ? 'The row after the change, or as it is; null for DELETE, TRUNCATE and READY, for a READ of a row that left, and where it is not for the viewer.'
      : 'The row after the change.',
    extensions: { [GUARDED_FIELD]: true },
    resolve: ({ change, hidesNew }: ChangeEvent, _args: object, context: object, info: GraphQLResolveInfo) =>
      hidesNew ? null : readImage(change, 'new', context, info),
  } as never
}

/** `changed` and `unavailable`. */
function addFieldNames(
  { builder, model, fields }: PayloadScope,
  payload: EventRef,
  fieldName: EnumRef<SchemaTypes, string>,
): void {
  const visible = new Set(fields.map((field) => field.name))
  const policies = policiesOf(builder)
  const onlyVisible = (names: Iterable<string>, context: object) => {
    const { hidden } = policies.view(context, model.name)
    return [...names].filter((candidate) => visible.has(candidate) && !hidden.has(candidate))
  }
  builder.interfaceFields(payload, (t) => ({
    changed: t.field({
      type: [fieldName],
      nullable: { list: false, items: false },
      description:
        'The fields whose value an UPDATE changed. Empty for every other action, and where `old` or `new` is hidden: ' +
        'then all of the row is new or gone.',
      resolve: ({ change, hidesOld, hidesNew }, _args, context) =>
        change.action !== 'UPDATE' || hidesOld || hidesNew ? [] : onlyVisible(change.changed, context),
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
}

/** `action`, `transition`, `cause`, `cursor`, `committedAt` and `transaction`. */
function addOrigin(builder: AnyBuilder, payload: EventRef): void {
  const { action } = sharedChangeTypes(builder)
  builder.interfaceFields(payload, (t) => ({
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
        'Whether the row enters, stays among or leaves the rows that `where` describes; null without `where`, but for READ.',
      resolve: ({ transition }) => transition,
    }),
    cause: t.field({
      type: sharedChangeTypes(builder).cause,
      nullable: true,
      description: 'Why a row comes that no write brought; null for every other action than READ.',
      resolve: (event) => (isFirstRow(event) ? event.change.cause : null),
    }),
    cursor: t.field({
      type: 'Cursor' as never,
      nullable: false,
      description:
        'Where the change stands: subscribe with `after: cursor` to go on after it. Nothing can go on after that of a READ: ' +
        'RESYNC_REQUIRED.',
      resolve: ({ change }) => change.cursor as never,
    }),
    committedAt: t.field(committedAtField(true)),
    transaction: t.field(transactionField(builder, true)),
  }))
}

/** `committedAt`; every change has one, and first rows have none. */
function committedAtField(isNullable: boolean) {
  return {
    type: 'DateTime',
    nullable: isNullable,
    description: `When the transaction committed, by the clock of PostgreSQL${isNullable ? '; null for READ and READY' : ''}.`,
    resolve: ({ change }: ChangeEvent) => change.transaction?.committedAt ?? null,
  } as never
}

/** `transaction`, likewise. */
function transactionField(builder: AnyBuilder, isNullable: boolean) {
  return {
    type: sharedChangeTypes(builder).transaction,
    nullable: isNullable,
    description: `The transaction that made the change, and the place of the change in it${isNullable ? '; null for READ and READY' : ''}.`,
    resolve: (event: ChangeEvent) => (isFirstRow(event) ? null : event),
  } as never
}

/**
 * The resolver of `old` and `new`. Where the object type says what else its rows always carry (`include` or
 * `select` of prismaObject), the image gets that too: the type's resolvers count on it.
 */
function imageResolver(builder: AnyBuilder, model: ModelSpec) {
  const load = createImageReader(builder)
  const policies = policiesOf(builder)
  return (change: ChangeEvent['change'], side: 'old' | 'new', context: object, info: GraphQLResolveInfo) => {
    const type = getNamedType(info.returnType)
    const row = (runsOwnCode(type) ? change.fresh() : change)[side]
    if (row === null) return null
    const { unavailable } = change
    const transaction = change.transaction ?? change.writtenBy
    const { hidden } = policies.view(context, model.name)
    const image = toImage(model.name, row, { unavailable, hidden, transaction })
    const always = type.extensions['pothosPrismaTypeSelection'] as Selection | undefined
    if (always === undefined || relationsOf(model, always).size === 0) return image
    return load(model.name, image, always, context)
  }
}
