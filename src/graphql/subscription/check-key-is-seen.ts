/** Stage 7, graphql. Whether a viewer can put rows together. */
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import { RowcastError } from '../../errors.ts'
import { visibleFields } from '../field-type.ts'
import type { ModelView } from '../policy/viewer-policies.ts'

/**
 * Whoever cannot see which row it is could not put rows together, and could see from their order what is hidden.
 * @throws FIRST_ROWS_REFUSED
 */
export function checkKeyIsSeen(model: ModelSpec, omit: readonly string[], { hidden }: ModelView): void {
  const seen = new Set(visibleFields(model, omit).map(({ name }) => name))
  if (model.primaryKey.every((name) => seen.has(name) && !hidden.has(name))) return
  throw new RowcastError('FIRST_ROWS_REFUSED', `The key of ${model.name} is not to be seen.`, {
    hint: 'Take `changeCursor`, query the rows, then subscribe after that cursor.',
  })
}
