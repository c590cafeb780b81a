/** Beside the spine. From what the library's users ask for to what the bus takes, and back. */
import { mapIterator } from './async-iteration.ts'
import type { BusSubscription, Delivery } from './bus/bus.ts'
import type { AnyChange, ChangeAction } from './changes/change.ts'

/** One action is a list of one. */
export const actionsOf = (action: ChangeAction | readonly ChangeAction[] | undefined) =>
  typeof action === 'string' ? [action] : action

/**
 * Deliveries → changes, each with rows of its own: what one subscriber does to a row, no other sees. Here the runtime's any-model
 * change gets its model's type.
 * @param omitted fields that the rows of the Prisma Client do not have
 */
export function changesOf<C>(
  deliveries: BusSubscription,
  omitted: ReadonlySet<string>,
): AsyncIterableIterator<C> {
  return mapIterator(deliveries, (delivery) => ownRows(delivery, omitted) as C)
}

/** A change with rows of its own. */
export function ownRows({ change }: Pick<Delivery, 'change'>, omitted: ReadonlySet<string>): AnyChange {
  return withoutFields(change.fresh(), omitted)
}

/** Takes fields out of a change of one's own, when somebody looks at them: nothing is decoded before. */
function withoutFields(change: AnyChange, omitted: ReadonlySet<string>): AnyChange {
  if (omitted.size === 0 || change.action === 'TRUNCATE') return change
  const decoded: unknown = Object.getPrototypeOf(change)
  const define = (name: keyof AnyChange, from: (value: unknown) => unknown) => {
    Object.defineProperty(change, name, { get: () => from(Reflect.get(Object(decoded), name, change)) })
  }
  const { operation } = change
  for (const side of ['old', 'new'] as const) define(side, (row) => withoutKeys(row, omitted))
  for (const names of ['changed', 'unavailable'] as const)
    define(names, (all) => (all as readonly string[]).filter((name) => !omitted.has(name)))
  // What PostgreSQL did is a change, too, where it was reported as something else.
  if (operation !== change) withoutFields(operation as AnyChange, omitted)
  return change
}

function withoutKeys(row: unknown, omitted: ReadonlySet<string>): unknown {
  if (typeof row === 'object' && row !== null) for (const name of omitted) Reflect.deleteProperty(row, name)
  return row
}
