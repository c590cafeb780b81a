/** What conditions test instead of a value is made of it once for each row, whoever and however many ask. */
import { expect, it, vi } from 'vitest'
import { parseChangeFilter } from '../../../src/bus/filter/change-filter.ts'
import { createMemoryBus } from '../../../src/bus/memory-bus.ts'
import type { ModelCatalog } from '../../../src/catalog/model-catalog.ts'
import { toLsn } from '../../../src/wire/lsn.ts'
import { buildField, buildModel } from '../../support/catalog-builder.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../../support/plain-change.ts'

const Post = buildModel([buildField('id', 'Int'), buildField('title', 'String')], { name: 'Post' })
const catalog: ModelCatalog = { formatVersion: 1, models: { Post }, enums: {}, joinTables: [] }
const TITLES = ['Former', 'After'] as const

const isLike = (operator: string, text: string) => ({ title: { [operator]: text, mode: 'insensitive' } })

/** How often the titles are written in lower case for a change of three rows, of which each filter asks by several conditions. */
async function countPreparations(filters: readonly object[]): Promise<number> {
  // Time stands still, so that no slice ends: where one does, the next decodes a change again, and prepares its values.
  const timers = { soon: setImmediate, later: setImmediate, nowMs: () => 0 }
  const bus = createMemoryBus({ models: catalog.models, timers })
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  const got = filters.map((where) => {
    const subscription = bus.subscribe({ model: 'Post', filter: parseChangeFilter(Post, catalog, { where }) })
    return Promise.all([subscription.next(), subscription.next(), subscription.next()])
  })
  const lowerCase = vi.spyOn(String.prototype, 'toLowerCase')
  try {
    const transaction = plainTransaction(100)
    const [old, after] = TITLES.map((title) => ({ title }))
    const changes = [0, 1, 2].map((index) =>
      plainChange({
        ...{ model: 'Post', action: 'UPDATE', transaction, index, key: { id: index } },
        ...{ old: { id: index, ...old }, new: { id: index, ...after } },
      }),
    )
    bus.publish({ transaction, changes, isFinal: true, byteLength: 100 })
    for (const each of await Promise.all(got))
      expect(each.map(({ done }) => done)).toEqual([false, false, false])
    return lowerCase.mock.contexts.filter((text) => TITLES.some((title) => `${text}` === title)).length
  } finally {
    lowerCase.mockRestore()
    bus.close()
  }
}

it('a value is prepared for its row, and not for each condition of each subscription', async () => {
  const filterOf = (index: number) => ({
    OR: [isLike('startsWith', `no ${index}`), isLike('contains', `not ${index}`), isLike('endsWith', 'R')],
  })
  expect(await countPreparations([isLike('endsWith', 'R')])).toBe(6)
  expect(await countPreparations(Array.from({ length: 40 }, (_, index) => filterOf(index)))).toBe(6)
})
