/**
 * Stage 7, graphql. `Query.whyNot`: why a subscription got a change or did not, for those who may ask. It looks with the
 * eyes of whoever asks: their policies hold, and no value of a row is shown.
 */
import type { GraphQLSchema } from 'graphql'
import type { Explanation, ExplanationStage } from '../../bus/explanation.ts'
import type { ChangeFilterInput } from '../../bus/filter/change-filter.ts'
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import { invariant, RowcastError } from '../../errors.ts'
import type { CanExplain, ChangeFeed } from '../change-feed.ts'
import { graphqlError, toGraphqlError } from '../graphql-errors.ts'
import type { ViewerPolicies } from '../policy/viewer-policies.ts'
import type { FieldDefinition, TypeDefinition } from '../type-definition.ts'
import { parseFilterArguments } from '../where/filter-arguments.ts'
import { relatedModels } from '../where/related-rules.ts'
import { withPrismaNames } from '../where/where-names.ts'
import { readSubscription } from './read-subscription.ts'
import { subscriptionLabel } from './subscription-label.ts'

const STAGES: readonly ExplanationStage[] = ['decoded', 'published', 'allowed', 'matched', 'queued', 'sent']

/** Whom the field asks: the source of changes, and what viewers may see. */
export interface WhyScope {
  readonly feed: ChangeFeed
  readonly policies: ViewerPolicies
}

/** The field of the Query root. @throws GRAPHQL_BAD_SCHEMA when the feed cannot explain */
export function whyNotField(scope: WhyScope, canExplain: CanExplain): FieldDefinition {
  const { feed } = scope
  const explain = feed.explain?.bind(feed)
  if (explain === undefined) {
    throw new RowcastError(
      'GRAPHQL_BAD_SCHEMA',
      '`canExplain` is given, and the feed cannot explain anything.',
      {
        hint: 'Pass the rowcast itself as `feed`, or leave `canExplain` out.',
      },
    )
  }
  return {
    type: 'DeliveryExplanation!',
    description: 'Why a subscription gets the change at a cursor, or does not, as whoever asks would see it.',
    args: {
      cursor: { type: 'Cursor!', description: 'The `cursor` of the change.' },
      subscription: { type: 'String!', description: 'The text of the subscription.' },
      variables: { type: 'JSON', description: 'Its variables.' },
    },
    resolve: async (_root, given: WhyArguments, context, { schema }) => {
      const may = await scope.policies.calls.ask('debug', 'canExplain', () => canExplain(context))
      const namesPolicies = may === 'policies'
      if (may !== true && !namesPolicies) throw graphqlError('FORBIDDEN', 'You may not ask why.')
      try {
        return await explainFor(scope, explain, given, { context, schema, namesPolicies })
      } catch (error) {
        throw toGraphqlError(error)
      }
    },
  }
}

interface WhyArguments {
  readonly cursor: string
  readonly subscription: string
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined
}

/** Who asks, and of what. */
interface Asker {
  readonly context: object
  readonly schema: GraphQLSchema
  /** Whether it may be said what policies ask of related rows. */
  readonly namesPolicies: boolean
}

async function explainFor(
  { feed: { catalog }, policies }: WhyScope,
  explain: NonNullable<ChangeFeed['explain']>,
  { cursor, subscription, variables }: WhyArguments,
  { context, schema, namesPolicies }: Asker,
): Promise<Explanation> {
  const { model: name, omit, actions, input } = readSubscription(schema, subscription, variables ?? {})
  const model: ModelSpec | undefined = catalog.models[name]
  invariant(model !== undefined, `A subscription is to changes of ${name}, which the catalog does not have.`)
  const models = [name, ...relatedModels(catalog, model, withPrismaNames(catalog, model, input))]
  await policies.prepare(context, models)
  for (const each of models) if (!(await policies.maySubscribe(context, each))) return denied(each)
  const related = policies.relatedViews(context)
  const filterOf = (given: ChangeFilterInput) =>
    parseFilterArguments(catalog, { model, omit, related }, given, policies.view(context, name))
  const filter = filterOf(input)
  const parse = (where: unknown) => filterOf({ where })?.where ?? null
  const label = subscriptionLabel(policies, context, models, { ...input, actions })
  const namedModels = new Set(models)
  return explain({ cursor, model, actions, filter, input, label, parse, namesPolicies, namedModels })
}

/** Of a model that the viewer may not subscribe to, not even whether there is a change. */
function denied(model: string): Explanation {
  const reason = `A policy denies the subscription: \`canSubscribe\` of ${model}.`
  return { isWanted: false, reason, steps: [{ stage: 'allowed', isPassed: false, text: reason }] }
}

/** What it answers with. */
export const EXPLANATION_TYPES: readonly TypeDefinition[] = [
  {
    kind: 'enum',
    name: 'DeliveryStage',
    description: 'A step on the way of a change to a client, in order.',
    values: Object.fromEntries(STAGES.map((name) => [name.toUpperCase(), { value: name }])),
  },
  {
    kind: 'object',
    name: 'DeliveryStep',
    description: 'What came of one step.',
    fields: {
      stage: { type: 'DeliveryStage!' },
      isPassed: {
        type: 'Boolean',
        description: 'Whether the change got past it; null where that is not known.',
      },
      text: { type: 'String!', description: 'One sentence; never a value of a row.' },
    },
  },
  {
    kind: 'object',
    name: 'DeliveryExplanation',
    description: 'The way of one change to subscriptions of one kind.',
    fields: {
      isWanted: {
        type: 'Boolean',
        description:
          'Whether such a subscription, open at the change, gets it; null where that is not known.',
      },
      reason: { type: 'String!', description: 'The sentence of the last step.' },
      steps: { type: '[DeliveryStep!]!', description: 'Up to the step where the change went no further.' },
    },
  },
]
