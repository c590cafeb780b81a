/** Beside the spine, sets. Rows of a model with soft deletion, as a `where` of Prisma. Pure. */
import type { ModelSpec } from '../catalog/model-catalog.ts'

/** The rows that are not marked as deleted; null where all are there. @param softDelete the field that marks them */
export function unmarkedWhere(model: ModelSpec, softDelete: string | undefined): object | null {
  const field = model.fields.find(({ name }) => name === softDelete)
  if (field === undefined) return null
  if (field.type !== 'Boolean') return { [field.name]: null }
  return field.isRequired
    ? { [field.name]: false }
    : { OR: [{ [field.name]: false }, { [field.name]: null }] }
}
