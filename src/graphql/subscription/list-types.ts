/** Stage 7, graphql. The types around one model's live list: the interface `PostList`, a snapshot, a patch, and its operations. */
import { type GraphQLResolveInfo, getNamedType } from 'graphql'
import type { AnyRow } from '../../changes/change.ts'
import type { KeptListEvent } from '../../sets/kept-request.ts'
import type { ListOperation } from '../../sets/list-operations.ts'
import { orderableFields, orderInput, SORT_ORDER } from '../listing/order-input.ts'
import { hideFields } from '../policy/guard-rows.ts'
import { ownCopy } from '../policy/own-copy.ts'
import { noteImage } from '../reading/result-budgets.ts'
import { slicedList } from '../reading/sliced-list.ts'
import type {
  EnumDefinition,
  FieldDefinitions,
  InterfaceDefinition,
  ObjectDefinition,
  TypeDefinition,
} from '../type-definition.ts'
import { GUARDED_FIELD } from './change-types.ts'
import { sentRow, toImage, withoutUnreadable } from './image-rows.ts'
import { POSITION_FIELDS } from './kept-rows.ts'
import { keyType } from './key-type.ts'
import type { SubscribedModel } from './subscription-scope.ts'
import { transactionType } from './transaction-types.ts'

const KIND: EnumDefinition = {
  kind: 'enum',
  name: 'ListOperationKind',
  description: 'What happens to a row of a list.',
  values: {
    INSERT: { value: 'INSERT', description: '`row` is put at `index`: it was not in the list.' },
    UPDATE: { value: 'UPDATE', description: '`row` takes the place of what is at `index`.' },
    MOVE: {
      value: 'MOVE',
      description: 'The row with the key is taken out, then `row` is put at `index`.',
    },
    REMOVE: {
      value: 'REMOVE',
      description: 'The row at `index` is taken out. It may still be in the database.',
    },
  },
}

/** One operation, with the event that it is of. */
interface EventOperation extends ListOperation {
  readonly event: KeptListEvent
}

/** `PostList`, first, and what is under it. */
export function listTypes(subscribed: SubscribedModel): readonly TypeDefinition[] {
  const { scope, model, names, omit } = subscribed
  const ordered = orderableFields(scope.feed.catalog, model, omit)
  const list: InterfaceDefinition = {
    kind: 'interface',
    name: names.list,
    description: `A list of ${model.name}, whole or what has changed of it.`,
    resolveType: ({ kind }: KeptListEvent) => (kind === 'snapshot' ? names.listSnapshot : names.listPatch),
    fields: commonFields(),
  }
  return [
    list,
    snapshotType(subscribed),
    patchType(subscribed),
    operationType(subscribed),
    ...(ordered.length === 0 ? [] : [SORT_ORDER, orderInput(model, names, ordered)]),
    KIND,
    transactionType(scope.metadata),
  ]
}

function commonFields(): FieldDefinitions {
  return {
    totalCount: {
      type: 'Int!',
      description: 'How many rows there are, in the list and behind it.',
      resolve: ({ shown }: KeptListEvent) => shown.totalCount ?? 0,
    },
    ...POSITION_FIELDS,
    transactions: {
      type: '[CommittedTransaction!]!',
      description:
        'The latest transactions that have a part in it, in their order, 64 at the most: with `every` a patch may be of several. None where only the database knows which had a part.',
      resolve: ({ cursor, transactions }: KeptListEvent) =>
        transactions.map((transaction) => ({ cursor, transaction, change: { cursor, transaction } })),
    },
  }
}

function snapshotType(subscribed: SubscribedModel): ObjectDefinition {
  const { model, names, rowType } = subscribed
  const show = rowResolver(subscribed)
  return {
    kind: 'object',
    name: names.listSnapshot,
    description: `A list of ${model.name}, whole: first of all, and again in place of patches.`,
    interfaces: [names.list],
    fields: {
      rows: {
        type: `[${rowType}!]!`,
        description: 'The rows, in order.',
        extensions: { [GUARDED_FIELD]: true },
        resolve: (event: KeptListEvent, _args, context, info) =>
          event.kind === 'snapshot'
            ? slicedList(event.shown.rows, ({ row }) => show(event, row, context, info))
            : [],
      },
    },
  }
}

function patchType({ model, names }: SubscribedModel): ObjectDefinition {
  return {
    kind: 'object',
    name: names.listPatch,
    description: `What has changed of a list of ${model.name}.`,
    interfaces: [names.list],
    fields: {
      operations: {
        type: `[${names.listOperation}!]!`,
        description: 'To be applied one after the other; none where only the number of rows differs.',
        resolve: (event: KeptListEvent) =>
          event.kind === 'patch' ? event.operations.map((operation) => ({ ...operation, event })) : [],
      },
    },
  }
}

function operationType(subscribed: SubscribedModel): ObjectDefinition {
  const { scope, model, names, rowType } = subscribed
  const show = rowResolver(subscribed)
  const key: FieldDefinitions =
    keyType(subscribed) === null
      ? {}
      : {
          key: {
            type: `${names.key}!`,
            description: 'The primary key of the row.',
            resolve({ row }: EventOperation, _args, context) {
              const { hidden } = scope.policies.view(context, model.name)
              return hideFields(withoutUnreadable(model.name, row.key), model.name, hidden)
            },
          },
        }
  return {
    kind: 'object',
    name: names.listOperation,
    description: `What happens to one row of a list of ${model.name}.`,
    fields: {
      kind: { type: `${KIND.name}!`, description: 'What happens to it.' },
      index: { type: 'Int!', description: 'Where in the list, from 0 on, as it is by then.' },
      ...key,
      row: {
        type: rowType,
        description: 'The row as it is; null for REMOVE.',
        extensions: { [GUARDED_FIELD]: true },
        resolve: ({ kind, row, event }: EventOperation, _args, context, info) =>
          kind === 'REMOVE' ? null : show(event, row.row, context, info),
      },
    },
  }
}

/** Shows a row of the list: a copy, since all who have the list share it. */
function rowResolver({ scope: { policies, completeImage }, model }: SubscribedModel) {
  return ({ transaction }: KeptListEvent, row: AnyRow, context: object, info: GraphQLResolveInfo) => {
    const { hidden } = policies.view(context, model.name)
    const image = toImage(model.name, ownCopy(row) as AnyRow, { hidden, transaction })
    noteImage(context, info.rootValue, sentRow(image))
    return completeImage === undefined ? image : completeImage(image, getNamedType(info.returnType), context)
  }
}
