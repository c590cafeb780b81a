/** Stage 7, graphql. A filter as clients write it → the same with the names that Prisma has for fields and relations. */
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { modelNames } from '../schema-names.ts'

/** What filters a change or its images. */
type Filters = Readonly<Record<string, unknown>>

/** What groups conditions is no field. */
export const GROUPS: ReadonlySet<string> = new Set(['AND', 'OR', 'NOT'])

/** The arguments of a subscription. */
export function withPrismaNames<Input extends object>(
  catalog: ModelCatalog,
  model: ModelSpec,
  input: Input,
): Input {
  const entries = Object.entries(input).map(([argument, value]) => [
    argument,
    argument === 'changed' ? value : renamed(catalog, model, value),
  ])
  return Object.fromEntries(entries) as Input
}

function renamed(catalog: ModelCatalog, model: ModelSpec, where: unknown): unknown {
  if (Array.isArray(where)) return where.map((each) => renamed(catalog, model, each))
  if (typeof where !== 'object' || where === null) return where
  const names = modelNames(catalog, model.name).fields
  const byGraphqlName = new Map([...names].map(([prisma, graphql]) => [graphql, prisma]))
  const entries = Object.entries(where as Filters).map(([given, value]) => {
    if (GROUPS.has(given)) return [given, renamed(catalog, model, value)]
    const name = byGraphqlName.get(given) ?? given
    const related = relatedModelOf(catalog, model, name)
    if (related === null || typeof value !== 'object' || value === null) return [name, value]
    const operators = Object.entries(value).map(([operator, of]) => [operator, renamed(catalog, related, of)])
    return [name, Object.fromEntries(operators)]
  })
  return Object.fromEntries(entries)
}

/** The model that a relation of this name leads to; null where the model has none. */
export function relatedModelOf(catalog: ModelCatalog, model: ModelSpec, name: string): ModelSpec | null {
  const relation = model.relations.find((each) => each.name === name)
  const models: Readonly<Record<string, ModelSpec | undefined>> = catalog.models
  return relation === undefined ? null : (models[relation.model] ?? null)
}
