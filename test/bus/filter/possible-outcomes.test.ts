/** What a filter may be of some row is found out in time, however deep it asks for related rows. */
import { expect, it } from 'vitest'
import { allOf, anyOf, type Condition, NEVER } from '../../../src/bus/filter/condition.ts'
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
