/** What a transaction may concern is looked up, as long as that is less work than to have all take it. */
import { expect, it } from 'vitest'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyChange } from '../../src/changes/change.ts'
import { ConcernedIndex } from '../../src/sets/concerned-index.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { plainChange } from '../support/plain-change.ts'

const [ADA, BOB] = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b'] as const
const POST = blogCatalog.models['Post'] as ModelSpec

it('changes that all concern many are not looked up one by one', () => {
  const index = new ConcernedIndex<number>(new Set())
  const filterOf = (authorId: string) =>
    createChangeFilter({ where: parseWhere(POST, blogCatalog, { authorId }, { relations: {} }) })
  for (let n = 0; n < 500; n += 1) index.add(n, POST, filterOf(ADA), () => ({}) as never)
  index.add(500, POST, filterOf(BOB), () => ({}) as never)
  let looked = 0
  function* changesOf(): Iterable<AnyChange> {
    for (let id = 0; id < 1_000; id += 1) {
      looked += 1
      yield plainChange({ model: 'Post', action: 'INSERT', new: { id, authorId: ADA } as never })
    }
  }
  const few = { ordinal: 1, changesOf: () => [...changesOf()].slice(0, 10) }
  expect(index.concernedBy(few).size).toBe(500)
  looked = 0
  // Beyond so much, who is not concerned finds that out for itself.
  expect(index.concernedBy({ ordinal: 2, changesOf }).size).toBe(501)
  expect(looked).toBeLessThan(60)
})
