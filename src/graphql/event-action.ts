/** Stage 7, graphql. What a subscription gives: changes, and first rows. */
import { CHANGE_ACTIONS, type ChangeAction } from '../changes/change.ts'
import type { ReadChange } from '../sets/row-subscription.ts'

/** `action` of what a subscription gives. */
export type EventAction = ChangeAction | ReadChange['action']

/** All of them, in the order documentation lists them. */
export const EVENT_ACTIONS: readonly EventAction[] = [...CHANGE_ACTIONS, 'READ', 'READY']

/** Whether it is what a write does. */
export function isChangeAction(action: EventAction): action is ChangeAction {
  return action !== 'READ' && action !== 'READY'
}
