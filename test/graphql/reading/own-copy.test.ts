/** Copies of what was read are equal to it, and nobody else's. */
import { expect, it } from 'vitest'
import { Decimal } from '../../../src/catalog/prisma-runtime.ts'
import { giveEach } from '../../../src/graphql/policy/own-copy.ts'

/** What each of three gets. */
async function giveThree(rows: unknown): Promise<readonly unknown[]> {
  const given: unknown[] = []
  const askers = [0, 1, 2].map((at) => ({
    resolve: (own: unknown) => {
      given[at] = own
    },
    reject: (error: unknown) => expect.unreachable(String(error)),
  }))
  giveEach(askers, Promise.resolve(rows), async () => 'read again')
  await expect.poll(() => given.filter((each) => each !== undefined).length).toBe(3)
  return given
}

it('of values of all kinds', async () => {
  const row = {
    ...{ id: 1n, price: new Decimal('1.50'), at: new Date(5), bytes: new Uint8Array([1, 2]), none: null },
    ...{ tags: ['a'], profile: JSON.parse('{"__proto__": {"a": [1]}}') as object, author: { name: 'ada' } },
  }
  const given = (await giveThree([row])) as (typeof row)[][]
  expect(given).toEqual([[row], [row], [row]])
  for (const part of ['at', 'bytes', 'tags', 'profile', 'author'] as const)
    expect(new Set(given.map(([each]) => each?.[part])).size).toBe(3)
})

it('and what no copy can be made of is read again for the others', async () => {
  const row = {
    get computed() {
      throw new Error('Nobody selected it.')
    },
  }
  expect(await giveThree(row)).toEqual([row, 'read again', 'read again'])
})
