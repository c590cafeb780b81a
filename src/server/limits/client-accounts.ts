/**
 * Stage 8, server. What the subscriptions of each connection, each viewer, each address and of the server may leave
 * waiting, catch up with at once, and have their filters cost.
 */
import { Account } from '../../bus/holdings.ts'
import type { Session } from '../session/context.ts'
import { viewerNameOf } from '../session/viewer-name.ts'
import { isLoopback, networkOf } from './client-address.ts'
import type { ServerLimits } from './limits.ts'

/** The accounts of a server. */
export interface ClientAccounts {
  /**
   * A new connection's. Loopback is the machine's own, or a proxy that stands for everybody: no address of a client.
   * @param viewerKey as the session says; nobody in particular where it does not
   */
  open(address: string, viewerKey?: Session['viewerKey']): Account
}

export function createClientAccounts(limits: ServerLimits): ClientAccounts {
  const server = new Account({ replaysMax: limits.replaysMax, filterCostMax: limits.filterCostMax })
  const addresses = new SharedAccounts(
    () =>
      new Account(
        { replaysMax: limits.replaysPerAddressMax, filterCostMax: limits.filterCostPerAddressMax },
        [server],
      ),
  )
  const viewers = new SharedAccounts(
    () =>
      new Account({ replaysMax: limits.replaysPerViewerMax, filterCostMax: limits.filterCostPerViewerMax }),
  )
  const bounds = {
    bytesMax: limits.queuedBytesPerSocketMax,
    replaysMax: limits.replaysPerSocketMax,
    filterCostMax: limits.filterCostPerSocketMax,
  }
  return {
    open(address, viewerKey) {
      const parents = isLoopback(address)
        ? [server]
        : [addresses.of(networkOf(address, limits.ipv6PrefixLength))]
      const viewer = viewerNameOf(viewerKey)
      if (viewer !== null) parents.push(viewers.of(viewer))
      return new Account(bounds, parents)
    },
  }
}

/**
 * Accounts by name. One stays as long as any connection has it: were it forgotten before, the name would get another one
 * beside it, and everything twice.
 */
class SharedAccounts {
  readonly #create: () => Account
  readonly #accounts = new Map<string, WeakRef<Account>>()
  readonly #forgotten = new FinalizationRegistry<string>((name) => {
    if (this.#accounts.get(name)?.deref() === undefined) this.#accounts.delete(name)
  })

  constructor(create: () => Account) {
    this.#create = create
  }

  of(name: string): Account {
    const known = this.#accounts.get(name)?.deref()
    if (known !== undefined) return known
    const account = this.#create()
    this.#accounts.set(name, new WeakRef(account))
    this.#forgotten.register(account, name)
    return account
  }
}
