/** A Prisma Client whose transactions are now and then late, and now and then fail. */
import type { Dice } from './live-world.ts'

const LATE_MS = 60

/** How often, of 1. */
export interface Unsteadiness {
  readonly late: number
  readonly failing: number
}

/** The client, steady until it is said how unsteady it is to become, and how many of its transactions have failed. */
export function unsteady<Client extends object>(client: Client, dice: Dice) {
  let how: Unsteadiness = { late: 0, failing: 0 }
  const counts = { failed: 0, late: 0 }
  const unsteadily =
    (transact: (...given: readonly unknown[]) => unknown) =>
    async (...given: readonly unknown[]) => {
      if (dice.chance(how.failing)) {
        counts.failed += 1
        throw new Error('No connection could be had.')
      }
      const answer = await transact(...given)
      if (dice.chance(how.late)) {
        counts.late += 1
        await new Promise((resolve) => setTimeout(resolve, dice.below(LATE_MS)))
      }
      return answer
    }
  const proxy = new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const method = value.bind(target) as (...given: readonly unknown[]) => unknown
      return name === '$transaction' ? unsteadily(method) : method
    },
  })
  return {
    client: proxy,
    counts: counts as Readonly<typeof counts>,
    become(wanted: Unsteadiness) {
      how = wanted
    },
  }
}
