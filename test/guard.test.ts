/** The last guard: nothing comes out of it, and what came in is logged with an id. */
import { expect, test } from 'vitest'
import { createGuard } from '../src/guard.ts'
import type { LogFields } from '../src/logger.ts'

function createWorld() {
  const logged: LogFields[] = []
  return {
    logged,
    guard: createGuard({ error: (message, fields) => void logged.push({ message, ...fields }) }),
  }
}

const fail = (): never => {
  throw new TypeError('password=hunter2')
}

test('a throw and a rejection are logged by name and place, without their text', async () => {
  const { guard, logged } = createWorld()
  const ids: string[] = []
  guard.wrap('fail', fail, ({ id }) => ids.push(id))()
  guard.wrap(
    'fail later',
    async () => fail(),
    ({ id }) => ids.push(id),
  )()
  await new Promise((resolve) => setImmediate(resolve))
  expect(logged.map(({ errorId, error }) => [errorId, error])).toEqual(ids.map((id) => [id, 'TypeError']))
  expect(ids).toHaveLength(2)
  expect(JSON.stringify(logged)).not.toContain('hunter2')
})

test('arguments reach the callback and what cleans up after it', () => {
  const { guard } = createWorld()
  const seen: unknown[] = []
  guard.wrap(
    'pair',
    (a: number, b: string) => {
      seen.push([a, b])
      fail()
    },
    (_failure, a, b) => seen.push([b, a]),
  )(1, 'x')
  expect(seen).toEqual([
    [1, 'x'],
    ['x', 1],
  ])
})

test('cleaning up may fail as well, and so may the logger', () => {
  const { guard, logged } = createWorld()
  guard.run('fail', fail, fail)
  expect(logged).toHaveLength(2)
  createGuard({ error: fail }).run('fail', fail, fail)
})
