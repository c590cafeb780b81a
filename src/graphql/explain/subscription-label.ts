/** Stage 7, graphql. What distinguishes open subscriptions that `whyNot` is asked about: the model, the filter, the rights. */
import type { ChangeFilterInput } from '../../bus/filter/change-filter.ts'
import { canonicalText } from '../../catalog/values/canonical-text.ts'
import type { ChangeAction } from '../../changes/change.ts'
import { policiesOf } from '../builder/builder-policies.ts'
import type { AnyBuilder } from '../builder/builder-state.ts'

/** What is asked for: which actions, and which changes. */
interface LabelledRequest extends ChangeFilterInput {
  readonly actions: readonly ChangeAction[] | null | undefined
}

/**
 * Equal for subscriptions that get the same changes; undefined where that is not known, and where nobody may ask. The
 * policies of the model were asked for this context.
 */
export function subscriptionLabel(
  builder: AnyBuilder,
  context: object,
  model: string,
  { actions, where = null, old = null, new: after = null, changed }: LabelledRequest,
): string | undefined {
  if (builder.options.rowcast.canExplain === undefined) return undefined
  const audience = policiesOf(builder).audience(context, [model])
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
