/** Beside the spine, sets. Which rows of a list have related ones by which key: found out once somebody asks, and forgotten where other rows are kept. */
import { relatedKeyOf } from '../bus/filter/related-keys.ts'
import type { ValueKey } from '../bus/filter/value-domain.ts'
import type { AnyRow } from '../changes/change.ts'
import type { IncludedRelation } from './included-relation.ts'

/** A row that is kept. */
interface IdentifiedRow {
  readonly id: string
  readonly row: AnyRow
}

/** Those of one list. */
export class RelatedIds {
  readonly #relations: readonly IncludedRelation[]
  #ids: Map<string, Map<ValueKey, string[]>> | null = null

  constructor(relations: readonly IncludedRelation[]) {
    this.#relations = relations
  }

  get isEmpty(): boolean {
    return this.#relations.length === 0
  }

  forget(): void {
    this.#ids = null
  }

  /** @param rows those that are kept */
  idsOf(
    relation: IncludedRelation,
    keys: ReadonlySet<ValueKey>,
    rows: readonly IdentifiedRow[],
  ): readonly string[] {
    this.#ids ??= new Map(this.#relations.map((each) => [each.name, byKey(each, rows)]))
    const ids = this.#ids.get(relation.name)
    return [...new Set([...keys].flatMap((key) => ids?.get(key) ?? []))]
  }
}

function byKey(
  { fields, domains }: IncludedRelation,
  rows: readonly IdentifiedRow[],
): Map<ValueKey, string[]> {
  const found = new Map<ValueKey, string[]>()
  for (const { id, row } of rows) {
    const key = relatedKeyOf(row, fields, domains)
    if (key === null || key === undefined) continue
    const ids = found.get(key)
    if (ids === undefined) found.set(key, [id])
    else ids.push(id)
  }
  return found
}
