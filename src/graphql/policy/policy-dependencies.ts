/** Stage 7, graphql. What the answers of policies depend on: `dependsOn`, asked once for a subscription, and read. */
import { constantOf } from '../../bus/filter/condition.ts'
import { parseWhere } from '../../bus/filter/parse-where.ts'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { isRowcastError, RowcastError } from '../../errors.ts'
import type { Dependency } from '../../sets/rights.ts'
import { graphqlError } from '../graphql-errors.ts'
import { ownCopy } from './own-copy.ts'
import type { ViewerPolicies } from './viewer-policies.ts'

/**
 * For what asks policies once, and keeps what they have answered.
 * @param hint what to subscribe to instead
 * @throws GRAPHQL_BAD_ARGUMENT where a policy of the models has to be asked again
 */
export function refuseDependent(policies: ViewerPolicies, models: readonly string[], hint: string): void {
  const dependent = models.find((model) => isDependent(policies, model))
  if (dependent === undefined) return
  const happened = `Who sees what of ${dependent} depends on other rows.`
  throw graphqlError('GRAPHQL_BAD_ARGUMENT', happened, { hint })
}

/** Whether the answers of its policy hold until rows change, and no longer. */
export function isDependent(policies: ViewerPolicies, model: string): boolean {
  return policies.declared(model).dependsOn !== undefined
}

/** What the policies of the models depend on, for this viewer. @throws POLICY_FAILED, POLICY_TIMEOUT */
export async function dependenciesOf(
  catalog: ModelCatalog,
  policies: ViewerPolicies,
  models: readonly string[],
  context: object,
): Promise<readonly Dependency[]> {
  const asked = [...new Set(models)].map(async (model) => {
    const { dependsOn } = policies.declared(model)
    if (dependsOn === undefined) return []
    const ask = () => copyOf(dependsOn(context))
    return parseAnswer(catalog, model, await policies.calls.ask(model, 'dependsOn', ask))
  })
  return (await Promise.all(asked)).flat()
}

/** What the answer says now: it may say something else when it is read again. */
async function copyOf(answer: unknown): Promise<unknown> {
  return ownCopy(await answer)
}

function parseAnswer(catalog: ModelCatalog, model: string, answer: unknown): readonly Dependency[] {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer))
    throw failed(model, 'not of the form { OrgMember: { userId: … } }')
  return Object.entries(answer).map(([name, where]) => {
    const spec: ModelSpec | undefined = Object.hasOwn(catalog.models, name) ? catalog.models[name] : undefined
    if (spec === undefined) throw failed(model, `a model that there is not, "${name}"`)
    return { model: spec, condition: conditionOf(catalog, model, spec, where) }
  })
}

function conditionOf(catalog: ModelCatalog, model: string, of: ModelSpec, where: unknown) {
  try {
    const condition = parseWhere(of, catalog, where, {
      path: `dependsOn.${of.name}`,
      emptyGroups: 'refuse',
      emptyObjects: 'refuse',
    })
    if (constantOf(condition) === null) return condition
  } catch (error) {
    if (!isRowcastError(error)) throw error
    throw failed(model, `a filter that cannot be used: ${error.message}`)
  }
  throw failed(model, `a filter of ${of.name} that every row matches, or none`)
}

function failed(model: string, what: string): RowcastError {
  return new RowcastError('POLICY_FAILED', `The policy \`dependsOn\` of ${model} answered with ${what}.`)
}
