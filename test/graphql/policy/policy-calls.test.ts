/** Whatever a policy answers with that is awaited has an end. */
import { expect, it } from 'vitest'
import { PolicyCalls } from '../../../src/graphql/policy/policy-calls.ts'

const calls = new PolicyCalls()
calls.limit({ timeoutMs: 20 })

/** An object of its own, with a `then` of that value. */
const withThen = <Of extends object>(of: Of, value: unknown): Of =>
  Object.assign(of, Object.fromEntries([['then', value]]))

it.each([
  ['a promise', new Promise(() => undefined)],
  ['a query builder', withThen({}, () => undefined)],
  [
    'a query builder that is a function',
    withThen(
      () => undefined,
      () => undefined,
    ),
  ],
])('%s that never settles', async (_name, answer) => {
  await expect(calls.ask('Post', 'rows', () => answer)).rejects.toMatchObject({ code: 'POLICY_TIMEOUT' })
})

it('what has a field of that name is an answer', async () => {
  const answer = withThen({ id: 1 }, 'later')
  expect(await calls.ask('Post', 'rows', () => answer)).toEqual(answer)
})
