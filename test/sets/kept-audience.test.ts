/** Those who come between two patches, each after another change: what they all get next costs little, and each of them comes to what there is. */
import { expect, it } from 'vitest'
import { KeptAudience } from '../../src/sets/kept-audience.ts'
import type { KeptState } from '../../src/sets/kept-parts.ts'
import { KeptSubscription } from '../../src/sets/kept-subscription.ts'
import { UntakenPatches } from '../../src/sets/untaken-patches.ts'

interface Given {
  readonly kind: 'whole' | 'patch'
  readonly from: number
  readonly to: number
}

const stateOf = (shown: number): KeptState<number> => {
  const change = { cursor: String(shown), transaction: null }
  return { shown, ...change, transactions: [], change }
}

/** Numbers that are shown, and what was made of them. */
function open() {
  const made = { patches: 0, wholes: 0 }
  const untaken = new UntakenPatches(1_000_000)
  const audience = new KeptAudience<number, Given>({
    counters: { reads: 0, readMs: 0, snapshots: 0, patches: 0, shownLateMs: 0 },
    snapshotOf({ shown }) {
      made.wholes += 1
      return { kind: 'whole', from: shown, to: shown }
    },
    patchOf(from, { shown: to }) {
      made.patches += 1
      return from === to ? null : { event: { kind: 'patch', from, to }, bytes: 1 }
    },
  })
  const world = { shown: stateOf(0), current: stateOf(0) }
  const join = () => {
    const subscription: KeptSubscription<Given> = new KeptSubscription<Given>({
      snapshot: () => audience.wholeFor(subscription, world.current, world.shown),
      leave: () => audience.delete(subscription),
      untaken,
    })
    audience.add(subscription)
    return subscription
  }
  const patch = () => {
    const before = world.shown
    world.shown = world.current
    return audience.patch(before, world.shown)
  }
  return { audience, world, made, join, patch }
}

it.each([3, 200])('of %i each comes to what there is', async (joiners) => {
  const { world, made, join, patch } = open()
  const first = join()
  expect((await first.next()).value).toMatchObject({ kind: 'whole', to: 0 })
  const others: { readonly subscription: KeptSubscription<Given>; at: number }[] = []
  const woken = new Set<number>()
  for (let number = 1; number <= joiners; number += 1) {
    world.current = stateOf(number)
    const subscription = join()
    others.push({ subscription, at: (await subscription.next()).value.to })
    subscription.reader = { onReadable: () => void woken.add(number) }
  }
  for (let round = 1; round <= 2; round += 1) {
    world.current = stateOf(joiners + round)
    Object.assign(made, { patches: 0, wholes: 0 })
    woken.clear()
    expect(patch()).toBe(true)
    expect(made.patches).toBeLessThan(10)
    expect(woken.size).toBe(joiners)
    const kinds = new Set<string>()
    for (const other of others) {
      const given = other.subscription.take()
      kinds.add(String(given?.kind))
      if (given?.kind === 'patch') expect(given.from).toBe(other.at)
      other.at = given?.to ?? Number.NaN
      expect(other.at).toBe(joiners + round)
      expect(other.subscription.take()).toBeUndefined()
    }
    // Whoever got the whole gets patches from there on.
    expect([...kinds].sort()).toEqual(round === 1 && joiners > 10 ? ['patch', 'whole'] : ['patch'])
    expect(made.wholes).toBeLessThan(2)
  }
  expect((await first.next()).value).toMatchObject({ kind: 'patch', from: 0 })
  for (const { subscription } of others) await subscription.return()
})
