/** Stage 6, bus. Whether a condition can be SQL's null of some row. */
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import type { Condition } from './condition.ts'

/**
 * False where it is true or false of every row of the model; a condition on Json or on a list is always taken for one that may be
 * null. Of a relation it says what the test of its keys is, which is true or false; SQL may find null where that test was made.
 */
export function mayBeNull(condition: Condition, model: ModelSpec): boolean {
  if ('conditions' in condition) return condition.conditions.some((part) => mayBeNull(part, model))
  switch (condition.kind) {
    case 'not':
      return mayBeNull(condition.condition, model)
    case 'in':
    case 'test': {
      const field = model.fields.find(({ name }) => name === condition.field)
      // The column of a list can hold NULL though the field is not optional.
      return field?.isRequired !== true || field.isList || field.type === 'Json'
    }
    default:
      return false
  }
}
