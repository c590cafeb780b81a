/** Stage 7, graphql. Types that the changes of all models share. */
import type { ChangeEvent } from '../../sets/row-subscription.ts'
import type { MetadataView } from '../policy/metadata-view.ts'
import type { EnumDefinition, FieldDefinition, ObjectDefinition, TypeDefinition } from '../type-definition.ts'
import type { SubscriptionScope } from './subscription-scope.ts'

/** `ChangeAction`, `ChangeTransaction` and the others, of a schema whose clients may choose `overflow` or not. */
export function sharedTypes({
  feed: { sources },
  mayChooseOverflow,
  metadata,
}: Pick<SubscriptionScope, 'feed' | 'mayChooseOverflow' | 'metadata'>): readonly TypeDefinition[] {
  return [
    ...[ACTION, TRANSITION, CAUSE],
    ...(metadata === null ? [TRANSACTION] : withMetadata(metadata)),
    ...(mayChooseOverflow ? [OVERFLOW] : []),
    ...(sources === undefined ? [] : [sourceEnum(sources)]),
  ]
}

function sourceEnum(sources: readonly string[]): EnumDefinition {
  return {
    kind: 'enum',
    name: 'ChangeSource',
    description: 'A database that changes come from. A cursor of one means nothing to another.',
    values: Object.fromEntries(sources.map((name) => [name, { value: name }])),
  }
}

/** `ChangeTransaction` with what the transaction says of itself, and that. */
function withMetadata(view: MetadataView): readonly ObjectDefinition[] {
  const fields = Object.entries(view.shape).map(
    ([name, type]) => [name, { type, description: `\`${name}\` of the metadata.` }] as const,
  )
  return [
    { ...TRANSACTION, fields: { ...TRANSACTION.fields, metadata: metadataField(view) } },
    {
      kind: 'object',
      name: 'ChangeMetadata',
      description:
        'Whose change it was, as the application that wrote it says. Null is what it does not say, and what is not for the viewer.',
      fields: Object.fromEntries(fields),
    },
  ]
}

/** `metadata` of a transaction, whose source is one of its changes. */
export function metadataField(view: MetadataView): FieldDefinition {
  return {
    type: 'ChangeMetadata',
    description:
      'What the transaction says of itself; null where it says nothing, or nothing of it is for the viewer.',
    resolve: ({ change }: Pick<ChangeEvent, 'change'>, _args, context) =>
      change.transaction === null ? null : view.show(context, change.transaction),
  }
}

// Not `id`: a transaction is no entity of a client's cache. An xid is unsigned and needs 32 bits, one more than
// Int has; and nobody calculates with it.
/** `xid` of a transaction, whose source is one of its changes. */
export const XID_FIELD: FieldDefinition = {
  type: 'ID!',
  description: 'PostgreSQL’s transaction id: the same for all changes of one transaction. It wraps around.',
  resolve: ({ change }: Pick<ChangeEvent, 'change'>) => String(change.transaction?.xid),
}

const WRITTEN = {
  INSERT: { value: 'INSERT', description: 'The row is new.' },
  UPDATE: { value: 'UPDATE', description: 'The row was there before.' },
  DELETE: { value: 'DELETE', description: 'The row is gone.' },
  TRUNCATE: {
    value: 'TRUNCATE',
    description: 'All rows of the table are gone at once; nothing is said of any of them.',
  },
} as const

/** `ChangeAction` of a schema that shows changes and no first rows. */
export const WRITTEN_ACTION: EnumDefinition = {
  kind: 'enum',
  name: 'ChangeAction',
  description: 'What happened to a row.',
  values: WRITTEN,
}

const ACTION: EnumDefinition = {
  ...WRITTEN_ACTION,
  values: {
    ...WRITTEN,
    READ: {
      value: 'READ',
      description:
        'No write: a row that is there, or that a change of other rows brought into sight or took out of it.',
    },
    READY: {
      value: 'READY',
      description: 'No write: all rows that are there have come. With `initial` only.',
    },
  },
}

const CAUSE: EnumDefinition = {
  kind: 'enum',
  name: 'ChangeCause',
  description: 'Why a row comes that no write brought.',
  values: {
    INITIAL: { value: 'INITIAL', description: 'The subscription begins with the rows there are.' },
    ACCESS: {
      value: 'ACCESS',
      description: 'The viewer may see the row since a change of other rows, or may not any more.',
    },
    RELATION: {
      value: 'RELATION',
      description: 'By `where`, another answer follows from a change of other rows.',
    },
    INCLUDED: {
      value: 'INCLUDED',
      description: 'Rows of a relation that the subscription includes have changed: `via` says which.',
    },
  },
}

const TRANSITION: EnumDefinition = {
  kind: 'enum',
  name: 'Transition',
  description: 'What a change means for the rows that a subscription’s `where` describes.',
  values: {
    ENTERED: { value: 'ENTERED', description: 'The row was none of them, and is one now.' },
    STAYED: { value: 'STAYED', description: 'The row was and is one of them.' },
    LEFT: { value: 'LEFT', description: 'The row was one of them, and is none now, or is gone.' },
  },
}

const OVERFLOW: EnumDefinition = {
  kind: 'enum',
  name: 'OverflowPolicy',
  description: 'What happens when a subscription leaves too many changes waiting.',
  values: {
    END: { value: 'end', description: 'It ends with SUBSCRIBER_TOO_SLOW and the cursor to go on after.' },
    CONFLATE: {
      value: 'conflate',
      description: 'It keeps the latest change of each row and forgets the others.',
    },
  },
}

const TRANSACTION: ObjectDefinition = {
  kind: 'object',
  name: 'ChangeTransaction',
  description: 'A change’s index among the changes of its transaction.',
  fields: {
    xid: XID_FIELD,
    index: {
      type: 'Int!',
      description:
        'Index of the change in the transaction, counted from 0 over all models; what was read follows what was written.',
      resolve: ({ change }: ChangeEvent) => change.index,
    },
    last: {
      type: 'Boolean!',
      description: 'True when no later change of the transaction follows in this subscription.',
      resolve: (delivery: ChangeEvent) => delivery.isLastOfTransaction,
    },
  },
}
