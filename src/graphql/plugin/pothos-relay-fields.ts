/**
 * Stage 7, graphql. What a change has besides where Pothos' Relay plugin makes a node of the model: `edge`, `deletedId` and
 * `leftId`, shaped for Relay's `@appendEdge`, `@deleteRecord` and `@deleteEdge`, which do nothing where they find null.
 */
import type { SchemaTypes } from '@pothos/core'
import { formatPrismaCursor, type PrismaModelTypes, type PrismaObjectRef } from '@pothos/plugin-prisma'
import { defaultFieldResolver, type GraphQLResolveInfo, isObjectType } from 'graphql'
import type { AnyRow } from '../../changes/change.ts'
import { type ChangeEvent, isRead } from '../../sets/row-subscription.ts'
import { defineTypes, fieldsOf, refOf } from '../builder/define-types.ts'
import { type AnyBuilder, addInterfaceFields } from '../builder/untyped-builder.ts'
import { isNodeOfPothos } from '../pothos-internals.ts'
import { GUARDED_FIELD, imageResolver } from '../subscription/change-types.ts'
import { toImage } from '../subscription/image-rows.ts'
import { visibleKey } from '../subscription/key-type.ts'
import type { SubscribedModel } from '../subscription/subscription-scope.ts'
import type { FieldDefinition, ObjectDefinition } from '../type-definition.ts'

/** Options of Pothos' Relay plugin, as far as they name what is used here. */
interface RelayOptions {
  readonly idFieldName?: string
  readonly cursorType?: 'ID' | 'String'
}

/** A row of a change, as resolvers of its type take it. */
type Image = AnyRow | Promise<object> | null

/** Adds the fields to the changes of a model whose object type is a node; a field of the application's by such a name stays. */
export function addRelayFields(
  builder: AnyBuilder,
  subscribed: SubscribedModel,
  rowType: PrismaObjectRef<SchemaTypes, PrismaModelTypes, object>,
): void {
  if (!isNodeOfPothos(builder.configStore.getTypeConfig(rowType).extensions)) return
  const relay: RelayOptions = Reflect.get(builder.options, 'relay') ?? {}
  const edge = edgeType(builder, subscribed, relay)
  defineTypes(builder, [edge])
  const fields = relayFields(subscribed, edge.name, relay.idFieldName ?? 'id')
  const change = Object(refOf(builder, subscribed.names.change))
  addInterfaceFields(builder, change, (t) => fieldsOf(builder, fields, t))
}

/** `UserChangeEdge`. */
function edgeType(builder: AnyBuilder, subscribed: SubscribedModel, { cursorType = 'String' }: RelayOptions) {
  const { names, rowType, model } = subscribed
  let name = `${names.change}Edge`
  while (builder.configStore.hasConfig(name)) name += '_'
  const imageOf = imageResolver(subscribed)
  return {
    kind: 'object',
    name,
    description: `A row of ${model.name} as an edge, for connections that clients keep.`,
    fields: {
      cursor: {
        type: cursorType,
        description:
          'Where the row stands in a connection whose cursors are the primary key; null without one.',
        resolve: (event: ChangeEvent, _args, context) => cursorOf(subscribed, event, context),
      },
      node: {
        type: `${rowType}!`,
        description: 'The row.',
        extensions: { [GUARDED_FIELD]: true },
        resolve: ({ change }: ChangeEvent, _args, context, info) => imageOf(change, 'new', context, info),
      },
    },
  } satisfies ObjectDefinition
}

/** Null where the viewer may not see all of the key, which stands in it. */
function cursorOf(
  { model, fields, scope }: SubscribedModel,
  event: ChangeEvent,
  context: object,
): string | null {
  const key = visibleKey(model, event)
  const [only, ...others] = model.primaryKey
  const { hidden } = scope.policies.view(context, model.name)
  const isShown = (name: string) => !hidden.has(name) && fields.some((field) => field.name === name)
  if (key === null || only === undefined || !model.primaryKey.every(isShown)) return null
  return formatPrismaCursor(key, others.length === 0 ? only : [only, ...others])
}

function relayFields(
  subscribed: SubscribedModel,
  edge: string,
  idField: string,
): Readonly<Record<string, FieldDefinition>> {
  const idOf = nodeIdResolver(subscribed, idField)
  return {
    edge: {
      type: edge,
      description:
        'The row, where it is new among those that the viewer subscribed to: inserted, read first, or come into sight. For `@appendEdge` and `@prependEdge`.',
      resolve: async (event: ChangeEvent, _args, context, info) =>
        event.hidesNew || event.change.new === null || event.transition === 'LEFT'
          ? null
          : isNew(event) || (await idOf.deleted(event, context, info)) !== null
            ? event
            : null,
    },
    deletedId: {
      type: 'ID',
      description:
        'The id of the node that is gone: deleted, out of the viewer’s sight, or known by another id from now on. For `@deleteRecord`.',
      resolve: (event: ChangeEvent, _args, context, info) => idOf.deleted(event, context, info),
    },
    leftId: {
      type: 'ID',
      description:
        'The id of the node that is none of those that the viewer subscribed to any more: gone, or `where` does not hold for it now. For `@deleteEdge`.',
      resolve: async (event: ChangeEvent, _args, context, info) =>
        (await idOf.deleted(event, context, info)) ??
        (event.transition === 'LEFT' ? idOf.current(event, context, info) : null),
    },
  }
}

function isNew({ change, transition, hidesOld }: ChangeEvent): boolean {
  return change.action === 'INSERT' || change.action === 'READ' || transition === 'ENTERED' || hidesOld
}

/** Ids of nodes, by the resolver that the row's own type has for them. */
function nodeIdResolver(subscribed: SubscribedModel, idField: string) {
  const { model } = subscribed
  const imageOf = imageResolver(subscribed)
  const idOf = async (image: Image, context: object, info: GraphQLResolveInfo): Promise<unknown> => {
    const type = info.schema.getType(subscribed.rowType)
    const field = isObjectType(type) ? type.getFields()[idField] : undefined
    if (!isObjectType(type) || field === undefined || image === null) return null
    const { resolve = defaultFieldResolver } = field
    const own = { ...info, fieldName: idField, parentType: type, returnType: field.type }
    return resolve(await image, {}, context, own)
  }
  const image = (
    event: ChangeEvent,
    side: 'old' | 'new',
    context: object,
    info: GraphQLResolveInfo,
  ): Image => {
    const type = info.schema.getType(subscribed.rowType)
    return isObjectType(type)
      ? imageOf(event.change, side, context, { returnType: type, rootValue: info.rootValue })
      : null
  }
  const current = (event: ChangeEvent, context: object, info: GraphQLResolveInfo) => {
    const row = event.hidesNew ? null : image(event, 'new', context, info)
    return idOf(row ?? keyImage(subscribed, visibleKey(model, event), context), context, info)
  }
  const deleted = async (event: ChangeEvent, context: object, info: GraphQLResolveInfo) => {
    if (isRead(event) || event.change.action === 'TRUNCATE' || event.change.action === 'INSERT') return null
    const { change, hidesOld, hidesNew } = event
    const old = hidesOld ? null : image(event, 'old', context, info)
    if (change.action === 'DELETE' || hidesNew)
      return idOf(old ?? keyImage(subscribed, visibleKey(model, event), context), context, info)
    const known = old ?? (hidesOld ? null : keyImage(subscribed, change.oldKey ?? null, context))
    if (known === null) return null
    const [before, after] = await Promise.all([idOf(known, context, info), current(event, context, info)])
    return before === after ? null : before
  }
  return { current, deleted }
}

/** What is known of a row of which only the key was sent: what else it had cannot be read. */
function keyImage({ model, fields, scope }: SubscribedModel, key: AnyRow | null, context: object): Image {
  if (key === null) return null
  const unavailable = fields.map(({ name }) => name).filter((name) => !model.primaryKey.includes(name))
  const { hidden } = scope.policies.view(context, model.name)
  return toImage(model.name, { ...key }, { unavailable, hidden })
}
