/** Stage 7, graphql. What distinguishes open subscriptions that `whyNot` is asked about: the model, the filter, the rights. */
import type { ChangeFilterInput } from '../../bus/filter/change-filter.ts'
import { canonicalText } from '../../catalog/values/canonical-text.ts'
import type { ChangeAction } from '../../changes/change.ts'
import type { ViewerPolicies } from '../policy/viewer-policies.ts'

/** What is asked for: which actions, and which changes. */
interface LabelledRequest extends ChangeFilterInput {
  readonly actions: readonly ChangeAction[] | null | undefined
}

/**
 * Equal for subscriptions that get the same changes; undefined where that is not known. The policies of the model, which
 * is the first, and of those that its filter leads to were asked for this context.
 */
export function subscriptionLabel(
  policies: ViewerPolicies,
  context: object,
  models: readonly string[],
  { actions, where = null, old = null, new: after = null, changed }: LabelledRequest,
): string | undefined {
  const [model] = models
  const audience = policies.audience(context, models)
  if (audience === null) return undefined
  const filter = [
    [...(actions ?? [])].sort(),
    where,
    old,
    after,
    changed == null ? null : [...changed].sort(),
  ]
  return canonicalText([model, audience, ...filter]) ?? undefined
}
