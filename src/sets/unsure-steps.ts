/**
 * Beside the spine, sets. Changes of a list whose condition PostgreSQL may judge otherwise than it is done here. Of a row whose compared values stay as they
 * are its verdict stays what it was, and one that cannot be in by either verdict goes; of the rest the database is asked. Pure.
 */
import { type ChangeFilter, conditionsOf } from '../bus/filter/change-filter.ts'
import { fieldsOf } from '../bus/filter/condition.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { canonicalText } from '../catalog/values/canonical-text.ts'
import { compareValues } from './row-order.ts'
import type { SetStep } from './set-step.ts'

/** Whether PostgreSQL's verdict of the row is the same before and after, or the row is none of them after. */
export type VerdictTest = (step: SetStep) => boolean

/** That of one filter. */
export function verdictTest(filter: ChangeFilter, model: ModelSpec, catalog: ModelCatalog): VerdictTest {
  const compared = new Set(conditionsOf(filter).flatMap((condition) => [...fieldsOf(condition)]))
  const fields = model.fields.filter(({ name }) => compared.has(name))
  const tests = fields.map((field) => [field.name, sameness(field, catalog)] as const)
  return ({ before, after }) => {
    if (before === null) return false
    if (after === null) return true
    return tests.every(([name, isSame]) => isSame(before.row[name], after.row[name]))
  }
}

/** Whether two values are the same in the database as well: what a row rounds is not known to be. */
function sameness(field: FieldSpec, catalog: ModelCatalog): (a: unknown, b: unknown) => boolean {
  const compare = compareValues(catalog, field)
  return (a, b) => {
    if (a === null || b === null) return a === b
    // Numbers in Json have more digits than JavaScript reads.
    if (field.type === 'Json' || a === undefined || b === undefined) return false
    const text = canonicalText(a)
    return text !== null && text === canonicalText(b) && compare(a, b) === 0
  }
}
