/** What a filter may be of some row is found out in time, however deep it asks for related rows. */
import { expect, it } from 'vitest'
import { allOf, anyOf, type Condition, NEVER, negate } from '../../../src/bus/filter/condition.ts'
import { FALSE, TRUE } from '../../../src/bus/filter/outcome.ts'
import { possibleOutcomes } from '../../../src/bus/filter/possible-outcomes.ts'
import { TEXT_DOMAINS } from '../../../src/bus/filter/text-domains.ts'
import type { ModelSpec } from '../../../src/catalog/model-catalog.ts'

const FIELDS = ['a', 'b', 'c', 'd', 'e']
const model = {
  fields: FIELDS.map((name) => ({ name, isRequired: false })),
  relations: [],
} as unknown as ModelSpec
const domain = TEXT_DOMAINS.text

/** Each field is null or of one value: hundreds of rows to try. */
const own: readonly Condition[] = FIELDS.map((field) =>
  anyOf([
    { kind: 'null', field },
    { kind: 'in', field, domain, keys: new Set(['x']) },
  ]),
)
const related = (condition: Condition): Condition => ({
  kind: 'related',
  fields: ['a'],
  domains: [domain],
  set: { model, fields: ['a'], domains: [domain], condition, counts: 'true', text: null },
})

it('asks what related rows may be once, and not for each row that is tried', () => {
  const deep = (level: number): Condition => allOf(level === 0 ? own : [...own, related(deep(level - 1))])
  expect(possibleOutcomes(deep(5), model) & (TRUE | FALSE)).toBe(TRUE | FALSE)
  expect(possibleOutcomes(anyOf([...own, related(NEVER)]), model) & TRUE).toBe(TRUE)
})

/** Rows that have a related one of which something is asked. */
const some = (text: string | null): Condition => ({
  ...{ kind: 'related', fields: ['a'], domains: [domain] },
  set: { model, fields: ['a'], domains: [domain], condition: own[0] as Condition, counts: 'true', text },
})

it.each([
  ['some or none of the same', anyOf([some('x'), negate(some('x'))]), TRUE],
  ['some and none of the same', allOf([some('x'), negate(some('x'))]), FALSE],
  ['some or none of others', anyOf([some('x'), negate(some('y'))]), TRUE | FALSE],
  ['some or none of what is not known to be the same', anyOf([some(null), negate(some(null))]), TRUE | FALSE],
  [
    'some of one, or of another and none of the first',
    anyOf([some('x'), allOf([some('y'), negate(some('x'))])]),
    TRUE | FALSE,
  ],
])('%s', (_, condition, possible) => {
  expect(possibleOutcomes(condition, model)).toBe(possible)
})
