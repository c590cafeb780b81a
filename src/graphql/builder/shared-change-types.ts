/**
 * Stage 7, graphql. Types that the changes of all models share, one of each per builder, and the scalars and
 * enums that a builder may lack.
 */
import type { EnumRef, ObjectRef, SchemaTypes } from '@pothos/core'
import type { Delivery, OverflowPolicy } from '../../bus/bus.ts'
import type { Transition } from '../../bus/filter/judge-change.ts'
import type { EnumSpec, ModelCatalog } from '../../catalog/model-catalog.ts'
import type { ChangeAction } from '../../changes/change.ts'
import type { FirstRowChange } from '../../sets/row-subscription.ts'
import { defineEnum } from '../enum-type.ts'
import type { EventAction } from '../event-action.ts'
import { SCALARS, type ScalarName } from '../scalars.ts'
import { schemaNames } from '../schema-names.ts'
import { type AnyBuilder, type SharedChangeTypes, stateOf } from './builder-state.ts'

/** `ChangeAction` and `ChangeTransaction`, one of each per builder. */
export function sharedChangeTypes(builder: AnyBuilder): SharedChangeTypes {
  const state = stateOf(builder)
  state.changeTypes ??= {
    action: defineAction(builder),
    transition: defineTransition(builder),
    cause: defineCause(builder),
    overflow: builder.options.rowcast.mayChooseOverflow === true ? defineOverflow(builder) : null,
    transaction: defineTransaction(builder),
    needed: new Set(['DateTime', 'Cursor']),
  }
  return state.changeTypes
}

/** Adds the scalars and enums that payloads need to a builder that does not have types of these names. */
export function addMissingTypes(builder: AnyBuilder): void {
  const { catalog } = builder.options.rowcast.feed
  for (const name of sharedChangeTypes(builder).needed) {
    if (builder.configStore.hasConfig(name)) continue
    const catalogEnum = enumOfType(catalog, name)
    if (catalogEnum !== undefined) {
      defineEnum(builder, catalog, catalogEnum)
    } else if (Object.hasOwn(SCALARS, name)) {
      builder.addScalarType(name as never, SCALARS[name as ScalarName])
    }
  }
}

/** The enum that is called so in GraphQL. */
function enumOfType(catalog: ModelCatalog, type: string): EnumSpec | undefined {
  const { enums } = schemaNames(catalog)
  return Object.values(catalog.enums).find(({ name }) => enums.get(name)?.type === type)
}

const ACTION_DESCRIPTION = 'What happened to a row.'
const WRITTEN = {
  INSERT: { description: 'The row is new.' },
  UPDATE: { description: 'The row was there before.' },
  DELETE: { description: 'The row is gone.' },
  TRUNCATE: { description: 'All rows of the table are gone at once; nothing is said of any of them.' },
} as const

/** `ChangeAction` of a schema that shows changes and no first rows. */
export function defineWrittenAction(builder: AnyBuilder): EnumRef<SchemaTypes, ChangeAction> {
  return builder.enumType('ChangeAction', {
    description: ACTION_DESCRIPTION,
    values: WRITTEN,
  }) as EnumRef<SchemaTypes, ChangeAction>
}

function defineAction(builder: AnyBuilder): EnumRef<SchemaTypes, EventAction> {
  return builder.enumType('ChangeAction', {
    description: ACTION_DESCRIPTION,
    values: {
      ...WRITTEN,
      READ: {
        description:
          'No write: a row that is there, or is none of those asked for any more. With `initial` only.',
      },
      READY: { description: 'No write: all rows that are there have come. With `initial` only.' },
    },
  }) as EnumRef<SchemaTypes, EventAction>
}

function defineCause(builder: AnyBuilder): EnumRef<SchemaTypes, NonNullable<FirstRowChange['cause']>> {
  return builder.enumType('ChangeCause', {
    description: 'Why a row comes that no write brought.',
    values: { INITIAL: { description: 'The subscription begins with the rows there are.' } },
  }) as EnumRef<SchemaTypes, NonNullable<FirstRowChange['cause']>>
}

function defineTransition(builder: AnyBuilder): EnumRef<SchemaTypes, Transition> {
  return builder.enumType('Transition', {
    description: 'What a change means for the rows that a subscription’s `where` describes.',
    values: {
      ENTERED: { description: 'The row was none of them, and is one now.' },
      STAYED: { description: 'The row was and is one of them.' },
      LEFT: { description: 'The row was one of them, and is none now, or is gone.' },
    },
  }) as EnumRef<SchemaTypes, Transition>
}

function defineOverflow(builder: AnyBuilder): EnumRef<SchemaTypes, OverflowPolicy> {
  return builder.enumType('OverflowPolicy', {
    description: 'What happens when a subscription leaves too many changes waiting.',
    values: {
      END: { value: 'end', description: 'It ends with SUBSCRIBER_TOO_SLOW and the cursor to go on after.' },
      CONFLATE: {
        value: 'conflate',
        description: 'It keeps the latest change of each row and forgets the others.',
      },
    },
  }) as EnumRef<SchemaTypes, OverflowPolicy>
}

function defineTransaction(builder: AnyBuilder): ObjectRef<SchemaTypes, Delivery> {
  return builder.objectRef<Delivery>('ChangeTransaction').implement({
    description: 'A change’s place among the changes of its transaction.',
    fields: (t) => ({
      // Not `id`: a transaction is no entity of a client's cache. An xid is unsigned and needs 32 bits, one more than
      // Int has; and nobody calculates with it.
      xid: t.id({
        nullable: false,
        description:
          'PostgreSQL’s transaction id: the same for all changes of one transaction. It wraps around.',
        resolve: ({ change }) => String(change.transaction.xid),
      }),
      index: t.int({
        nullable: false,
        description: 'Place of the change in the transaction, counted from 0 over all models.',
        resolve: ({ change }) => change.index,
      }),
      last: t.boolean({
        nullable: false,
        description: 'True when no later change of the transaction follows in this subscription.',
        resolve: (delivery) => delivery.isLastOfTransaction,
      }),
    }),
  })
}
