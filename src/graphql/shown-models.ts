/**
 * Stage 7, graphql. What can be shown: a model none of whose fields may be seen has no type in GraphQL, which takes no
 * empty ones, and would take every other model down with it.
 */
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { withPrismaOmit } from '../catalog/prisma-omit.ts'
import { memberOf } from '../member-of.ts'
import { visibleFields } from './field-type.ts'
import type { AnyModelPolicy } from './policy/model-policy.ts'
import { omittedNames } from './policy/secret-fields.ts'

/** What a schema is made of. */
export interface ShownModels<Policy extends AnyModelPolicy> {
  readonly catalog: ModelCatalog
  readonly models: Readonly<Record<string, Policy>>
}

/** The same without the models that have nothing to show, and their names. */
export function withoutEmptyModels<Policy extends AnyModelPolicy>({
  catalog,
  models,
}: ShownModels<Policy>): ShownModels<Policy> & { readonly leftOut: readonly string[] } {
  const leftOut = Object.values<ModelSpec>(catalog.models)
    .filter((spec) => !spec.isOmitted && isEmpty(spec, models[spec.name]))
    .map((spec) => spec.name)
  if (leftOut.length === 0) return { catalog, models, leftOut }
  const specs = Object.entries<ModelSpec>(catalog.models).map(([name, spec]) => [
    name,
    leftOut.includes(name) ? { ...spec, isOmitted: true } : spec,
  ])
  return {
    catalog: { ...catalog, models: Object.fromEntries(specs) },
    models: Object.fromEntries(
      Object.entries(models).flatMap(([name, policy]) => {
        if (!leftOut.includes(name)) return [[name, policy]]
        // Nobody sees it, and what depends on it needs its changes.
        return memberOf(policy, 'followed') === true ? [[name, { ...policy, live: false }]] : []
      }),
    ),
    leftOut,
  }
}

/** The same of what the rows of a Prisma Client have: what its `omit` leaves out is not in the schema. */
export function shownByPrisma<
  Shown extends ShownModels<AnyModelPolicy> & { readonly leftOut: readonly string[] },
>(given: Shown, client: unknown): Shown {
  const { catalog, models } = given
  const shown = withoutEmptyModels({ catalog: withPrismaOmit(catalog, client), models })
  return { ...given, ...shown, leftOut: [...given.leftOut, ...shown.leftOut] }
}

function isEmpty(spec: ModelSpec, policy: AnyModelPolicy = {}): boolean {
  return visibleFields(spec, omittedNames(spec, policy)).length === 0
}
