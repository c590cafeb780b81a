/**
 * Stage 8, server. What the subscriptions of each connection, of each address and of the server may leave waiting, catch
 * up with at once, and have their filters cost.
 */
import { Account } from '../bus/holdings.ts'
import { isLoopback, networkOf } from './client-address.ts'
import type { ServerLimits } from './limits.ts'

/** The accounts of a server. */
export interface ClientAccounts {
  /** A new connection's. Loopback is the machine's own, or a proxy that stands for everybody: no address of a client. */
  open(address: string): Account
}

/** Addresses whose accounts are kept; beyond this those go of which nothing waits. */
const KEPT_MAX = 1_024

/** Creates them. */
export function createClientAccounts(limits: ServerLimits): ClientAccounts {
  const server = new Account({ replaysMax: limits.replaysMax, filterCostMax: limits.filterCostMax })
  const addresses = new Map<string, Account>()

  function ofAddress(address: string): Account {
    if (isLoopback(address)) return server
    const network = networkOf(address, limits.ipv6PrefixLength)
    const known = addresses.get(network)
    if (known !== undefined) return known
    if (addresses.size >= KEPT_MAX) {
      for (const [each, { bytes, replays, filterCost }] of addresses) {
        if (bytes === 0 && replays === 0 && filterCost === 0) addresses.delete(each)
      }
    }
    const account = new Account(
      { replaysMax: limits.replaysPerAddressMax, filterCostMax: limits.filterCostPerAddressMax },
      server,
    )
    addresses.set(network, account)
    return account
  }

  return {
    open: (address) =>
      new Account(
        {
          bytesMax: limits.queuedBytesPerSocketMax,
          replaysMax: limits.replaysPerSocketMax,
          filterCostMax: limits.filterCostPerSocketMax,
        },
        ofAddress(address),
      ),
  }
}
