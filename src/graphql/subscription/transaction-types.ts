/** Stage 7, graphql. The types around `changes`: what is asked for of each model, and a transaction with its changes. */
import type { ChangeEvent } from '../../sets/row-subscription.ts'
import type { MetadataView } from '../policy/metadata-view.ts'
import type { ModelNames } from '../schema-names.ts'
import type {
  FieldDefinitions,
  InputDefinition,
  InterfaceDefinition,
  ObjectDefinition,
  TypeDefinition,
} from '../type-definition.ts'
import { filterArguments } from '../where/filter-arguments.ts'
import { ANY_CHANGE, originFields } from './change-types.ts'
import { ACTION_ARGUMENT } from './open-subscription.ts'
import { metadataField, XID_FIELD } from './shared-types.ts'
import type { SubscribedModel } from './subscription-scope.ts'
import type { CommittedPart } from './transaction-subscription.ts'

/** The types of `changes` over these models. */
export function transactionTypes(
  models: readonly SubscribedModel[],
  metadata: MetadataView | null,
): readonly TypeDefinition[] {
  return [
    anyChange(models),
    ...models.map(({ names, model }) => selectionType(names, model.name)),
    selectionOfAll(models),
    transactionType(metadata),
    PART,
  ]
}

function anyChange(models: readonly SubscribedModel[]): InterfaceDefinition {
  const namesOf = new Map(models.map(({ model, names }) => [model.name, names.byAction]))
  return {
    kind: 'interface',
    name: ANY_CHANGE,
    description:
      'One change of a row of any model: which of the types it is says of which, and what is there.',
    resolveType: ({ change, hidesNew }: ChangeEvent) =>
      namesOf.get(change.model)?.[hidesNew ? 'DELETE' : change.action] ?? '',
    fields: originFields(),
  }
}

/** `UserSelection`. */
function selectionType(names: ModelNames, model: string): InputDefinition {
  return {
    kind: 'input',
    name: names.selection,
    description: `Which changes of ${model}; all of them when it is empty.`,
    fields: { action: ACTION_ARGUMENT, ...filterArguments(names) },
  }
}

function selectionOfAll(models: readonly SubscribedModel[]): InputDefinition {
  const fields = models.map(({ names, model }) => [
    names.one,
    { type: names.selection, description: `Changes of ${model.name}; none when left out.` },
  ])
  return {
    kind: 'input',
    name: 'ChangesOf',
    description: 'The models whose changes are asked for, and which of them.',
    fields: Object.fromEntries(fields) as InputDefinition['fields'],
  }
}

/** `CommittedTransaction`, whose source has a transaction, and a change of it. */
export function transactionType(metadata: MetadataView | null): ObjectDefinition {
  const fields: FieldDefinitions = {
    xid: XID_FIELD,
    committedAt: {
      type: 'DateTime!',
      description: 'When it committed, by the clock of PostgreSQL.',
      resolve: ({ transaction }: CommittedPart) => transaction.committedAt,
    },
  }
  return {
    kind: 'object',
    name: 'CommittedTransaction',
    description: 'A transaction that has committed.',
    fields: metadata === null ? fields : { ...fields, metadata: metadataField(metadata) },
  }
}

const PART: ObjectDefinition = {
  kind: 'object',
  name: 'CommittedChanges',
  description: 'What a transaction changed of what is asked for, or a part of it where that is much.',
  fields: {
    transaction: {
      type: 'CommittedTransaction!',
      description: 'The transaction that made the changes.',
      resolve: (event: CommittedPart) => event,
    },
    changes: {
      type: `[${ANY_CHANGE}!]!`,
      description: 'At least one, in the order in which they were made, whatever their model.',
      resolve: ({ deliveries }: CommittedPart) => deliveries,
    },
    isLast: {
      type: 'Boolean!',
      description: 'True when no further part of this transaction follows.',
    },
    cursor: {
      type: 'Cursor!',
      description: 'Where the last of the changes stands: go on with `after: cursor`.',
      resolve: ({ change }: CommittedPart) => change.cursor,
    },
  },
}
