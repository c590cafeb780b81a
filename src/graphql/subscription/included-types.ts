/**
 * Stage 7, graphql. `include` of `<model>Changed`, and what a change says of it: `via` and `viaCount`, the interface `PostVia`, and a
 * type for each relation that can be included.
 */
import { foreignKeyOf } from '../../catalog/foreign-key.ts'
import type { RelationSpec } from '../../catalog/model-catalog.ts'
import type { Via } from '../../sets/included-relation.ts'
import { includedRelations } from '../../sets/parse-include.ts'
import type { ChangeEvent } from '../../sets/row-subscription.ts'
import { enumValues } from '../enum-type.ts'
import { visibleRelations } from '../field-type.ts'
import { asEnumValueName } from '../names.ts'
import { hideFields } from '../policy/guard-rows.ts'
import { refuseDependent } from '../policy/policy-dependencies.ts'
import type { ArgumentDefinition, FieldDefinitions, TypeDefinition } from '../type-definition.ts'
import { parseFilterArguments } from '../where/filter-arguments.ts'
import { withoutUnreadable } from './image-rows.ts'
import { keyType } from './key-type.ts'
import type { SubscribedModel } from './subscription-scope.ts'

/** Set as an extension of the fields that say what a row hears of: they only look. */
export const INCLUDED_FIELD = 'rowcastIncluded'

/** A relation that subscriptions to its model may include. */
interface Includable {
  readonly relation: RelationSpec
  /** The model that it leads to, which has a subscription of its own. */
  readonly related: SubscribedModel
}

/** To-many relations to models that have a subscription of their own. Those through a join table say nothing of its rows. */
function includable({ scope, model, omit }: SubscribedModel): readonly Includable[] {
  const { catalog } = scope.feed
  return visibleRelations(catalog, model, omit).flatMap((relation) => {
    const related = scope.subscribed.get(relation.model)
    const isPossible = relation.isList && foreignKeyOf(catalog, model, relation).fields.length > 0
    return related === undefined || !isPossible ? [] : [{ relation, related }]
  })
}

/** `include`; none where no relation can be included. */
export function includeArgument(subscribed: SubscribedModel): Readonly<Record<string, ArgumentDefinition>> {
  if (includable(subscribed).length === 0) return {}
  return {
    include: {
      type: `[${subscribed.names.relation}!]`,
      description:
        'A row comes as well, as READ with the cause INCLUDED, where rows of these relations were changed that are or were its own: once per ' +
        'transaction, and `via` says which. Beside it, rows are asked for with `where` alone.',
    },
  }
}

/** `via` and `viaCount`; none where no relation can be included. */
export function includedFields(subscribed: SubscribedModel): FieldDefinitions {
  if (includable(subscribed).length === 0) return {}
  return {
    via: {
      type: `[${subscribed.names.via}!]!`,
      description:
        'With `include`, what the transaction, and those before it that were conflated, changed of the rows that are or were this one’s own, in order: at most 100 of them. Empty without.',
      extensions: { [INCLUDED_FIELD]: true },
      resolve: ({ heard }: ChangeEvent) => heard?.via ?? [],
    },
    viaCount: {
      type: 'Int!',
      description: 'How many changes there are of which `via` has the first.',
      extensions: { [INCLUDED_FIELD]: true },
      resolve: ({ heard }: ChangeEvent) => heard?.viaCount ?? 0,
    },
  }
}

/** Their types. */
export function includedTypes(subscribed: SubscribedModel): readonly TypeDefinition[] {
  const { model, names } = subscribed
  const all = includable(subscribed)
  if (all.length === 0) return []
  const shown = new Map(
    all.map(({ relation: { name } }) => [name, asEnumValueName(names.fields.get(name) ?? name)]),
  )
  const values = all.map(({ relation: { name, documentation } }) => ({ name, documentation }))
  return [
    {
      kind: 'enum',
      name: names.relation,
      description: `The relations of ${model.name} that a subscription may include.`,
      values: enumValues(values, shown),
    },
    {
      kind: 'interface',
      name: names.via,
      description: `A change of a row that is or was one of a ${model.name}’s own: each relation has a type of its own.`,
      resolveType: ({ relation }: Via) => names.viaByRelation.get(relation) ?? names.via,
      fields: {
        relation: { type: `${names.relation}!`, description: 'Of which relation it is.' },
        action: { type: 'ChangeAction!', description: 'What happened to it.' },
      },
    },
    ...all.map((each) => viaType(subscribed, each)),
  ]
}

function viaType({ names }: SubscribedModel, { relation, related }: Includable): TypeDefinition {
  const { policies } = related.scope
  const { name } = related.model
  const key: FieldDefinitions =
    keyType(related) === null
      ? {}
      : {
          key: {
            type: related.names.key,
            description:
              'The primary key of the row, after an UPDATE the new one; the one before where only the row before may be seen. Null for TRUNCATE.',
            resolve: ({ key: row }: Via, _args, context) =>
              row === null
                ? null
                : hideFields(withoutUnreadable(name, row), name, policies.view(context, name).hidden),
          },
        }
  return {
    kind: 'object',
    name: names.viaByRelation.get(relation.name) ?? names.via,
    description: `A change of a ${name}.`,
    interfaces: [names.via],
    fields: key,
  }
}

/** Names of the models of relations, by those that were asked for. */
export function includedModels(
  { scope, model }: SubscribedModel,
  include: readonly string[] | null | undefined,
): readonly string[] {
  return (include ?? []).flatMap((name) => scope.policies.relatedModel(model.name, name) ?? [])
}

/** Models by the names of the types that show their keys: those of other relations never come, and nobody has asked their policies. */
export function viaTypeModels(
  subscribed: SubscribedModel,
  include: readonly string[],
): ReadonlyMap<string, string> {
  const { names } = subscribed
  return new Map(
    includable(subscribed).flatMap(({ relation, related }) => {
      const type = names.viaByRelation.get(relation.name)
      return type === undefined || !include.includes(relation.name)
        ? []
        : [[type, related.model.name] as const]
    }),
  )
}

/**
 * Refuses what a viewer may not hear of. The policies of the models were asked.
 * @throws FIELD_HIDDEN, GRAPHQL_BAD_ARGUMENT
 */
export function checkIncluded(
  { scope: { policies }, model }: SubscribedModel,
  include: readonly string[] | null | undefined,
  context: object,
): void {
  const hint = 'Leave the relation out of `include`, and subscribe to its model as well.'
  for (const name of include ?? []) {
    const related = policies.relatedModel(model.name, name)
    const key = policies.foreignKey(model.name, name)
    if (related !== null) refuseDependent(policies, [related], hint)
    if (key !== null) policies.checkVisible(context, key)
  }
}

/** The relations, each with the rows of it that the viewer may see. @throws BAD_FILTER */
export function includedFor(
  { scope, model }: SubscribedModel,
  include: readonly string[],
  context: object,
): ReturnType<typeof includedRelations> {
  const { feed, policies, subscribed } = scope
  return includedRelations(model, feed.catalog, include, (related) => {
    const { omit = [] } = subscribed.get(related.name) ?? {}
    return parseFilterArguments(
      feed.catalog,
      { model: related, omit },
      {},
      policies.view(context, related.name),
    )
  })
}
