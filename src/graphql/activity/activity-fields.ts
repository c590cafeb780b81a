/**
 * Stage 7, graphql. `Query.rowcastStatus` and `Subscription.rowcastActivity`: what the live page shows. Policies hold for
 * them as for the subscriptions of the models.
 */

import { mapIterator } from '../../async-iteration.ts'
import { policiesOf } from '../builder/builder-policies.ts'
import { anyBuilder } from '../builder/untyped-builder.ts'
import { graphqlError } from '../graphql-errors.ts'
import { isDependent } from '../policy/policy-dependencies.ts'
import type { ModelView, ViewerPolicies } from '../policy/viewer-policies.ts'
import type { ServiceBuilder, ServiceModel } from '../service-types.ts'
import type { ActivityExposure, ActivityNews, Authorize, LoggedChange } from './activity-log.ts'
import { defineActivityTypes, type ShownChange, type ShownNews } from './activity-types.ts'
import { diffChange } from './change-diff.ts'

/** Adds both fields to the roots. */
export function defineActivityFields(
  builder: ServiceBuilder,
  models: readonly ServiceModel[],
  { log, authorize }: ActivityExposure,
): void {
  const live = models.filter(({ spec }) => log.source.models.includes(spec.name))
  const policies = policiesOf(anyBuilder(builder))
  const types = defineActivityTypes(builder, log, live)
  builder.queryField('rowcastStatus', (t) =>
    t.field({
      type: types.status,
      nullable: false,
      description: 'How the stream of changes is doing.',
      resolve: async (_root, _args, context) => {
        await check(policies, authorize, context)
        return log
      },
    }),
  )
  // Made here and not left to the first model: there may be none.
  builder.subscriptionType({ description: 'Live changes of the database.' })
  builder.subscriptionField('rowcastActivity', (t) =>
    t.field({
      type: types.activity,
      nullable: false,
      description: 'What has happened lately: at once what is kept, then each second what is new.',
      subscribe: async (_root, _args, context) => {
        await check(policies, authorize, context)
        const views = await viewsOf(policies, live, context)
        return showNews(log.follow(), (change) => showChange(change, live, views))
      },
      resolve: (news) => news as ShownNews,
    }),
  )
}

async function check({ calls }: ViewerPolicies, authorize: Authorize | null, context: object): Promise<void> {
  if (authorize === null) return
  const may = await calls.ask('livePage', 'authorize', () => authorize(context))
  if (may !== true) throw graphqlError('FORBIDDEN', 'You may not see the activity.')
}

/** What the viewer sees of each model; models without an answer are not shown at all. */
async function viewsOf(
  policies: ViewerPolicies,
  models: readonly ServiceModel[],
  context: object,
): Promise<ReadonlyMap<string, ModelView>> {
  const names = models
    .map(({ spec }) => spec.name)
    // What is asked once says nothing of what follows.
    .filter((name) => !isDependent(policies, name))
  await policies.prepare(context, names)
  const allowed = await Promise.all(names.map((name) => policies.maySubscribe(context, name)))
  return new Map(
    names.filter((_, index) => allowed[index]).map((name) => [name, policies.view(context, name)]),
  )
}

function showChange(
  logged: LoggedChange,
  models: readonly ServiceModel[],
  views: ReadonlyMap<string, ModelView>,
): ShownChange | null {
  const model = models.find(({ spec }) => spec.name === logged.change.model)
  const view = views.get(logged.change.model)
  if (model === undefined || view === undefined) return null
  const diff = diffChange(logged.change, model, view)
  return diff === null ? null : { ...logged, diff }
}

/** One message stays well below what a server sends in one piece. */
const CHARACTERS_MAX = 150_000

function newestThatFit(changes: readonly ShownChange[]): {
  readonly changes: readonly ShownChange[]
  readonly tooMany: number
} {
  let characters = 0
  const tooLong = changes.findLastIndex(({ diff }) => {
    for (const { name, old, new: now } of diff.fields)
      characters += name.length + (old?.length ?? 0) + (now?.length ?? 0)
    return characters > CHARACTERS_MAX
  })
  return { changes: changes.slice(tooLong + 1), tooMany: tooLong + 1 }
}

/** The same news for one viewer. */
function showNews(
  news: AsyncIterableIterator<ActivityNews>,
  show: (change: LoggedChange) => ShownChange | null,
): AsyncIterableIterator<ShownNews> {
  return mapIterator(news, (value) => {
    const shown = newestThatFit(value.changes.map(show).filter((each) => each !== null))
    // What the viewer may not see is not counted either.
    const skipped = value.skipped + shown.tooMany
    return { ...value, shown: shown.changes, skipped }
  })
}
