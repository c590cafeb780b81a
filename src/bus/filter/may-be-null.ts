/** Stage 6, bus. Whether a condition can be SQL's null of some row. */
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import type { Condition } from './condition.ts'

/** False where it is true or false of every row of the model; a condition on Json is always taken for one that may be null. */
export function mayBeNull(condition: Condition, model: ModelSpec): boolean {
  if ('conditions' in condition) return condition.conditions.some((part) => mayBeNull(part, model))
  switch (condition.kind) {
    case 'not':
      return mayBeNull(condition.condition, model)
    case 'in':
    case 'test': {
      const field = model.fields.find(({ name }) => name === condition.field)
      return field?.isRequired !== true || field.type === 'Json'
    }
    default:
      return false
  }
}
