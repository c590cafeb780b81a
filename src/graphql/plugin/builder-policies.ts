/** Stage 7, graphql. The policies of a builder's models: those of its options, and those that `register()` was given. */
import { ViewerPolicies } from '../policy/viewer-policies.ts'
import type { AnyBuilder } from './shared-change-types.ts'

const known = new WeakMap<AnyBuilder, ViewerPolicies>()

/** One for each builder. */
export function policiesOf(builder: AnyBuilder): ViewerPolicies {
  const { feed, policies = new Map() } = builder.options.rowcast
  const found = known.get(builder) ?? new ViewerPolicies(feed.catalog, policies, feed.policies ?? new Map())
  known.set(builder, found)
  return found
}
