/**
 * Stage 7, graphql. `Query.whyNot`: why a subscription got a change or did not, for those who may ask. It looks with the
 * eyes of whoever asks: their policies hold, and no value of a row is shown.
 */
import type { SchemaTypes } from '@pothos/core'
import type { GraphQLSchema } from 'graphql'
import type { Explanation, ExplanationStage, ExplanationStep } from '../../bus/explanation.ts'
import type { ChangeFilterInput } from '../../bus/filter/change-filter.ts'
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import { invariant, RowcastError } from '../../errors.ts'
import { policiesOf } from '../builder/builder-policies.ts'
import { type AnyBuilder, stateOf } from '../builder/builder-state.ts'
import type { ChangeFeed } from '../change-feed.ts'
import { graphqlError, toGraphqlError } from '../graphql-errors.ts'
import { parseFilterArguments } from '../where/filter-arguments.ts'
import { relatedModels } from '../where/related-rules.ts'
import { withPrismaNames } from '../where/where-names.ts'
import type { CanExplain } from './can-explain.ts'
import { readSubscription } from './read-subscription.ts'
import { subscriptionLabel } from './subscription-label.ts'

const STAGES: readonly ExplanationStage[] = ['decoded', 'published', 'allowed', 'matched', 'queued', 'sent']

/** Adds the field to the Query root. @throws GRAPHQL_BAD_SCHEMA when the feed cannot explain */
export function defineWhyNot(builder: AnyBuilder, canExplain: CanExplain): void {
  const { feed } = builder.options.rowcast
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
  stateOf(builder).needed.add('JSON')
  builder.queryField('whyNot', (t) =>
    t.field({
      type: defineExplanation(builder),
      nullable: false,
      description:
        'Why a subscription gets the change at a cursor, or does not, as whoever asks would see it.',
      args: {
        cursor: t.arg({
          type: 'Cursor' as never,
          required: true,
          description: 'The `cursor` of the change.',
        }),
        subscription: t.arg.string({ required: true, description: 'The text of the subscription.' }),
        variables: t.arg({ type: 'JSON' as never, required: false, description: 'Its variables.' }),
      },
      resolve: async (_root, args, context, { schema }) => {
        const may = await canExplain(context)
        const namesPolicies = may === 'policies'
        if (may !== true && !namesPolicies) throw graphqlError('FORBIDDEN', 'You may not ask why.')
        try {
          const given = args as unknown as WhyArguments
          return (await explainFor(builder, explain, given, { context, schema, namesPolicies })) as never
        } catch (error) {
          throw toGraphqlError(error)
        }
      },
    }),
  )
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
  builder: AnyBuilder,
  explain: NonNullable<ChangeFeed['explain']>,
  { cursor, subscription, variables }: WhyArguments,
  { context, schema, namesPolicies }: Asker,
): Promise<Explanation> {
  const { catalog } = builder.options.rowcast.feed
  const { model: name, omit, actions, input } = readSubscription(schema, subscription, variables ?? {})
  const model: ModelSpec | undefined = catalog.models[name]
  invariant(model !== undefined, `A subscription is to changes of ${name}, which the catalog does not have.`)
  const policies = policiesOf(builder)
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

function defineExplanation(builder: AnyBuilder) {
  const stage = builder.enumType('DeliveryStage', {
    description: 'A step on the way of a change to a client, in order.',
    values: Object.fromEntries(STAGES.map((name) => [name.toUpperCase(), { value: name }])),
  })
  const step = builder.objectRef<ExplanationStep>('DeliveryStep').implement({
    description: 'What came of one step.',
    fields: (t) => ({
      stage: t.field({ type: stage, nullable: false, resolve: ({ stage: name }) => name as never }),
      isPassed: t.exposeBoolean('isPassed', {
        nullable: true,
        description: 'Whether the change got past it; null where that is not known.',
      }),
      text: t.exposeString('text', { nullable: false, description: 'One sentence; never a value of a row.' }),
    }),
  })
  return builder.objectRef<Explanation>('DeliveryExplanation').implement({
    description: 'The way of one change to subscriptions of one kind.',
    fields: (t) => ({
      isWanted: t.exposeBoolean('isWanted', {
        nullable: true,
        description:
          'Whether such a subscription, open at the change, gets it; null where that is not known.',
      }),
      reason: t.exposeString('reason', { nullable: false, description: 'The sentence of the last step.' }),
      steps: t.field({
        type: [step],
        nullable: { list: false, items: false },
        description: 'Up to the step where the change went no further.',
        resolve: ({ steps }) => [...steps] as never,
      }),
    }),
  }) as never as ReturnType<typeof builder.objectRef<SchemaTypes>>
}
