/** Random policies, random changes: what a viewer is shown is what a reader of the rule by hand would show. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { nextResult } from '../subscribe-to.ts'
import { openBlog } from './viewer.ts'

const FIELDS = ['id', 'email', 'bio', 'role', 'tags'] as const
const IDS = ['a', 'b', 'c'].map((last) => `00000000-0000-4000-8000-00000000000${last}`)
type Field = (typeof FIELDS)[number]
type Row = Readonly<Record<Field, unknown>>

/** A rule and what it means, written a second time without rowcast's filters. */
interface Rule {
  readonly where: object
  readonly holds: (row: Row) => boolean | null
}

const leaf: fc.Arbitrary<Rule> = fc.oneof(
  fc.subarray([...IDS], { minLength: 1 }).map((ids) => ({
    where: { id: { in: ids } },
    holds: (row: Row) => ids.includes(String(row.id)),
  })),
  fc
    .constantFrom('MEMBER', 'ADMIN')
    .map((role) => ({ where: { role }, holds: (row: Row) => row.role === role })),
  fc.constantFrom('x', 'y').map((bio) => ({
    where: { bio: { not: bio } },
    // SQL's null is neither.
    holds: (row: Row) => (row.bio === null ? null : row.bio !== bio),
  })),
  fc.constant({ where: { bio: null }, holds: (row: Row) => row.bio === null }),
)
const not = (value: boolean | null) => (value === null ? null : !value)
const all = (values: readonly (boolean | null)[]) =>
  values.includes(false) ? false : values.includes(null) ? null : true
const rule: fc.Arbitrary<Rule> = fc.oneof(
  leaf,
  leaf.map(({ where, holds }) => ({ where: { NOT: where }, holds: (row: Row) => not(holds(row)) })),
  fc.tuple(leaf, leaf).map(([a, b]) => ({
    where: { AND: [a.where, b.where] },
    holds: (row: Row) => all([a.holds(row), b.holds(row)]),
  })),
  fc.tuple(leaf, leaf).map(([a, b]) => ({
    where: { OR: [a.where, b.where] },
    holds: (row: Row) => not(all([not(a.holds(row)), not(b.holds(row))])),
  })),
)

const row = fc.record({
  id: fc.constantFrom(...IDS),
  // Of each row and field its own, so that it is known where it comes from.
  email: fc.constantFrom('email-1', 'email-2', 'email-3'),
  bio: fc.constantFrom('x', 'y', null),
  role: fc.constantFrom('MEMBER', 'ADMIN'),
  tags: fc.constantFrom(['tag-1'], ['tag-2']),
})
const change = fc.oneof(
  row.map((after) => ({ action: 'INSERT' as const, old: null, new: after })),
  fc.tuple(row, row).map(([old, after]) => ({ action: 'UPDATE' as const, old, new: after })),
  row.map((old) => ({ action: 'DELETE' as const, old, new: null })),
)

const changedOf = ({ old, new: after }: { old: Row | null; new: Row | null }) =>
  old === null || after === null
    ? []
    : FIELDS.filter((field) => JSON.stringify(old[field]) !== JSON.stringify(after[field]))

const pick = (source: Row | null, fields: readonly Field[]) =>
  source === null ? null : Object.fromEntries(fields.map((field) => [field, source[field]]))

it('shows of each change what the rule shows of it, and no more', async () => {
  await fc.assert(
    fc.asyncProperty(
      rule,
      fc.subarray([...FIELDS], { minLength: 1 }),
      fc.array(change, { minLength: 1, maxLength: 12 }),
      async ({ where, holds }, visible, changes) => {
        const { feed, see } = openBlog({ User: { rows: () => where, fields: () => visible } })
        const images = `{ ${visible.join(' ')} }`
        const oldImages = images.replace('id', 'id: rowId')
        const results = await see(
          `subscription { userChanged { action transition old ${oldImages} new ${images} changed } }`,
        )
        const expected = changes.flatMap(({ action, ...parts }) => {
          const seen = (image: Row | null) => (image !== null && holds(image) === true ? image : null)
          const [old, after] = [seen(parts.old), seen(parts.new)]
          if (old === null && after === null) return []
          const changed = action === 'UPDATE' ? changedOf(parts) : []
          const isSeenWhole = old !== null && after !== null
          if (isSeenWhole && changed.length > 0 && !changed.some((field) => visible.includes(field)))
            return []
          const transition = isSeenWhole ? 'STAYED' : old === null ? 'ENTERED' : 'LEFT'
          return [
            {
              ...{ action, transition, old: pick(old, visible), new: pick(after, visible) },
              changed: isSeenWhole ? changed.filter((field) => visible.includes(field)) : [],
            },
          ]
        })
        feed.commit(
          ...changes.map((parts) => ({
            ...parts,
            key: { id: (parts.new ?? parts.old).id },
            changed: parts.action === 'INSERT' ? FIELDS : changedOf(parts),
          })),
        )
        feed.close()
        for (const reported of expected) {
          const data = (await nextResult(results))?.data?.['userChanged']
          expect(data).toEqual(reported)
        }
        expect(await results.next()).toEqual({ done: true, value: undefined })
      },
    ),
    { numRuns: 300 },
  )
})
