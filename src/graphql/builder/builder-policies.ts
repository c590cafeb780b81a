/** Stage 7, graphql. The policies of a builder's models: those of its options, and those that `register()` was given. */
import { MetadataView } from '../policy/metadata-view.ts'
import { ViewerPolicies } from '../policy/viewer-policies.ts'
import { stateOf } from './builder-state.ts'
import type { AnyBuilder } from './untyped-builder.ts'

/** One for each builder. */
export function policiesOf(builder: AnyBuilder): ViewerPolicies {
  const { feed, policies = new Map() } = builder.options.rowcast
  const state = stateOf(builder)
  state.policies ??= new ViewerPolicies(feed.catalog, policies, feed.policies ?? new Map())
  return state.policies
}

/** Who sees what of metadata; one for each builder, null where nobody sees any. */
export function metadataViewOf(builder: AnyBuilder): MetadataView | null {
  const { showMetadata } = builder.options.rowcast
  const state = stateOf(builder)
  if (showMetadata !== undefined) state.metadata ??= new MetadataView(showMetadata, policiesOf(builder).calls)
  return state.metadata
}
