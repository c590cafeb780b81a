/** Stage 7, graphql. Types that the changes of all models share. */
import type { Delivery } from '../../bus/bus.ts'
import type { MetadataView } from '../policy/metadata-view.ts'
import type { EnumDefinition, FieldDefinition, ObjectDefinition, TypeDefinition } from '../type-definition.ts'
import type { SubscriptionScope } from './subscription-scope.ts'

/** `ChangeAction`, `ChangeTransaction` and the others, of a schema whose clients may choose `overflow` or not. */
export function sharedTypes({
  mayChooseOverflow,
  metadata,
}: Pick<SubscriptionScope, 'mayChooseOverflow' | 'metadata'>): readonly TypeDefinition[] {
  const types = [ACTION, TRANSITION, CAUSE, ...(metadata === null ? [TRANSACTION] : withMetadata(metadata))]
  return mayChooseOverflow ? [...types, OVERFLOW] : types
}

/** `ChangeTransaction` with what the transaction says of itself, and that. */
function withMetadata(view: MetadataView): readonly ObjectDefinition[] {
  const fields = Object.entries(view.shape).map(
    ([name, type]) => [name, { type, description: `\`${name}\` of the metadata.` }] as const,
  )
  const metadata: FieldDefinition = {
    type: 'ChangeMetadata',
    description:
      'What the transaction says of itself; null where it says nothing, or nothing of it is for the viewer.',
    resolve: ({ change }: Delivery, _args, context) => view.show(context, change.transaction),
  }
  return [
    { ...TRANSACTION, fields: { ...TRANSACTION.fields, metadata } },
    {
      kind: 'object',
      name: 'ChangeMetadata',
      description:
        'Whose change it was, as the application that wrote it says. Null is what it does not say, and what is not for the viewer.',
      fields: Object.fromEntries(fields),
    },
  ]
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
        'No write: a row that is there, or is none of those asked for any more. With `initial` only.',
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
  values: { INITIAL: { value: 'INITIAL', description: 'The subscription begins with the rows there are.' } },
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
  description: 'A change’s place among the changes of its transaction.',
  fields: {
    // Not `id`: a transaction is no entity of a client's cache. An xid is unsigned and needs 32 bits, one more than
    // Int has; and nobody calculates with it.
    xid: {
      type: 'ID!',
      description:
        'PostgreSQL’s transaction id: the same for all changes of one transaction. It wraps around.',
      resolve: ({ change }: Delivery) => String(change.transaction.xid),
    },
    index: {
      type: 'Int!',
      description: 'Place of the change in the transaction, counted from 0 over all models.',
      resolve: ({ change }: Delivery) => change.index,
    },
    last: {
      type: 'Boolean!',
      description: 'True when no later change of the transaction follows in this subscription.',
      resolve: (delivery: Delivery) => delivery.isLastOfTransaction,
    },
  },
}
