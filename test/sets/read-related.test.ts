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

function tagsOf(fields: readonly string[] = FIELDS, isOptional = false) {
  const relation = POST.relations.find(({ name }) => name === 'tags')
  const catalog = blogCatalog
  const found =
    relation && readRelation({ catalog, model: POST, relation }, { seen: '', fields, isOptional, rows: null })
  if (found == null) throw new Error('The blog has tags.')
  return found
}

/** The list of one post, as it was read. */
async function listOf(pairs: readonly AnyRow[], tags: readonly AnyRow[], relation = tagsOf()) {
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
  const concerns = (id: bigint, model = TAG) => {
    const row = model === TAG ? { id, name: 'a' } : { A: 1, B: id }
    const change = plainChange({ model: model.name, action: 'INSERT', key: row, new: row })
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

it('relations that need not be followed concern the list as long as they are read: beyond the bound it would be read again for nothing', async () => {
  const relation = tagsOf(FIELDS, true)
  const [step] = relation.steps
  if (step === undefined) throw new Error('The way to tags has steps.')
  for (const count of [2, 10_001]) {
    const pairs = Array.from({ length: count }, (_, n) => ({ A: 1, B: BigInt(n) }))
    const concerns = await listOf(pairs, [], relation)
    expect([concerns(1n), concerns(7n, step.model)]).toEqual(count > 2 ? [false, false] : [true, true])
  }
})

it('changes may be of what the viewer may not see where some fields are hidden', () => {
  expect(mayBeOfHidden(tagsOf())).toBe(false)
  expect(mayBeOfHidden({ ...tagsOf(), where: { id: 1 } })).toBe(true)
  expect(mayBeOfHidden(tagsOf(FIELDS.slice(1)))).toBe(true)
})
