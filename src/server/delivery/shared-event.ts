/**
 * Stage 8, server. What subscriptions have in common of what their sources give: two events of one identity have one result for
 * all who share results. Pure.
 */
import type { Delivery } from '../../bus/bus.ts'
import type { Transition } from '../../bus/filter/judge-change.ts'
import { rowBytesOf } from '../../bus/match.ts'
import { bytesOf } from '../../graphql/reading/row-weights.ts'
import type { CommittedPart } from '../../graphql/subscription/transaction-subscription.ts'
import type { KeptListEvent, KeptTotalsEvent } from '../../sets/kept-request.ts'
import { type ChangeEvent, isRead } from '../../sets/row-subscription.ts'

/** What a source of rowcast gives: a change or a row, what has changed of a list or totals, changes of a transaction. */
type SourceEvent = ChangeEvent | KeptListEvent | KeptTotalsEvent | CommittedPart

/** Which event it is. */
interface EventIdentity {
  /** One object for all who get it. */
  readonly of: object
  /** What else distinguishes it. */
  readonly variant: number | string
}

/** Which event it is; null for one that nobody else gets. */
export function identityOf(value: unknown): EventIdentity | null {
  const event = value as SourceEvent
  // What is kept is kept once: its event is one object, whoever gets it.
  if ('shown' in event) return { of: event, variant: 0 }
  if ('deliveries' in event) return { of: event.change, variant: variantOfPart(event) }
  // Rows come to each at its own time, and so does what they hear of related ones: what was made of them is of no use to the others.
  if (isRead(event) || event.heard !== undefined) return null
  return { of: event.change, variant: variantOf(event) }
}

/** Whether it is all there is, and what whoever comes next begins with. */
export function isWhole(value: unknown): boolean {
  const event = value as SourceEvent
  return 'shown' in event && !('operations' in event)
}

/** How many changes it is, where it is several; what sources that are not rowcast's own give is one. */
export function changesOf(value: unknown): number {
  const deliveries = typeof value === 'object' && value !== null ? Reflect.get(value, 'deliveries') : null
  return Array.isArray(deliveries) ? Math.max(1, deliveries.length) : 1
}

/** The images that are there as long as it is, beside those that are kept anyway. */
export function rowBytesOfEvent(value: unknown): number {
  const event = value as SourceEvent
  if ('shown' in event) return 0
  if ('deliveries' in event) return event.deliveries.reduce((sum, each) => sum + imageBytesOf(each), 0)
  return isRead(event) ? 0 : imageBytesOf(event)
}

/** What is known undecoded is not decoded for it. */
function imageBytesOf(delivery: Delivery): number {
  return rowBytesOf(delivery) ?? bytesOf([delivery.change.old, delivery.change.new])
}

const TRANSITIONS: Readonly<Record<Transition, number>> = { ENTERED: 1, STAYED: 2, LEFT: 3 }

/** What distinguishes two deliveries of one change, each as a number below 4. Complete, or it does not compile. */
const VARIANT: Readonly<Record<Exclude<keyof Delivery, 'change'>, (delivery: Delivery) => number>> = {
  transition: ({ transition }) => (transition === null ? 0 : TRANSITIONS[transition]),
  hidesOld: ({ hidesOld }) => Number(hidesOld),
  hidesNew: ({ hidesNew }) => Number(hidesNew),
  isLastOfTransaction: ({ isLastOfTransaction }) => Number(isLastOfTransaction),
}
const VARIANT_PARTS = Object.values(VARIANT)

function variantOf(delivery: Delivery): number {
  let variant = 0
  for (const part of VARIANT_PARTS) variant = variant * 4 + part(delivery)
  return variant
}

/** Of one transaction, a change is known by where it stands in it. */
function variantOfPart({ deliveries, isLast }: CommittedPart): string {
  let variant = isLast ? 'last' : ''
  for (const delivery of deliveries) variant += ` ${delivery.change.index}.${variantOf(delivery)}`
  return variant
}
