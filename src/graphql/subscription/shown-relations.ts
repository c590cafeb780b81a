/** Stage 7, graphql. Which relations the rows of a live list are shown with: changes of those patch the rows. */
import { type GraphQLResolveInfo, isObjectType } from 'graphql'
import { asksRelatedRows } from '../../bus/filter/change-filter.ts'
import type { RelationSpec } from '../../catalog/model-catalog.ts'
import { type ShownRelation, shownRelation } from '../../sets/list-relations.ts'
import { graphqlError } from '../graphql-errors.ts'
import { listImages } from '../policy/check-selected-fields.ts'
import { selectedModels } from '../policy/selected-models.ts'
import { alwaysSelected, selectedByPothos } from '../pothos-internals.ts'
import { fieldsUnder } from '../selection-walk.ts'
import { relationNameOf } from '../shown-column.ts'
import { parseFilterArguments } from '../where/filter-arguments.ts'
import type { SubscribedModel } from './subscription-scope.ts'

/**
 * Those of the selection. A to-many relation that is selected as such is followed, or the list refused; of others, those that can be.
 * @throws FORBIDDEN, POLICY_FAILED, GRAPHQL_BAD_ARGUMENT
 */
export async function shownRelations(
  subscribed: SubscribedModel,
  context: object,
  info: GraphQLResolveInfo,
): Promise<readonly ShownRelation[]> {
  const { scope, model } = subscribed
  const { named, others } = selectedRelations(subscribed, info)
  const all = model.relations.filter(({ name }) => named.has(name) || others.has(name))
  await scope.policies.prepare(
    context,
    all.map((relation) => relation.model),
  )
  const followed: ShownRelation[] = []
  for (const relation of all) {
    const found = await followable(subscribed, relation, context)
    if ('related' in found) followed.push(found)
    else if (relation.isList && named.has(relation.name)) throw refused(subscribed, relation, found)
  }
  return followed
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

/** Why changes of a relation cannot be followed. */
interface Obstacle {
  readonly why: string
  readonly hint: string
  /** @default false */
  readonly isForbidden?: boolean
}

async function followable(
  { scope, model }: SubscribedModel,
  relation: RelationSpec,
  context: object,
): Promise<ShownRelation | Obstacle> {
  const { feed, policies, subscribed } = scope
  const name = relation.model
  const spec = feed.catalog.models[name]
  if (spec === undefined || !feed.isRegistered(name))
    return { why: `${name} is not live`, hint: `Call rowcast.register('${name}') before start().` }
  if (spec.primaryKey.length === 0 || !feed.hasOldImages(name))
    return {
      why: `PostgreSQL does not send the row before a change of ${name}`,
      hint: 'Give it a primary key, and set the replica identity of the table to FULL: rowcast.enable() does.',
    }
  if (!(await policies.maySubscribe(context, name)))
    return { why: `you may not subscribe to changes of ${name}`, hint: '', isForbidden: true }
  const { omit = [] } = subscribed.get(name) ?? {}
  const view = policies.view(context, name)
  const key = policies.foreignKey(model.name, relation.name)
  if (key?.fields.some((field) => policies.view(context, key.model).hidden.has(field)) === true)
    return { why: 'its foreign key is hidden', hint: '', isForbidden: true }
  const filter = parseFilterArguments(feed.catalog, { model: spec, omit }, {}, view)
  if (asksRelatedRows(filter))
    return {
      why: `who sees which rows of ${name} depends on other rows`,
      hint: 'Subscribe to its changes beside the list.',
    }
  return (
    shownRelation({ catalog: feed.catalog, model, relation }, { filter, seen: view.text }) ?? {
      why: 'a join table says which rows belong together, or columns of types that are not compared',
      hint: 'Give the join table a model of its own, and select the relation to that.',
    }
  )
}

function refused({ names }: SubscribedModel, relation: RelationSpec, { why, hint, isForbidden }: Obstacle) {
  if (isForbidden === true)
    return graphqlError('FORBIDDEN', `You may not subscribe to changes of ${relation.model}.`)
  const shown = names.fields.get(relation.name) ?? relation.name
  return graphqlError('GRAPHQL_BAD_ARGUMENT', `Changes of ${shown} cannot patch rows of a list: ${why}.`, {
    hint,
  })
}
