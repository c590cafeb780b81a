/** Stage 7, graphql. Which relations the rows of a live list are shown with: changes of those patch the rows. */
import { type GraphQLResolveInfo, isObjectType } from 'graphql'
import { asksRelatedRows } from '../../bus/filter/change-filter.ts'
import { widenedFilter } from '../../bus/filter/widened.ts'
import type { ModelSpec, RelationSpec } from '../../catalog/model-catalog.ts'
import { type ShownRelation, shownRelation } from '../../sets/list-relations.ts'
import { modelsOf, policyUnfollowed, type ReadRelation, readRelation } from '../../sets/read-relation.ts'
import { graphqlError } from '../graphql-errors.ts'
import { listImages } from '../policy/check-selected-fields.ts'
import { selectedModels } from '../policy/selected-models.ts'
import { alwaysSelected, selectedByPothos } from '../pothos-internals.ts'
import { fieldsUnder } from '../selection-walk.ts'
import { relationNameOf } from '../shown-column.ts'
import { parseFilterArguments } from '../where/filter-arguments.ts'
import type { SubscribedModel } from './subscription-scope.ts'

/** How each of them is followed. */
export interface ShownRelations {
  /** By the values of related rows. */
  readonly relations: readonly ShownRelation[]
  /** By a look at the database. */
  readonly asked: readonly ReadRelation[]
}

type Found = { readonly judged: ShownRelation } | { readonly asked: ReadRelation }

/**
 * Those of the selection. A to-many relation that is selected as such is followed, or the list refused; of others, those that can be.
 * @throws FORBIDDEN, POLICY_FAILED, GRAPHQL_BAD_ARGUMENT
 */
export async function shownRelations(
  subscribed: SubscribedModel,
  context: object,
  info: GraphQLResolveInfo,
): Promise<ShownRelations> {
  const { scope, model } = subscribed
  const { named, others } = selectedRelations(subscribed, info)
  const all = model.relations.filter(({ name }) => named.has(name) || others.has(name))
  await scope.policies.prepare(
    context,
    all.map((relation) => relation.model),
  )
  const relations: ShownRelation[] = []
  const asked: ReadRelation[] = []
  for (const relation of all) {
    const isOptional = !relation.isList || !named.has(relation.name)
    const found = await followable(subscribed, { relation, isOptional }, context)
    if ('judged' in found) relations.push(found.judged)
    else if ('asked' in found) asked.push(found.asked)
    else if (!isOptional) throw refused(subscribed, relation, found)
  }
  return { relations, asked }
}

interface SelectedRelations {
  /** By a field that shows the relation. */
  readonly named: ReadonlySet<string>
  /** By fields that may show something of it: counts, connections, what the type always carries. */
  readonly others: ReadonlySet<string>
}

function selectedRelations({ scope, model }: SubscribedModel, info: GraphQLResolveInfo): SelectedRelations {
  const named = new Set<string>()
  const others = new Set<string>()
  for (const { type, node } of listImages(info)) {
    if (!isObjectType(type)) continue
    for (const name of relationsIn(alwaysSelected(type.extensions))) others.add(name)
    for (const selected of fieldsUnder(info, [node])) {
      const field = type.getFields()[selected.name.value]
      if (field === undefined) continue
      const relation = relationNameOf(field)
      if (relation !== null) {
        named.add(relation)
        continue
      }
      for (const name of relationsIn(selectedByPothos(field.extensions))) others.add(name)
      const models = selectedModels({ ...info, fieldNodes: [selected], parentType: type }, scope.modelOf)
      for (const { name, model: related } of model.relations) if (models.has(related)) others.add(name)
    }
  }
  return { named, others }
}

/** Names in a selection of Prisma's, those of columns among them; none where it is made for each query. */
function relationsIn(selection: unknown): readonly string[] {
  const { select, include } = Object(selection) as Readonly<Record<'select' | 'include', unknown>>
  const names = [select, include].flatMap((part) => Object.keys(Object(part)))
  const counts = [select, include].map((part) => Object(Object(part)._count).select)
  return [...names, ...counts.flatMap((part) => Object.keys(Object(part)))]
}

interface WantedRelation {
  readonly relation: RelationSpec
  /** Whether it may be left as it was read. */
  readonly isOptional: boolean
}

/** Why changes of a relation cannot be followed. */
interface Obstacle {
  readonly why: string
  readonly hint: string
  /** @default false */
  readonly isForbidden?: boolean
  /** Whether it lies in what a policy asks, which clients are not to learn. @default false */
  readonly isOfPolicy?: boolean
}

async function followable(
  subscribed: SubscribedModel,
  wanted: WantedRelation,
  context: object,
): Promise<Found | Obstacle> {
  const { scope, model } = subscribed
  const { feed, policies } = scope
  const { relation } = wanted
  const name = relation.model
  const spec = feed.catalog.models[name]
  if (spec === undefined || !isPublished(subscribed, name)) return notLive(subscribed, name)
  if (spec.primaryKey.length === 0)
    return {
      why: `${name} has no primary key that distinguishes its rows`,
      hint: 'Give it an `@id` or `@@id`.',
    }
  if (!(await policies.maySubscribe(context, name)))
    return { why: `you may not subscribe to changes of ${name}`, hint: '', isForbidden: true }
  const key = policies.foreignKey(model.name, relation.name)
  if (key?.fields.some((field) => policies.view(context, key.model).hidden.has(field)) === true)
    return { why: 'its foreign key is hidden', hint: '', isForbidden: true }
  return judgedRelation(subscribed, relation, context) ?? askedRelation(subscribed, wanted, context)
}

/** By the values of a related row, where these say whose it is and who sees it. */
function judgedRelation(
  { scope, model }: SubscribedModel,
  relation: RelationSpec,
  context: object,
): Found | null {
  const { feed, policies, subscribed } = scope
  const { catalog } = feed
  const spec = catalog.models[relation.model] as ModelSpec
  if (!feed.isRegistered(spec.name) || !feed.hasOldImages(spec.name)) return null
  const view = policies.view(context, spec.name)
  const filter = parseFilterArguments(catalog, { model: spec, omit: omitOf(subscribed, spec.name) }, {}, view)
  if (asksRelatedRows(filter) || widenedFilter(filter) !== null) return null
  const judged = shownRelation({ catalog, model, relation }, { filter, seen: view.text })
  return judged === null ? null : { judged }
}

/** By a look at the database. */
function askedRelation(
  subscribed: SubscribedModel,
  { relation, isOptional }: WantedRelation,
  context: object,
): Found | Obstacle {
  const { scope, model } = subscribed
  const { catalog } = scope.feed
  const spec = catalog.models[relation.model] as ModelSpec
  const { rows, hidden, text: seen } = scope.policies.view(context, spec.name)
  const omit = omitOf(scope.subscribed, spec.name)
  const fields = spec.fields.filter(({ name, isOmitted }) => {
    return !isOmitted && !hidden.has(name) && !omit.includes(name)
  })
  const asked = readRelation(
    { catalog, model, relation },
    { seen, rows, isOptional, fields: fields.map(({ name }) => name) },
  )
  if (asked === null)
    return {
      why: 'columns of types that are not compared say which rows belong together',
      hint: 'Select the relation in a query of its own.',
    }
  const missing = [...modelsOf(asked)].find((name) => !isPublished(subscribed, name))
  if (missing === undefined) return { asked }
  const isOfPolicy = !asked.steps.some((step) => step.model.name === missing)
  return { ...notLive(subscribed, missing), isOfPolicy }
}

function omitOf(subscribed: SubscribedModel['scope']['subscribed'], name: string): readonly string[] {
  return subscribed.get(name)?.omit ?? []
}

function isPublished({ scope: { feed }, model }: SubscribedModel, name: string): boolean {
  return feed.isPublished?.(name, model.name) ?? feed.isRegistered(name)
}

function notLive({ scope }: SubscribedModel, name: string): Obstacle {
  return scope.feed.catalog.models[name] === undefined
    ? {
        why: `the join table "${name}" is not published`,
        hint: `Call rowcast.follow('${name}') before start(), or write models: { ${name}: { live: false, followed: true } }.`,
      }
    : {
        why: `${name} is not live`,
        hint: `Call rowcast.register('${name}') before start(), or rowcast.follow('${name}') if nobody is to subscribe to it.`,
      }
}

function refused({ names }: SubscribedModel, relation: RelationSpec, obstacle: Obstacle) {
  const { why, hint, isForbidden, isOfPolicy } = obstacle
  if (isForbidden === true)
    return graphqlError('FORBIDDEN', `You may not subscribe to changes of ${relation.model}.`)
  // The log has it; clients see it masked.
  if (isOfPolicy === true) return policyUnfollowed(relation.model, why, hint)
  const shown = names.fields.get(relation.name) ?? relation.name
  return graphqlError('GRAPHQL_BAD_ARGUMENT', `Changes of ${shown} cannot patch rows of a list: ${why}.`, {
    hint,
  })
}
