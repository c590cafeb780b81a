/** Stage 7, graphql. What a schema shows of changes and to whom, whoever builds it: options of the Pothos plugin and of the SDL kit alike. */
import type { MetadataExposure } from './policy/metadata-view.ts'
import type { ModelPolicies } from './policy/model-policy.ts'

/** What a schema has beside the changes of its models, and who sees what. */
export interface ChangeExposure {
  /** Policies of models, live or not; those given to `register()` need not be repeated. @default none */
  readonly policies?: ModelPolicies | undefined
  /** What of the metadata of transactions is shown, and to whom. @default nothing: the schema has no `metadata` */
  readonly showMetadata?: MetadataExposure | undefined
  /** Adds `changes`, whole transactions over the models that have a subscription, or the same by another name. @default false */
  readonly changes?: boolean | { readonly name: string } | undefined
  /** Adds `<model>List` beside each `<model>Changed`: a list that stays as a query gives it. @default false */
  readonly lists?: boolean | undefined
  /** Adds `<model>Totals` beside each `<model>Changed`: counts, sums, least and greatest values. @default false */
  readonly totals?: boolean | undefined
  /** Gives subscriptions an argument `overflow`: what happens when the client is too slow. @default false */
  readonly mayChooseOverflow?: boolean | undefined
  /**
   * Everything about the viewer, from the GraphQL context, that a result can depend on, as one text: a server of
   * rowcast's makes results once for all viewers of whom it is the same. Null for one that shares with nobody.
   * @default null for everybody
   */
  readonly shareBy?: ((context: object) => string | null) | undefined
}
