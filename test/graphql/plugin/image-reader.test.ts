/** When images ask for related rows: those of a transaction become visible in one moment. */
import { expect, it } from 'vitest'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import type { AnyBuilder } from '../../../src/graphql/builder/untyped-builder.ts'
import { createImageReader } from '../../../src/graphql/plugin/image-reader.ts'
import { toImage } from '../../../src/graphql/subscription/image-rows.ts'
import { createDeferred } from '../../support/deferred.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Comments, whose authors are asked for; how many have been. */
function open(turns: { wait(): Promise<void> | null }, visible: Promise<void>) {
  let asked = 0
  const nothing = async () => null
  const author = {
    ...{ findUnique: nothing, findFirst: nothing, count: async () => 0 },
    findMany: async () => [],
  }
  const feed = { catalog, whenVisible: () => visible }
  const builder = { options: { rowcast: { feed }, prisma: { client: { user: author } } } }
  const load = createImageReader(builder as unknown as AnyBuilder, turns)
  const image = (id: number) => {
    // Its key is looked at when its author is asked for.
    const row = {
      id,
      get authorId() {
        asked += 1
        return null
      },
    }
    return toImage('Comment', row, { transaction: { xid: 7 } as never })
  }
  return {
    load: (id: number) => load('Comment', image(id), { select: { author: true } }, {}),
    asked: () => asked,
  }
}

it('they ask one after the other, as their turns come, and not all as soon as they are visible', async () => {
  const visible = createDeferred<void>()
  const line: (() => void)[] = []
  const wait = () => new Promise<void>((resolve) => line.push(resolve))
  const { load, asked } = open({ wait }, visible.promise)
  const loaded = Promise.all(Array.from({ length: 1_000 }, (_, id) => load(id)))
  await turn()
  expect(line).toHaveLength(0)
  const before = asked()
  visible.resolve()
  await turn()
  expect([line.length, asked()]).toEqual([1_000, before])
  let most = 0
  for (const begin of line) {
    const sofar = asked()
    begin()
    await turn()
    most = Math.max(most, asked() - sofar)
  }
  expect((await loaded).length).toBe(1_000)
  expect(asked()).toBeGreaterThan(before)
  // Those of one image, and of nobody else.
  expect(most).toBe((asked() - before) / 1_000)
})
