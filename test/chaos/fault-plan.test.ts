import { expect, it } from 'vitest'
import { planFaults } from './fault-plan.ts'
import { createRandom } from './random.ts'

const FAULTS = ['a', 'b', 'c', 'd'].map((name) => ({ name, inject: async () => true }))

/** The faults of a seed, and what each drew; `draws` is how much was asked of each fault's own choices. */
function plan(seed: number, draws: number) {
  const faults = planFaults(FAULTS, createRandom(seed))
  return Array.from({ length: 12 }, () => {
    const { fault, random, pauseMs } = faults.next().value
    const first = random.integer(0, 1_000_000)
    for (let n = 0; n < draws; n += 1) random.integer(0, 9)
    return { name: fault.name, pauseMs, first }
  })
}

it('are the same for the same seed, however much each of them chooses, and others for another', () => {
  expect(plan(7, 0)).toEqual(plan(7, 5))
  expect(plan(7, 0)).not.toEqual(plan(8, 0))
})

it('none comes again before all others have come', () => {
  const names = plan(3, 0).map(({ name }) => name)
  for (const from of [0, 4, 8]) expect(names.slice(from, from + 4).sort()).toEqual(['a', 'b', 'c', 'd'])
})
