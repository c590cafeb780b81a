/** Stage 7, graphql. What live lists and totals have in common: who is let in, and which rows are kept for whom. */
import type { GraphQLResolveInfo } from 'graphql'
import { MappedIteration } from '../../async-iteration.ts'
import type { DeliveryPull } from '../../bus/bus.ts'
import type { PulledEvents } from '../../bus/mapped-pull.ts'
import type { KeptState } from '../../sets/kept-parts.ts'
import type { KeptRequest } from '../../sets/kept-request.ts'
import { setAudience } from '../audience.ts'
import { accountOf } from '../bus-account.ts'
import { graphqlError, toSubscriptionError } from '../graphql-errors.ts'
import { valuesOf } from '../graphql-version.ts'
import { type ListRequest, whereOf } from '../listing/list-query.ts'
import { checkFilterVariables } from '../missing-variable.ts'
import { refuseDependent } from '../policy/policy-dependencies.ts'
import { selectedModels } from '../policy/selected-models.ts'
import type { ArgumentDefinition, FieldDefinitions } from '../type-definition.ts'
import { parseFilterArguments } from '../where/filter-arguments.ts'
import { relatedModels } from '../where/related-rules.ts'
import { withPrismaNames } from '../where/where-names.ts'
import { audienceOfModels, type SubscribedModel } from './subscription-scope.ts'

/** Arguments of both. */
export interface KeptArguments {
  readonly where?: object | null | undefined
  readonly every?: number | null | undefined
  readonly after?: string | null | undefined
}

/** Behind those of a field of its own. @param whole what comes first, as a sentence says it */
export function everyAndAfter(whole: string): Readonly<Record<'every' | 'after', ArgumentDefinition>> {
  return {
    every: {
      type: 'Int',
      description:
        'Milliseconds between two patches at the least, 60,000 at the most. What the server says when left out: 0 unless it is configured.',
    },
    after: { type: 'Cursor', description: `What a client has that comes again. ${whole}` },
  }
}

/** @returns whose results the subscription gives @throws FORBIDDEN, POLICY_FAILED, GRAPHQL_BAD_ARGUMENT */
export async function letIn(
  { scope, model, names }: SubscribedModel,
  { where }: KeptArguments,
  context: object,
  info: GraphQLResolveInfo,
): Promise<string | null> {
  const { policies, metadata, feed, modelOf } = scope
  const asked = [
    model.name,
    ...relatedModels(feed.catalog, model, withPrismaNames(feed.catalog, model, { where })),
  ]
  const shown = [...selectedModels(info, modelOf), ...asked]
  refuseDependent(policies, shown, `Subscribe to ${names.changed} with \`initial: true\`.`)
  await policies.prepare(context, shown)
  await metadata?.prepare(context)
  for (const name of asked) {
    if (await policies.maySubscribe(context, name)) continue
    throw graphqlError('FORBIDDEN', `You may not subscribe to changes of ${name}.`)
  }
  return audienceOfModels(scope, shown, context)
}

/** Rows that are asked for, by whom: as a query reads them, and as they are kept. */
export interface KeptRows {
  readonly query: ListRequest
  readonly kept: KeptRequest
}

/** Of a viewer who was let in. @throws BAD_FILTER, FILTER_TOO_COSTLY, FIELD_HIDDEN */
export function keptRowsOf(
  { scope, model, names, omit }: SubscribedModel,
  { where, every }: KeptArguments,
  context: object,
  info: GraphQLResolveInfo,
): KeptRows {
  const { feed, policies } = scope
  const view = policies.view(context, model.name)
  const related = policies.relatedViews(context)
  for (const node of info.fieldNodes) checkFilterVariables(node, valuesOf(info.variableValues))
  const query = { catalog: feed.catalog, model: { spec: model, names, omit }, view, related }
  const conditions = [whereOf(query, where), view.rows?.where].filter((each) => each !== undefined)
  const filter = parseFilterArguments(feed.catalog, { model, omit, related }, { where }, view)
  const account = accountOf(context)
  return { query, kept: { model: model.name, conditions, filter, every: every ?? undefined, account } }
}

const asItIs = <Event>(event: Event): Event => event

/** As clients may have it: an error that ends it reaches them with code and hint where it may. Each event is one object for all who get it. */
export class KeptEvents<Event> extends MappedIteration<Event, Event> implements PulledEvents<Event> {
  readonly pull: DeliveryPull<Event> | undefined

  /** @param audience whose results it gives */
  constructor(from: PulledEvents<Event>, audience: string | null) {
    super(from, asItIs, toSubscriptionError)
    setAudience(this, audience)
    this.pull = from.pull
  }
}

/** Fields of both. */
export const POSITION_FIELDS: FieldDefinitions = {
  cursor: {
    type: 'Cursor!',
    description: 'What stands before it is in what is shown, and nothing behind it.',
    resolve: ({ cursor }: KeptState<unknown>) => cursor,
  },
  transaction: {
    type: 'CommittedTransaction',
    description:
      'The last transaction that has a part in it; null where none has come yet, and where the filter or a policy follows relations.',
    resolve: (event: KeptState<unknown>) => (event.transaction === null ? null : event),
  },
}
