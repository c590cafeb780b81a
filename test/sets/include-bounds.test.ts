/** How many relations one subscription may include. */
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { includedRelations } from '../../src/sets/parse-include.ts'

it('is bounded, before anything is looked up', () => {
  const named = (count: number) => () =>
    includedRelations(catalog.models.Post, catalog, Array<string>(count).fill('comments'))
  expect(named(8)()).toHaveLength(1)
  expect(named(9)).toThrow('BAD_FILTER')
})
