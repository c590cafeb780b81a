/** Stage 7, graphql. What a schema has of a model beside its changes: its live list and its totals, where they are asked for. */
import type { FieldDefinition, TypeDefinition } from '../type-definition.ts'
import { listField } from './list-field.ts'
import { listTypes } from './list-types.ts'
import type { SubscribedModel } from './subscription-scope.ts'
import { totalsField } from './totals-field.ts'
import { totalsTypes } from './totals-types.ts'

/** Which of them. */
export interface LiveFieldOptions {
  readonly lists?: boolean | undefined
  readonly totals?: boolean | undefined
}

/** A field of the Subscription root, with the types under it. */
export interface LiveField {
  readonly name: string
  readonly field: FieldDefinition
  readonly types: readonly TypeDefinition[]
}

/** Those of one model. */
export function liveFields(
  subscribed: SubscribedModel,
  { lists, totals }: LiveFieldOptions,
): readonly LiveField[] {
  const { liveList, liveTotals } = subscribed.names
  return [
    ...(lists === true
      ? [{ name: liveList, field: listField(subscribed), types: listTypes(subscribed) }]
      : []),
    ...(totals === true
      ? [{ name: liveTotals, field: totalsField(subscribed), types: totalsTypes(subscribed) }]
      : []),
  ]
}
