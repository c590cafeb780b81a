/** Those who ask for the same are one watcher: judged once, given what comes of it, and gone with the last of them. */
import { expect, it } from 'vitest'
import { type ChangeFilter, createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { ReadRows } from '../../src/sets/key-set.ts'
import { type AudienceMember, RelatedAudiences } from '../../src/sets/related-audiences.ts'
import type { StreamTransaction } from '../../src/sets/rows-at.ts'
import { SetGraph } from '../../src/sets/set-graph.ts'
import type { SettledWrite } from '../../src/sets/settled-writes.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { plainChange, plainTransaction } from '../support/plain-change.ts'

const POST = blogCatalog.models['Post'] as ModelSpec
const ADA = { id: 'ada', role: 'ADMIN' }
const readRows: ReadRows = async ({ model }) => (model.name === 'User' ? [ADA] : [])

/** The posts of those with a role. @param key equal for those who ask for the same */
function asked(role: string, key: string | null = role) {
  const where = parseWhere(POST, blogCatalog, { author: { role } }, { relations: {} })
  return { model: POST, filter: { ...(createChangeFilter({ where }) as ChangeFilter), key } }
}

/** A transaction of one write, and how often its rows were asked for. */
function write(
  ordinal: number,
  images: { readonly model: string; readonly old?: object; readonly new?: object },
) {
  const { model, old = null, new: after = null } = images
  const action = old === null ? 'INSERT' : after === null ? 'DELETE' : 'UPDATE'
  const change = plainChange({
    ...{ model, action, old: old as never, new: after as never, key: { id: 1 } },
    transaction: plainTransaction(ordinal),
  })
  const transaction: StreamTransaction = {
    ordinal,
    models: new Set([model]),
    countOf: (of) => (of === model ? 1 : 0),
    changesOf: (of) => (of === model ? [change] : []),
  }
  return transaction
}

/** Notes what it is given. */
class Member implements AudienceMember {
  readonly given: (readonly SettledWrite[] | null)[] = []

  concern(_: StreamTransaction, writes: readonly SettledWrite[] | null): void {
    this.given.push(writes)
  }
}

async function open(...members: readonly (readonly [ReturnType<typeof asked>, AudienceMember])[]) {
  const graph = new SetGraph(0, { readRows })
  const audiences = new RelatedAudiences()
  const held = members.map(([{ filter }]) => graph.hold([filter.where ?? { kind: 'constant', value: true }]))
  await Promise.all(held.map((each) => each.ready()))
  const leave = members.map(([request, member]) => audiences.join(graph, request, member))
  const commit = (transaction: StreamTransaction): number => {
    const named = [...graph.advance(transaction)]
    for (const watcher of named) watcher.concern(transaction)
    return named.length
  }
  const release = () => {
    for (const each of held) each.release()
  }
  return { graph, audiences, leave, commit, release }
}

const post = { id: 1, authorId: 'ada' }

it('judges a write once for all who ask for the same, and gives each the same', async () => {
  const members = [new Member(), new Member(), new Member()] as const
  const { commit } = await open(...members.map((member) => [asked('ADMIN'), member] as const))
  expect(commit(write(1, { model: 'Post', new: post }))).toBe(1)
  const [first, ...others] = members.map(({ given }) => given[0])
  expect(first).toMatchObject([{ kind: 'written', isLast: true, judgement: { transition: 'ENTERED' } }])
  for (const other of others) expect(other).toBe(first)
})

it.each([
  ['other filters', asked('ADMIN'), asked('MEMBER')],
  ['filters of which it is not known whether they are the same', asked('ADMIN', null), asked('ADMIN', null)],
])('keeps apart who has %s', async (_, one, other) => {
  const { commit } = await open([one, new Member()], [other, new Member()])
  const named = commit(write(1, { model: 'Post', new: post }))
  expect(named).toBe(one.filter.key === null ? 2 : 1)
})

it('leaves to each its own loop what moves a set, and what waits for one', async () => {
  const member = new Member()
  const { commit } = await open([asked('ADMIN'), member])
  commit(write(1, { model: 'User', old: ADA, new: { ...ADA, role: 'MEMBER' } }))
  // The set has not been brought through the one before.
  commit(write(2, { model: 'Post', new: post }))
  expect(member.given).toEqual([null, null])
})

it('judges as many writes as a turn has time for, and leaves the others to the loops of those who ask', async () => {
  const members = Array.from({ length: 30 }, () => new Member())
  const all = members.map((member) => [asked('ADMIN', null), member] as const)
  const { commit } = await open(...all)
  const large = (ordinal: number): StreamTransaction => {
    const one = write(ordinal, { model: 'Post', new: post })
    return {
      ...one,
      countOf: () => 100,
      changesOf: (of) =>
        Array(100)
          .fill([...one.changesOf(of)])
          .flat(),
    }
  }
  expect(commit(large(1))).toBe(30)
  const atOnce = () => members.filter(({ given }) => given.at(-1) !== null).length
  expect(atOnce()).toBe(20)
  await new Promise((resolve) => setImmediate(resolve))
  commit(write(2, { model: 'Post', new: post }))
  expect(atOnce()).toBe(30)
})

it('counts nothing of a transaction that it leaves to the loops anyhow', async () => {
  const members = [new Member(), new Member()]
  const { commit } = await open(...members.map((member) => [asked('ADMIN'), member] as const))
  commit({ ...write(1, { model: 'Post', new: post }), countOf: () => 2_001 })
  commit(write(2, { model: 'Post', new: post }))
  for (const { given } of members) expect(given).toMatchObject([null, [{ kind: 'written' }]])
})

it('puts a large audience off for nobody: one judgement is for all of them', async () => {
  const alone = Array.from({ length: 30 }, () => new Member())
  const together = Array.from({ length: 50 }, () => new Member())
  const { commit } = await open(
    ...alone.map((member) => [asked('ADMIN', null), member] as const),
    ...together.map((member) => [asked('ADMIN'), member] as const),
  )
  const many = { ...write(1, { model: 'Post', new: post }), countOf: () => 100 }
  expect(commit(many)).toBe(31)
  expect(alone.filter(({ given }) => given[0] === null)).toHaveLength(10)
  const [first] = together.map(({ given }) => given[0])
  expect(first).toMatchObject([{ kind: 'written' }])
  for (const { given } of together) expect(given).toEqual([first])
})

it('lets the sets go with the last who asks', async () => {
  const { graph, leave, release, commit } = await open(
    [asked('ADMIN'), new Member()],
    [asked('ADMIN'), new Member()],
  )
  release()
  const [first, second] = leave
  first?.()
  expect(graph.size).toBe(1)
  second?.()
  expect(graph.size).toBe(0)
  expect(commit(write(1, { model: 'Post', new: post }))).toBe(0)
})

it('whoever comes behind the end of a set gets one of its own, and those before keep theirs', async () => {
  let isFailing = false
  const failing: ReadRows = async (request) => {
    if (isFailing) throw new Error('The database is away.')
    return readRows(request, 0)
  }
  const graph = new SetGraph(0, { readRows: failing, limits: { keysMax: 1 } })
  const audiences = new RelatedAudiences()
  const request = asked('ADMIN')
  const { where } = request.filter
  if (where === null) throw new Error('It has a condition.')
  const held = graph.hold([where])
  await held.ready()
  const [before, after] = [new Member(), new Member()]
  const leave = audiences.join(graph, request, before)
  // A second admin is one key too many: the set ends.
  graph.advance(write(1, { model: 'User', new: { ...ADA, id: 'bob' } }))
  await expect(held.ready()).rejects.toMatchObject({ code: 'FILTER_TOO_BROAD' })
  isFailing = true
  const leaveAfter = audiences.join(graph, request, after)
  for (const watcher of graph.advance(write(2, { model: 'Post', new: post })))
    watcher.concern(write(2, { model: 'Post', new: post }))
  // Those before find out in their loops how theirs has ended.
  expect(before.given).toEqual([null])
  expect(after.given).toEqual([null])
  leave()
  leaveAfter()
})
