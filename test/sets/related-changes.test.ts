/** What a transaction changed of included relations, where that is much. */
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { NODE_TIMERS } from '../../src/bus/time-slices.ts'
import type { AnyChange, AnyRow } from '../../src/changes/change.ts'
import { includedRelations } from '../../src/sets/parse-include.ts'
import { RelatedChanges, VIA_MAX } from '../../src/sets/related-changes.ts'
import { plainChange } from '../support/plain-change.ts'

const POSTS = 10
const COMMENTS = 100_000

function* insertedComments(count: number, onRead: () => void): Generator<AnyChange> {
  for (let index = 0; index < count; index += 1) {
    onRead()
    const row = { id: index, postId: index % POSTS, body: 'a' }
    yield plainChange({
      ...{ model: 'Comment', action: 'INSERT', index, key: { id: index }, new: row },
    })
  }
}

/** Collects them with a clock that goes on with each look. */
async function collect(count: number) {
  const slices = [0]
  let ms = 0
  const timers = {
    ...NODE_TIMERS,
    nowMs: () => (ms += 1),
    soon(run: () => void) {
      slices.push(0)
      setImmediate(run)
    },
  }
  const note = () => {
    slices[slices.length - 1] = (slices.at(-1) ?? 0) + 1
  }
  const model = catalog.models.Post
  const include = includedRelations(model, catalog, ['comments'])
  const options = {
    ...{ model, include, mayBeAskedFor: () => true },
    sets: () => {
      throw new Error('No filter asks a set.')
    },
  }
  const changesOf = (name: string) => (name === 'Comment' ? insertedComments(count, note) : [])
  const transaction = { ordinal: 7, changesOf }
  return { slices, changes: await RelatedChanges.of(options, transaction, timers) }
}

it('is found out in slices, however large the transaction is', async () => {
  const { slices, changes } = await collect(COMMENTS)
  // A slice is two milliseconds of this clock, which is looked at every 32 changes.
  expect(Math.max(...slices)).toBeLessThanOrEqual(4 * 32)
  expect(slices.reduce((sum, count) => sum + count, 0)).toBe(COMMENTS)
  for (let id = 0; id < POSTS; id += 1) {
    const { via, viaCount } = changes.ofRead({ id })
    expect(viaCount).toBe(COMMENTS / POSTS)
    expect(via).toHaveLength(VIA_MAX)
    expect(via[1]).toEqual({ relation: 'comments', action: 'INSERT', key: { id: id + POSTS }, image: null })
  }
})

it('is more than is heard of at once beyond that', async () => {
  await expect(collect(COMMENTS + 1)).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
})

it('a row whose key moved hears of what belonged to a key that it had within the transaction alone', async () => {
  const model = catalog.models.Post
  const comment = (index: number, postId: number, old: AnyRow | null = null) =>
    plainChange({
      ...{ model: 'Comment', action: old === null ? 'INSERT' : 'UPDATE', index, key: { id: 5 } },
      ...{ old, new: { id: 5, postId } },
    })
  const [before, after] = [{ id: 1 }, { id: 7 }]
  const moved = plainChange({
    ...{ model: 'Post', action: 'UPDATE', index: 1, key: after, oldKey: before, old: before, new: after },
  })
  const written = new Map([
    ['Post', [moved]],
    ['Comment', [comment(0, 1), comment(2, 7, { id: 5, postId: 1 })]],
  ])
  const options = {
    ...{ model, include: includedRelations(model, catalog, ['comments']) },
    // As where rows are asked for by their comments: there was none before, and there is no such key any more.
    mayBeAskedFor: ({ id }: AnyRow) => id === 7,
    sets: () => {
      throw new Error('No filter asks a set.')
    },
  }
  const changesOf = (name: string) => written.get(name) ?? []
  const changes = await RelatedChanges.of(options, { ordinal: 7, changesOf })
  expect(changes.ofWrite(before, after).via.map(({ action }) => action)).toEqual(['INSERT', 'UPDATE'])
})
