/** What is said of a filter that is none. */
import { catalog } from '../../prisma/generated/rowcast.ts'
import { type ParseWhereOptions, parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import { isRowcastError } from '../../src/errors.ts'

/** The message of the refusal, which clients may read. @throws where it is accepted, or fails otherwise */
export function refusalOf(
  where: unknown,
  options?: ParseWhereOptions,
  model: ModelSpec = catalog.models.User,
): string {
  try {
    parseWhere(model, catalog, where, options)
  } catch (error) {
    if (isRowcastError(error, 'BAD_FILTER') && error.isPublic) return error.message
    throw error
  }
  throw new Error('It was accepted.')
}
