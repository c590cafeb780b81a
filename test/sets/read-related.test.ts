/** Relations that are read with the rows of a list: which changes may concern what was read, and whose they may be. */
import { expect, it } from 'vitest'
import type { Delivery } from '../../src/bus/bus.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { OrderedWindow } from '../../src/sets/ordered-window.ts'
import { type RelatedReads, readRelated } from '../../src/sets/read-related.ts'
import { mayBeOfHidden, mayConcern, readRelation } from '../../src/sets/read-relation.ts'
import { rowOrderOf } from '../../src/sets/row-order.ts'
import { rowIdOf } from '../../src/sets/written-rows.ts'
import { blogCatalog, blogModel } from '../graphql/blog-catalog.ts'
import { plainChange } from '../support/plain-change.ts'

const POST = blogModel('Post')
const TAG = blogModel('Tag')
const FIELDS = TAG.fields.map(({ name }) => name)

function tagsOf(fields: readonly string[] = FIELDS) {
  const relation = POST.relations.find(({ name }) => name === 'tags')
  const catalog = blogCatalog
  const found =
    relation &&
    readRelation({ catalog, model: POST, relation }, { seen: '', fields, isOptional: false, rows: null })
  if (found == null) throw new Error('The blog has tags.')
  return found
}

/** The list of one post, as it was read. */
async function listOf(pairs: readonly AnyRow[], tags: readonly AnyRow[]) {
  const relation = tagsOf()
  const reads: RelatedReads = {
    of: ({ name }: ModelSpec) => {
      return async () => (name === TAG.name ? tags : pairs)
    },
    ...{ schema: 'public', unmarked: () => null, bounds: { bytesMax: 1e6, bytesOf: () => 1 } },
  }
  const post = { id: 1 }
  const window = new OrderedWindow({
    ...{ take: 5, margin: 10, order: rowOrderOf(POST, blogCatalog, []), bytesOf: () => 1 },
    ...{ idOf: (key: AnyRow) => rowIdOf(POST, key), relations: [relation.first], readsRelated: true },
  })
  window.reset([{ key: post, row: post }], true, await readRelated([post], [relation], reads))
  const concerns = (id: bigint) => {
    const change = plainChange({ model: TAG.name, action: 'INSERT', key: { id }, new: { id, name: 'a' } })
    const delivery: Delivery = {
      ...{ change, transition: null, hidesOld: false, hidesNew: false, isLastOfTransaction: true },
    }
    return mayConcern(window, delivery, relation)
  }
  return concerns
}

it('a related row that is not there, and whose pair is, concerns the list as it comes', async () => {
  // It is marked as deleted, and its pair stays.
  const concerns = await listOf([{ A: 1, B: 7n }], [])
  expect(concerns(7n)).toBe(true)
  expect(concerns(8n)).toBe(false)
})

it('changes may be of what the viewer may not see where some fields are hidden', () => {
  expect(mayBeOfHidden(tagsOf())).toBe(false)
  expect(mayBeOfHidden({ ...tagsOf(), where: { id: 1 } })).toBe(true)
  expect(mayBeOfHidden(tagsOf(FIELDS.slice(1)))).toBe(true)
})
