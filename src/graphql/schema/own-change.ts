/**
 * Stage 7, graphql. Fields that the application adds to a change (`builder.interfaceField`). What they get is theirs: the change
 * that subscriptions share holds rows which a resolver that masks in place would mask for everybody.
 */
import { defaultFieldResolver, type GraphQLField, type GraphQLSchema, isObjectType } from 'graphql'
import { type ChangeEvent, isRead } from '../../sets/row-subscription.ts'
import { CHANGE_TYPE } from '../subscription/change-types.ts'
import { INCLUDED_FIELD } from '../subscription/included-types.ts'

/** rowcast's own fields of a change: they only look. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  ...['action', 'old', 'new', 'key', 'oldKey', 'changed', 'unavailable'],
  ...['transition', 'cause', 'cursor', 'committedAt', 'transaction'],
])

/** Gives every other field of a change a change of its own. */
export function giveOwnChanges(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.extensions[CHANGE_TYPE] !== true) continue
    for (const field of Object.values(type.getFields())) {
      if (!OWN_FIELDS.has(field.name) && field.extensions[INCLUDED_FIELD] !== true) giveOwnChange(field)
    }
  }
}

function giveOwnChange(field: GraphQLField<unknown, unknown>): void {
  const { resolve = defaultFieldResolver } = field
  field.resolve = (delivery, args, context, info) =>
    resolve(ownEvent(delivery as ChangeEvent), args, context, info)
}

function ownEvent(event: ChangeEvent): ChangeEvent {
  if (isRead(event)) return { ...event, change: event.change.fresh() }
  const { change, transition, hidesOld, hidesNew, isLastOfTransaction, heard } = event
  return { change: change.fresh(), transition, hidesOld, hidesNew, isLastOfTransaction, heard }
}
