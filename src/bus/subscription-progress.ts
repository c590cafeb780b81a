/** Stage 6, bus. How far open subscriptions are: with a change, and with all that waits for them. */
import type { ChangePosition } from '../changes/change.ts'
import { comparePositions } from '../changes/cursor.ts'
import type { Backlog } from './bus.ts'
import type { LabelProgress } from './explanation.ts'
import type { Subscriber } from './subscriber.ts'

/** What waits in the queues, by model. */
export function backlogsOf(subscribers: Iterable<Subscriber>): ReadonlyMap<string, Backlog> {
  const backlogs = new Map<string, Backlog>()
  for (const { model, queue } of subscribers) {
    const { waiting, longest } = backlogs.get(model) ?? { waiting: 0, longest: 0 }
    backlogs.set(model, { waiting: waiting + queue.length, longest: Math.max(longest, queue.length) })
  }
  return backlogs
}

/** Those with the label, of which each wants the change. Deliveries come in order, so two positions decide it. */
export function progressOf(
  subscribers: Iterable<Subscriber>,
  label: string,
  position: ChangePosition,
): LabelProgress {
  let sent = 0
  let waiting = 0
  let beganLater = 0
  for (const { label: own, began, queue } of subscribers) {
    if (own !== label) continue
    const { lastTaken } = queue
    if (began !== null && comparePositions(position, began) <= 0) beganLater += 1
    else if (lastTaken !== null && comparePositions(position, lastTaken) <= 0) sent += 1
    else waiting += 1
  }
  return { sent, waiting, beganLater }
}
