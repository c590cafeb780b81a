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

/** Creates them. */
export function createClientAccounts(limits: ServerLimits): ClientAccounts {
  const server = new Account({ replaysMax: limits.replaysMax, filterCostMax: limits.filterCostMax })
  const addresses = new Map<string, WeakRef<Account>>()
  // An account stays as long as any connection has it: were it forgotten before, the address would get another one beside
  // it, and everything twice.
  const forgotten = new FinalizationRegistry<string>((network) => {
    if (addresses.get(network)?.deref() === undefined) addresses.delete(network)
  })

  function ofAddress(address: string): Account {
    if (isLoopback(address)) return server
    const network = networkOf(address, limits.ipv6PrefixLength)
    const known = addresses.get(network)?.deref()
    if (known !== undefined) return known
    const account = new Account(
      { replaysMax: limits.replaysPerAddressMax, filterCostMax: limits.filterCostPerAddressMax },
      server,
    )
    addresses.set(network, new WeakRef(account))
    forgotten.register(account, network)
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
