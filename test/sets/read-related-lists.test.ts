/** A list whose related rows are read with it: what it shows, where commits cannot be seen yet as it is read. */
import { expect, it } from 'vitest'
import { parseCursor } from '../../src/changes/cursor.ts'
import { type GivenList, RelatedListWorld, type Written } from '../support/related-list-world.ts'

/** A list of one post, as somebody was given it. */
async function openOnePost() {
  const world = new RelatedListWorld()
  const opened = world.open()
  world.commit({ post: 1 })
  world.stream()
  await world.turns()
  return { world, ...opened }
}

/** Each is what there was at its cursor. */
function expectRight(world: RelatedListWorld, given: readonly GivenList[]): void {
  for (const { rows, cursor } of given) {
    const commit = Number(parseCursor(cursor).position.commitLsn)
    for (const { key, row, related } of rows) {
      const post = Number(key['id'])
      expect(row['version']).toBe(world.versionOf(post, commit))
      if (related !== null) expect(related).toBe(world.labelsOf(post, commit))
    }
  }
}

it('goes on where each snapshot lacks a commit that stands before its end, and shows it as it was before that', async () => {
  const { world, given } = await openOnePost()
  let number = 0
  let late: ReturnType<typeof world.open> | null = null as ReturnType<typeof world.open> | null
  const unseen = () => {
    number += 1
    if (number > 20) return
    if (number === 5) late = world.open()
    world.commit({ post: 1 }, { label: number, of: 1 })
    world.stream()
  }
  world.afterSnapshot = unseen
  world.commit({ post: 1 }, { label: 0, of: 1 })
  world.stream()
  await world.turns(200)
  expect(given.length).toBeGreaterThan(15)
  expect(late?.given[0]?.isWhole).toBe(true)
  expect(late?.given.length).toBeGreaterThan(5)
  expectRight(world, given)
  const xids = given.flatMap(({ transaction }) => transaction?.xid ?? [])
  expect(new Set(xids).size).toBe(xids.length)
  expect(given.at(-1)?.rows[0]?.related).toBe(world.labelsOf(1))
})

it('lacks nothing that came while what was read before was still to be shown', async () => {
  const { world, given } = await openOnePost()
  world.afterSnapshot = () => {
    world.afterSnapshot = () => undefined
    const unknown = world.commit({ post: 2, isUnknown: true })
    world.commit({ label: 7, of: 2 })
    world.visible = unknown
    world.stream()
  }
  // It is asked until all of it can be seen.
  let asked = 0
  world.onAsked = () => {
    asked += 1
    if (world.visible !== null && asked > 10) world.visible = null
  }
  world.commit({ label: 1, of: 1 })
  world.stream()
  await world.turns(300)
  const shown = given.flatMap(({ rows }) => rows).filter(({ id }) => id === '2')
  expect(shown.at(-1)?.related).toBe('7')
})

it('is read again where its snapshot has something from behind a commit that it lacks, and shows nothing of that', async () => {
  const { world, given } = await openOnePost()
  let reads = 0
  world.beforeSnapshot = () => {
    reads += 1
    world.unseen.clear()
    if (reads > 3) return
    world.unseen.add(world.commit({ label: 2 * reads, of: 1 }))
    world.commit({ label: 2 * reads + 1, of: 1 })
    world.stream()
  }
  world.commit({ label: 1, of: 1 })
  world.stream()
  await world.turns(200)
  expect(reads).toBeGreaterThan(3)
  expectRight(world, given)
  expect(given.at(-1)?.rows[0]?.related).toBe(world.labelsOf(1))
})

it('ends where each of many snapshots has something from behind a commit that it lacks', async () => {
  const { world, given, taken } = await openOnePost()
  let reads = 0
  world.beforeSnapshot = () => {
    reads += 1
    world.unseen.clear()
    world.unseen.add(world.commit({ label: 2 * reads, of: 1 }))
    world.commit({ label: 2 * reads + 1, of: 1 })
    world.stream()
  }
  world.commit({ label: 1, of: 1 })
  world.stream()
  await world.turns(2_000)
  await expect(taken).rejects.toThrow(expect.objectContaining({ code: 'LIST_TOO_COSTLY' }))
  expectRight(world, given)
})

it('shows a row that came since the last read once more where the snapshot may see more of its related rows, and none for nothing', async () => {
  const { world, given } = await openOnePost()
  for (const post of [2, 3]) {
    world.commit({ post })
    world.stream()
    await world.turns()
    expect(given.at(-1)?.rows.map(({ id }) => id)).toEqual([String(post)])
    const isHeard = post === 3
    world.beforeSnapshot = () => {
      world.beforeSnapshot = () => undefined
      if (isHeard) world.commit({ label: 7, of: post })
    }
    const before = given.length
    world.commit({ post: 1, isUnknown: true })
    world.stream()
    await world.turns()
    world.stream()
    await world.turns()
    const shown = given.slice(before).flatMap(({ rows }) => rows.map(({ id }) => id))
    expect(shown.includes(String(post))).toBe(isHeard)
  }
})

it('shows a row once more that was shown with a label that came and went between two reads', async () => {
  const { world, given } = await openOnePost()
  // Whoever is shown this reads the label as well, which the stream brings later.
  const own = world.commit({ post: 1 })
  world.commit({ label: 7, of: 1 })
  world.commit({ label: 7, of: 1, isGone: true })
  world.stream(own)
  await world.turns()
  const before = given.length
  world.stream()
  await world.turns()
  expect(given.slice(before).flatMap(({ rows }) => rows.map(({ id }) => id))).toEqual(['1'])
})

it('shows what waits, though a related row has changed and it is to be read again', async () => {
  const world = new RelatedListWorld(1_000)
  world.tickMs = 0
  const { given } = world.open()
  const write = async (nowMs: number, written: Written) => {
    world.nowMs = nowMs
    const number = world.commit(written)
    world.stream()
    await world.turns()
    return number
  }
  await write(0, { post: 1 })
  await write(2_000, { label: 1, of: 1 })
  const count = given.length
  const own = await write(2_500, { post: 1 })
  await write(2_600, { label: 2, of: 1 })
  expect(given.length).toBe(count)
  world.nowMs = 3_000
  await world.turns()
  expect(given[count]?.rows.map(({ row }) => row['version'])).toEqual([own])
  expect(given[count]?.transaction?.xid).toBe(own)
  world.nowMs = 4_000
  await world.turns()
  expect(given.at(-1)?.rows[0]?.related).toBe('1,2')
  expectRight(world, given.slice(1))
})
