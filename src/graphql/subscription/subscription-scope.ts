/** Stage 7, graphql. What the fields and types of `<model>Changed` are made from, whoever builds the schema. */
import type { GraphQLNamedType } from 'graphql'
import type { FieldSpec, ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyRow } from '../../changes/change.ts'
import type { ChangeFeed } from '../change-feed.ts'
import { visibleFields } from '../field-type.ts'
import type { MetadataView } from '../policy/metadata-view.ts'
import { omittedNames } from '../policy/secret-fields.ts'
import type { ViewerPolicies } from '../policy/viewer-policies.ts'
import { type ModelNames, modelNames } from '../schema-names.ts'

/** Of one schema. */
export interface SubscriptionScope {
  readonly feed: ChangeFeed
  readonly policies: ViewerPolicies
  /** Null where nobody sees any. */
  readonly metadata: MetadataView | null
  /** Whether there is `changes`, over several models. */
  readonly hasTransactions: boolean
  /** The models that have a subscription, by their names: complete once the schema is built. */
  readonly subscribed: ReadonlyMap<string, SubscribedModel>
  /** Whether subscriptions take `overflow`. */
  readonly mayChooseOverflow: boolean
  /** Whether somebody may ask `whyNot`. */
  readonly canBeExplained: boolean
  /** All that a result depends on of the viewer beside the policies; null for one that shares with nobody. */
  shareBy(context: object): string | null
  /** The model whose rows an object type shows; null where it shows none. */
  modelOf(type: GraphQLNamedType): string | null
  /** Adds to an image what its type counts on beside the columns. @default nothing */
  readonly completeImage?: CompleteImage | undefined
}

/** The image as a type's resolvers take it. */
export type CompleteImage = (
  image: AnyRow,
  type: GraphQLNamedType,
  context: object,
) => AnyRow | Promise<object>

/** Of one model in it. */
export interface SubscribedModel {
  readonly scope: SubscriptionScope
  readonly model: ModelSpec
  readonly names: ModelNames
  /** Name of the type of `new`. */
  readonly rowType: string
  /** Fields that clients must not learn of. */
  readonly omit: readonly string[]
  /** The model's fields that it may speak of. */
  readonly fields: readonly FieldSpec[]
}

/** What is said of one model where its subscription is declared. */
export interface SubscribedModelOptions {
  readonly rowType?: string | undefined
  readonly omit?: readonly string[] | undefined
  readonly expose?: readonly string[] | undefined
}

/** Leaves out what the options, the model's policy and the names of secrets say. */
export function subscribedModel(
  scope: SubscriptionScope,
  model: ModelSpec,
  { rowType, omit, expose }: SubscribedModelOptions,
): SubscribedModel {
  const names = modelNames(scope.feed.catalog, model.name)
  const omitted = [
    ...omittedNames(model, { omit, expose }),
    ...(scope.policies.declared(model.name).omit ?? []),
  ]
  const fields = visibleFields(model, omitted)
  return { scope, model, names, rowType: rowType ?? names.type, omit: omitted, fields }
}

/**
 * Whose results a subscription gives that can show these models, whose policies were asked for the context; null where that is not
 * known, or nobody shares them.
 */
export function audienceOfModels(
  { shareBy, policies, metadata }: SubscriptionScope,
  shown: Iterable<string>,
  context: object,
): string | null {
  const own = shareBy(context)
  const seen = policies.audience(context, shown)
  return own === null || seen === null ? null : `${own}\n${metadata?.audience(context) ?? ''}\n${seen}`
}
