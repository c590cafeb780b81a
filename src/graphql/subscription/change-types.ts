/**
 * Stage 7, graphql. The types around one model's change: the interface `UserChange` with a type for each action,
 * `UserKey` and `UserField`. Their source is the bus's delivery itself; nothing is copied per change.
 */
import { type GraphQLResolveInfo, getNamedType } from 'graphql'
import { type ChangeEvent, isRead } from '../../sets/row-subscription.ts'
import { enumValues } from '../enum-type.ts'
import { EVENT_ACTIONS, type EventAction, isChangeAction } from '../event-action.ts'
import { noteImage } from '../reading/result-budgets.ts'
import type {
  EnumDefinition,
  FieldDefinition,
  FieldDefinitions,
  InterfaceDefinition,
  ObjectDefinition,
  TypeDefinition,
} from '../type-definition.ts'
import { sentRow, toImage } from './image-rows.ts'
import { keyField, keyType, oldKeyField } from './key-type.ts'
import { runsOwnCode } from './own-code.ts'
import type { SubscribedModel } from './subscription-scope.ts'

/** What the changes of all models have in common: an interface that each of their types implements. */
export const ANY_CHANGE = 'AnyChange'

/** Set as an extension of the types of a change. */
export const CHANGE_TYPE = 'rowcastChange'

/** Set as an extension of fields that judge their rows themselves. */
export const GUARDED_FIELD = 'rowcastGuarded'

/** The extension of the fields whose type becomes a copy of the row's type. */
export const OLD_ROW = 'rowcastOldRow'

/** What that extension says. */
export interface OldRowExtension {
  /** Of the copy. */
  readonly name: string
  readonly model: string
  /** Columns that clients must not learn of. */
  readonly omit: readonly string[]
}

/** What a schema is like. */
export interface ChangeTypesOptions {
  /** Name of the type of `old`. */
  readonly oldType: string
  /** What changes have besides. @default nothing */
  readonly fields?: FieldDefinitions | undefined
}

/** `UserChange`, first, the types that implement it, and those under it. */
export function changeTypes(
  subscribed: SubscribedModel,
  { oldType, fields: more = {} }: ChangeTypesOptions,
): readonly TypeDefinition[] {
  const { model, names, fields } = subscribed
  const key = keyType(subscribed)
  const payload: InterfaceDefinition = {
    kind: 'interface',
    name: names.change,
    description: `One change of a row of ${model.name}: which of the types it is says what is there.`,
    resolveType: ({ change, hidesNew }: ChangeEvent) => names.byAction[hidesNew ? 'DELETE' : change.action],
    fields: {
      old: oldField(subscribed, oldType),
      new: newField(subscribed, true),
      ...(key === null ? {} : { key: keyField(subscribed), oldKey: oldKeyField(subscribed) }),
      ...fieldNames(subscribed),
      ...originFields(),
      ...causeField(),
      ...more,
    },
  }
  const fieldName: EnumDefinition = {
    kind: 'enum',
    name: names.field,
    description: `The fields of ${model.name}.`,
    values: enumValues(fields, names.values),
  }
  const actions = EVENT_ACTIONS.map((action) => actionType(subscribed, action))
  return [payload, ...actions, fieldName, ...(key === null ? [] : [key])]
}

const ACTION_DESCRIPTIONS: Readonly<Record<EventAction, (model: string) => string>> = {
  INSERT: (model) => `A row of ${model} is new.`,
  UPDATE: (model) => `A row of ${model} was there before.`,
  DELETE: (model) =>
    `A row of ${model} is gone; or an UPDATE took it out of the viewer’s sight, and \`action\` says so.`,
  TRUNCATE: (model) => `All rows of ${model} are gone at once.`,
  READ: (model) =>
    `A row of ${model} that no write brought: one that is there, or that related rows brought into sight; or, where \`transition\` is LEFT, one that is none of them any more.`,
  READY: (model) =>
    `All rows of ${model} that are there have come; changes follow, and can be gone on after from here.`,
}

/** `UserInserted` and its kind: the interface's fields, of which some are never null. */
function actionType(subscribed: SubscribedModel, action: EventAction): ObjectDefinition {
  const { scope, names, model } = subscribed
  // The same for both: what two types of a selection have under one name must be null in both or in none.
  const rows = action === 'INSERT' || action === 'UPDATE' ? { new: newField(subscribed, false) } : {}
  const written = isChangeAction(action)
    ? { committedAt: committedAtField(false), transaction: transactionField(false) }
    : {}
  return {
    kind: 'object',
    name: names.byAction[action],
    description: ACTION_DESCRIPTIONS[action](model.name),
    interfaces: scope.hasTransactions ? [names.change, ANY_CHANGE] : [names.change],
    extensions: { [CHANGE_TYPE]: true },
    fields: { ...rows, ...written },
  }
}

/** `old`. */
function oldField(subscribed: SubscribedModel, type: string): FieldDefinition {
  const { model, names, omit } = subscribed
  const readImage = imageResolver(subscribed)
  return {
    type,
    description:
      'The whole row before the change, when the server has it; never half a row. Null for INSERT and ' +
      'TRUNCATE, and where the table’s replica identity is not FULL. Its relations are those its foreign ' +
      'keys point at now; the rows may be gone.',
    extensions: {
      [GUARDED_FIELD]: true,
      [OLD_ROW]: { name: names.old, model: model.name, omit } satisfies OldRowExtension,
    },
    resolve: ({ change, hidesOld }: ChangeEvent, _args, context, info) =>
      hidesOld ? null : readImage(change, 'old', context, info),
  }
}

/** `new`; an INSERT has one whenever it is delivered, an UPDATE whenever it is of that type. */
function newField(subscribed: SubscribedModel, isNullable: boolean): FieldDefinition {
  const readImage = imageResolver(subscribed)
  return {
    type: isNullable ? subscribed.rowType : `${subscribed.rowType}!`,
    description: isNullable
      ? 'The row after the change, or as it is; null for DELETE, TRUNCATE and READY, for a READ of a row that left, and where it is not for the viewer.'
      : 'The row after the change.',
    extensions: { [GUARDED_FIELD]: true },
    resolve: ({ change, hidesNew }: ChangeEvent, _args, context, info) =>
      hidesNew ? null : readImage(change, 'new', context, info),
  }
}

/** `changed` and `unavailable`. */
function fieldNames({ scope: { policies }, model, names, fields }: SubscribedModel): FieldDefinitions {
  const visible = new Set(fields.map((field) => field.name))
  const onlyVisible = (candidates: Iterable<string>, context: object) => {
    const { hidden } = policies.view(context, model.name)
    return [...candidates].filter((candidate) => visible.has(candidate) && !hidden.has(candidate))
  }
  return {
    changed: {
      type: `[${names.field}!]!`,
      description:
        'The fields whose value an UPDATE changed. Empty for every other action, and where `old` or `new` is hidden: ' +
        'then all of the row is new or gone.',
      resolve: ({ change, hidesOld, hidesNew }: ChangeEvent, _args, context) =>
        change.action !== 'UPDATE' || hidesOld || hidesNew ? [] : onlyVisible(change.changed, context),
    },
    unavailable: {
      type: `[${names.field}!]!`,
      description:
        'The fields of `new` that PostgreSQL did not send: large values that an UPDATE left as they were, where ' +
        'the replica identity is not FULL. Selecting one of them is an error.',
      resolve: ({ change, hidesNew }: ChangeEvent, _args, context) =>
        onlyVisible(hidesNew ? [] : change.unavailable, context),
    },
  }
}

/** `cause`. */
function causeField(): FieldDefinitions {
  return {
    cause: {
      type: 'ChangeCause',
      description: 'Why a row comes that no write brought; null for every other action than READ.',
      resolve: (event: ChangeEvent) => (isRead(event) ? event.change.cause : null),
    },
  }
}

/** `action`, `transition`, `cursor`, `committedAt` and `transaction`. */
export function originFields(): FieldDefinitions {
  return {
    action: {
      type: 'ChangeAction!',
      description: 'What happened to the row.',
      resolve: ({ change }: ChangeEvent) => change.action,
    },
    transition: {
      type: 'Transition',
      description:
        'Whether the row enters, stays among or leaves the rows that `where` describes; null without `where`, but for READ.',
      resolve: ({ transition }: ChangeEvent) => transition,
    },
    cursor: {
      type: 'Cursor!',
      description:
        'Where the change stands: subscribe with `after: cursor` to go on after it. Nothing can go on after that of a first row: ' +
        'RESYNC_REQUIRED.',
      resolve: ({ change }: ChangeEvent) => change.cursor,
    },
    committedAt: committedAtField(true),
    transaction: transactionField(true),
  }
}

/** `committedAt`; every change has one, and first rows have none. */
function committedAtField(isNullable: boolean): FieldDefinition {
  return {
    type: isNullable ? 'DateTime' : 'DateTime!',
    description: `When the transaction committed, by the clock of PostgreSQL${isNullable ? '; null for first rows and READY' : ''}.`,
    resolve: ({ change }: ChangeEvent) => change.transaction?.committedAt ?? null,
  }
}

/** `transaction`, likewise. */
function transactionField(isNullable: boolean): FieldDefinition {
  return {
    type: isNullable ? 'ChangeTransaction' : 'ChangeTransaction!',
    description: `The transaction that made the change, and the position of the change in it${isNullable ? '; null for first rows and READY' : ''}.`,
    resolve: (event: ChangeEvent) => (event.change.transaction === null ? null : event),
  }
}

/** Gives `old` or `new` of a change as the resolvers of its type take it. */
export function imageResolver({ scope: { policies, completeImage }, model }: SubscribedModel) {
  return (
    change: ChangeEvent['change'],
    side: 'old' | 'new',
    context: object,
    { returnType, rootValue }: Pick<GraphQLResolveInfo, 'returnType' | 'rootValue'>,
  ) => {
    const type = getNamedType(returnType)
    const row = (runsOwnCode(type) ? change.fresh() : change)[side]
    if (row === null) return null
    const { unavailable } = change
    const transaction = change.transaction ?? ('writtenBy' in change ? change.writtenBy : null)
    const { hidden } = policies.view(context, model.name)
    const image = toImage(model.name, row, { unavailable, hidden, transaction })
    noteImage(context, rootValue, sentRow(image))
    return completeImage === undefined ? image : completeImage(image, type, context)
  }
}
