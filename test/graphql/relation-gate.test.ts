/** A table that is locked for long: what waits for it ends in time, is not kept, and costs nothing once it goes on. */
import { expect, it } from 'vitest'
import { RelationBatches } from '../../src/graphql/plugin/relation-batches.ts'

const delegate = {
  findUnique: () => Promise.resolve(null),
  findFirst: () => Promise.resolve(null),
  findMany: () => Promise.resolve([]),
  count: () => Promise.resolve(0),
}

it('any number of reads that were given up do not keep those that follow from being read', async () => {
  const batches = new RelationBatches(200)
  const locked: (() => void)[] = []
  const read = (readAlone: () => Promise<unknown>): Promise<unknown> =>
    batches.readAlone({ delegate, model: 'User', key: {}, query: {}, readAlone })
  const first = Array.from({ length: 4 }, () =>
    read(() => new Promise<void>((resolve) => locked.push(resolve))),
  )
  let begun = 0
  const late = Array.from({ length: 20_000 }, () =>
    read(async () => {
      begun += 1
    }),
  )
  const settled = await Promise.allSettled([...first, ...late])
  expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(20_004)
  const next = read(() => Promise.resolve('rows'))
  for (const unlock of locked) unlock()
  expect(await next).toBe('rows')
  expect(begun).toBe(0)
})
