import { expect, it } from 'vitest'
import { createRandom } from './random.ts'

const draw = (seed: number) => {
  const random = createRandom(seed)
  return Array.from({ length: 50 }, () => random.integer(0, 1_000_000))
}

it('says the same for the same seed and something else for another', () => {
  expect(draw(7)).toEqual(draw(7))
  expect(draw(7)).not.toEqual(draw(8))
})

it('reaches both ends of a range and stays within it', () => {
  const random = createRandom(1)
  expect(new Set(Array.from({ length: 500 }, () => random.integer(-1, 2)))).toEqual(new Set([-1, 0, 1, 2]))
})

it('shuffles without loss, and picks from all', () => {
  const random = createRandom(3)
  const values = [1, 2, 3, 4, 5, 6]
  expect(random.shuffle(values).sort()).toEqual(values)
  expect(new Set(Array.from({ length: 200 }, () => random.pick(values))).size).toBe(6)
  expect(() => random.pick([])).toThrow(RangeError)
})

it('has forks that do not disturb it', () => {
  const [alone, disturbed] = [createRandom(5), createRandom(5)]
  alone.fork()
  const fork = disturbed.fork()
  for (let i = 0; i < 10; i += 1) fork.integer(0, 9)
  expect(disturbed.integer(0, 1_000_000)).toBe(alone.integer(0, 1_000_000))
})
