/**
 * Stage 7, graphql. A Prisma query without the lists in it, and what they were. Prisma Client reads a nested list whole and cuts
 * it in memory, whatever `take` says; so lists are read by queries of their own, and put where Prisma would have put them.
 */
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyRow } from '../../changes/change.ts'
import { hasMembers } from '../../member-of.ts'
import { linkOf, type RelationLink } from './relation-link.ts'
import { heavyFields } from './row-weights.ts'

/** A list, or a single row, that was taken out. */
export interface SplitList {
  readonly link: RelationLink
  readonly query: Readonly<Record<string, unknown>>
}

/** What is left of a query, and what has to be added to its rows. */
export interface SplitQuery {
  readonly base: Readonly<Record<string, unknown>>
  readonly lists: readonly SplitList[]
  /** Relations to one row that stay in `base`, and have lists in them. */
  readonly children: readonly (readonly [string, SplitQuery])[]
  /** Columns that nobody has selected: lists are found by them. */
  readonly added: readonly string[]
}

/** Whether anything was taken out. */
export function isSplit({ lists, children }: SplitQuery): boolean {
  return lists.length > 0 || children.length > 0
}

/**
 * Takes the lists out of a query of the model, as deep as there are any; of many rows also the single rows with fields of any
 * length: what is in one statement has to be weighed before it is read.
 */
export function splitQuery(
  catalog: ModelCatalog,
  model: ModelSpec,
  query: object,
  isMany: boolean,
): SplitQuery {
  const { select, include, ...rest } = query as Readonly<Record<string, unknown>>
  const selected = hasMembers(select) ? select : null
  const entries = Object.entries(selected ?? (hasMembers(include) ? include : {}))
  const lists: SplitList[] = []
  const children: [string, SplitQuery][] = []
  const kept: Record<string, unknown> = {}
  for (const [name, nested] of entries) {
    const relation = model.relations.find((each) => each.name === name)
    const target = relation && catalog.models[relation.model]
    if (relation === undefined || target === undefined || !nested) kept[name] = nested
    else if (relation.isList || (isMany && heavyFields(target, toQuery(nested)).length > 0))
      lists.push({ link: linkOf(catalog, model, relation), query: toQuery(nested) })
    else {
      const child = splitQuery(catalog, target, toQuery(nested), isMany)
      kept[name] = isSplit(child) ? child.base : nested
      if (isSplit(child)) children.push([name, child])
    }
  }
  if (lists.length + children.length === 0) {
    return { base: query as Readonly<Record<string, unknown>>, lists, children, added: [] }
  }
  const keys = [...new Set(lists.flatMap(({ link }) => link.from))]
  if (selected === null) return { base: withKeys(rest, kept, keys), lists, children, added: [] }
  const added = keys.filter((key) => kept[key] !== true)
  const columns = Object.fromEntries(keys.map((key) => [key, true]))
  return { base: { ...rest, select: { ...kept, ...columns } }, lists, children, added }
}

/** A client may leave columns out of all its queries (`omit`): those that lists are found by are needed. */
function withKeys(
  { omit, ...rest }: Readonly<Record<string, unknown>>,
  include: Readonly<Record<string, unknown>>,
  keys: readonly string[],
): Readonly<Record<string, unknown>> {
  const shown = Object.fromEntries(keys.map((key) => [key, false]))
  return {
    ...rest,
    ...(keys.length > 0 || hasMembers(omit) ? { omit: { ...toQuery(omit), ...shown } } : {}),
    ...(Object.keys(include).length > 0 ? { include } : {}),
  }
}

/** Each list of the rows and of the rows in them, and the row that it belongs to. */
export function* listsOf(split: SplitQuery, rows: readonly AnyRow[]): Generator<[AnyRow, SplitList]> {
  for (const list of split.lists) for (const row of rows) yield [row, list]
  for (const [name, child] of split.children) {
    const nested = rows.flatMap((row) => (hasMembers(row[name]) ? [row[name]] : []))
    yield* listsOf(child, nested)
  }
}

/** Takes away what nobody has selected. */
export function removeAdded(split: SplitQuery, rows: readonly AnyRow[]): void {
  for (const row of rows) for (const name of split.added) Reflect.deleteProperty(row, name)
  for (const [name, child] of split.children) {
    removeAdded(
      child,
      rows.flatMap((row) => (hasMembers(row[name]) ? [row[name]] : [])),
    )
  }
}

/** Prisma writes `true` for a query without arguments. */
export function toQuery(value: unknown): Readonly<Record<string, unknown>> {
  return hasMembers(value) ? value : {}
}
