/**
 * Stage 7, graphql. Where a server leaves the account of the connection an operation came by: in the GraphQL context,
 * under this symbol. What the connection has waiting, and what it catches up with, is counted there.
 */
import { Account } from '../bus/holdings.ts'

export const BUS_ACCOUNT: unique symbol = Symbol('rowcast.busAccount')

/** The account; none for operations that came by no connection. */
export function accountOf(context: unknown): Account | undefined {
  const account = typeof context === 'object' && context !== null ? Reflect.get(context, BUS_ACCOUNT) : null
  return account instanceof Account ? account : undefined
}
