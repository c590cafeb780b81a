/** Stage 7, graphql. Names of the types around one model's change, made from the model's name. */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { EVENT_ACTIONS, type EventAction } from './event-action.ts'
import { asGraphqlName, claimName } from './names.ts'

/** Names of the types around one model's change. */
export interface ChangeTypeNames {
  /** The interface. */
  readonly change: string
  /** What implements it. */
  readonly byAction: Readonly<Record<EventAction, string>>
  readonly key: string
  readonly old: string
  /** The enum of its fields. */
  readonly field: string
  /** The input of its filter. */
  readonly where: string
  /** The input of what `changes` gives of it. */
  readonly selection: string
  /** What a live list gives: an interface, what implements it, and one operation of a patch. */
  readonly list: string
  readonly listSnapshot: string
  readonly listPatch: string
  readonly listOperation: string
  /** What live totals give, and their sums, least and greatest values. */
  readonly totals: string
  readonly totalsSum: string
  readonly totalsMin: string
  readonly totalsMax: string
  /** The enum of the relations that a subscription may include. */
  readonly relation: string
  /** What a row hears of those: an interface, and what implements it by Prisma's name of the relation. */
  readonly via: string
  readonly viaByRelation: ReadonlyMap<string, string>
  /** The inputs of the order of its rows, and of where a page begins. */
  readonly orderBy: string
  readonly after: string
  /** The inputs of what a relation is asked that leads to one of its rows, or to many. */
  readonly toOne: string
  readonly toMany: string
}

/** Those of one model. @param taken names that are taken; from then on these are, too */
export function changeTypeNames(
  taken: Set<string>,
  base: string,
  relations: ModelSpec['relations'],
): ChangeTypeNames {
  const words: Readonly<Record<EventAction, readonly [string, string]>> = {
    INSERT: ['Inserted', 'InsertEvent'],
    UPDATE: ['Updated', 'UpdateEvent'],
    DELETE: ['Deleted', 'DeleteEvent'],
    TRUNCATE: ['Truncated', 'TruncateEvent'],
    READ: ['Read', 'ReadEvent'],
    READY: ['Ready', 'ReadyEvent'],
  }
  const claim = (...suffixes: readonly string[]) =>
    claimName(
      taken,
      suffixes.map((suffix) => `${base}${suffix}`),
    )
  const change = claim('Change', 'ChangeEvent')
  const byAction = Object.fromEntries(EVENT_ACTIONS.map((action) => [action, claim(...words[action])]))
  return {
    change,
    byAction: byAction as Record<EventAction, string>,
    key: claim('Key', 'PrimaryKey'),
    old: claim('Old', 'OldRow'),
    field: claim('Field', 'FieldName'),
    where: claim('Where', 'WhereInput'),
    orderBy: claim('OrderBy', 'OrderByInput'),
    after: claim('After', 'AfterInput'),
    toOne: claim('RelationFilter', 'RelationFilterInput'),
    toMany: claim('ListRelationFilter', 'ListRelationFilterInput'),
    selection: claim('Selection', 'SelectionInput'),
    list: claim('List', 'LiveList'),
    listSnapshot: claim('ListSnapshot', 'LiveListSnapshot'),
    listPatch: claim('ListPatch', 'LiveListPatch'),
    listOperation: claim('ListOperation', 'LiveListOperation'),
    totals: claim('Totals', 'LiveTotals'),
    totalsSum: claim('TotalsSum', 'LiveTotalsSum'),
    totalsMin: claim('TotalsMin', 'LiveTotalsMin'),
    totalsMax: claim('TotalsMax', 'LiveTotalsMax'),
    relation: claim('Relation', 'RelationName'),
    via: claim('Via', 'ViaChange'),
    viaByRelation: new Map(
      relations
        .filter(({ isList }) => isList)
        .map(({ name }) => [name, claim(`Via${capitalized(asGraphqlName(name))}`)]),
    ),
  }
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1)
}
