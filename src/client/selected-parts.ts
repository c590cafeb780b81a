/** Beside the spine, client. What a subscription has to select: what it does not never comes, however often the rows are had again. */
import type { ListChange } from './apply-change.ts'
import type { PatchOperation } from './patch-list.ts'
import { SubscriptionError } from './subscription-error.ts'

/** @throws SubscriptionError where a part of an operation is not selected */
export function checkOperations(operations: readonly Partial<PatchOperation<object>>[]): void {
  for (const name of ['kind', 'index', 'row'] as const)
    if (operations.some((operation) => operation[name] === undefined)) refuse(`\`${name}\` of \`operations\``)
}

/** @throws SubscriptionError where a part without which a change says nothing is not selected */
export function checkChange({ action, new: row, old, key, transition }: Partial<ListChange<object>>): void {
  if (action === undefined) refuse('`action`')
  // An UPDATE that takes a row out of sight is of the type `UserDeleted`, and may be selected without `new`.
  const isThere = action === 'INSERT' || (action === 'UPDATE' && transition !== 'LEFT')
  if (row === undefined && isThere) refuse('`new`')
  if (key === undefined && old === undefined && action === 'DELETE') refuse('`key`')
}

function refuse(part: string): never {
  throw new SubscriptionError(`The subscription does not select ${part}. Select it.`)
}
