/** Sets, between stages 6 and 7. By what a subscription judges rows: its filter, which may follow rights, and the sets that it asks. */
import { type ChangeFilter, conditionsOf, createChangeFilter } from '../bus/filter/change-filter.ts'
import { ALWAYS, allOf, constantOf, type KeySetSpec, keySetsOf } from '../bus/filter/condition.ts'
import { cannotGoOn } from '../bus/resync-required.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyRow } from '../changes/change.ts'
import { FollowedRights } from './followed-rights.ts'
import { idOf, type SetWatcher } from './held-set.ts'
import { type IncludedRelation, ofRelatedRows } from './included-relation.ts'
import type { SightOfNow } from './latest-events.ts'
import { LiveRows } from './live-rows.ts'
import type { LogTransaction } from './log-transactions.ts'
import type { AudienceMember } from './related-audiences.ts'
import { RelatedChanges } from './related-changes.ts'
import type { RelatedHost, RelatedRequest } from './related-request.ts'
import type { HeldSets, SetGraph } from './set-graph.ts'

const NOTHING_SEEN: SightOfNow = { isSeen: () => false, isHeard: () => false }

/** What every change meets. */
export function filterOrAll(filter: ChangeFilter | null): ChangeFilter {
  return filter ?? (createChangeFilter({ rows: ALWAYS }) as ChangeFilter)
}

/** That of one subscription. */
export class LiveView {
  readonly #request: RelatedRequest
  readonly #rights: FollowedRights | null
  readonly #include: readonly IncludedRelation[]
  #filter: ChangeFilter
  readonly #host: Pick<RelatedHost, 'audiences'>
  #graph: SetGraph | null = null
  #held: HeldSets | null = null
  /** Those that it asks once they are there. */
  #coming: HeldSets | null = null
  #leave: () => void = () => {}
  #rows: LiveRows | null = null

  constructor(host: RelatedHost, request: RelatedRequest) {
    const { rights, filter } = request
    this.#host = host
    this.#request = request
    this.#include = request.include ?? []
    this.#filter = filter
    this.#rights = rights === undefined ? null : new FollowedRights(host, request, rights)
  }

  /** Up to which transaction it is known by what rows are judged. */
  get knownUpTo(): number {
    return this.#rights?.knownUpTo ?? Number.POSITIVE_INFINITY
  }

  /** Has it ask these sets. @param onFailure of the sets that are held by then */
  hold(graph: SetGraph, onFailure: (error: unknown) => void): void {
    const held = this.#heldOf(graph)
    this.#ask(graph, held)
    held.ready().catch((error: unknown) => {
      if (this.#held === held) onFailure(error)
    })
  }

  /** The same once these sets are there; until then it asks those of before. @throws what ended one of them */
  async holdOnceReady(graph: SetGraph): Promise<void> {
    const held = this.#heldOf(graph)
    this.#coming = held
    await held.ready()
    // It may have been released.
    if (this.#coming !== held) return
    this.#coming = null
    this.#ask(graph, held)
  }

  #heldOf(graph: SetGraph): HeldSets {
    const related = this.#include.flatMap(({ filter }) => (filter === null ? [] : conditionsOf(filter)))
    return graph.hold([...conditionsOf(this.#filter), ...related])
  }

  #ask(graph: SetGraph, held: HeldSets): void {
    const before = this.#held
    this.unwatch()
    this.#graph = graph
    this.#held = held
    this.#rows = null
    before?.release()
  }

  /**
   * Has it called where a transaction may concern it, together with those who ask for the same. By itself where rights may turn, by any change of
   * what they depend on and to any rows, and where it hears of related rows, which may have to be read.
   */
  watch(member: AudienceMember): void {
    if (this.#graph === null) return
    if (this.#rights === null && this.#include.length === 0) {
      this.#leave = this.#host.audiences.join(this.#graph, this.#request, member)
      // All that it is given while it rests is judged for all.
      this.#rows = null
    } else this.#watchAlone({ concern: (transaction) => member.concern(transaction, null) })
  }

  #watchAlone(watcher: SetWatcher): void {
    const { model, rights } = this.#request
    // By name: what a policy names may be of another catalog, as the schema has it.
    const dependencies = new Map((rights?.dependencies ?? []).map(({ model }) => [model.name, model]))
    dependencies.delete(model.name)
    const filters = new Map<ModelSpec, ChangeFilter | null>([[model, rights ? null : this.#filter]])
    for (const dependency of dependencies.values()) filters.set(dependency, null)
    this.#addRelated(filters)
    this.#held?.watch({ watcher, filters })
  }

  /** What its included relations ask of changes. */
  #addRelated(filters: Map<ModelSpec, ChangeFilter | null>): void {
    const { rows, where } = this.#filter
    const own = allOf([rows, where].filter((part) => part !== null))
    const byName = new Map([...filters.keys()].map((spec) => [spec.name, spec]))
    for (const relation of this.#include) {
      const { model } = relation.related
      const known = byName.get(model.name)
      // Two relations to one model, or one to its own: each change may concern it.
      const asked = this.#request.rights === undefined ? ofRelatedRows(own, relation) : ALWAYS
      const isAny = known !== undefined || constantOf(asked) === true
      filters.set(known ?? model, isAny ? null : createChangeFilter({ where: asked }))
      byName.set(model.name, known ?? model)
    }
  }

  /** What a transaction changed of included relations; null where none is. The transaction has been decided. */
  async relatedChanges(live: LiveRows, transaction: LogTransaction): Promise<RelatedChanges | null> {
    const { model, conflates } = this.#request
    if (this.#held === null || this.#include.length === 0) return null
    const mayBeAskedFor = (values: AnyRow) => live.mayBeAskedFor(values)
    const others = { sets: this.#held.get, mayBeAskedFor, keepsImages: conflates }
    const options = { model, include: this.#include, ...others }
    return RelatedChanges.of(options, transaction)
  }

  unwatch(): void {
    this.#leave()
    this.#leave = () => {}
    this.#held?.unwatch()
  }

  release(): void {
    this.unwatch()
    this.#held?.release()
    this.#coming?.release()
    this.#coming = null
  }

  /** Asks for the rights as they are behind the transaction that it begins behind. @throws what ends the subscription */
  async begin(ordinal: number): Promise<void> {
    if (this.#rights !== null) this.#turn(filterOrAll(await this.#rights.begin(ordinal)))
  }

  /** What the rights after a transaction let through; the sets have been brought through it. */
  sightAt(ordinal: number): SightOfNow {
    if (this.#held === null) return NOTHING_SEEN
    const { get } = this.#held
    this.#rows ??= new LiveRows(this.#request.model, this.#filter, get)
    const rows = this.#rows
    const related = new Map<string, LiveRows | null>()
    const relatedTo = (name: string) => {
      const { filter = null, related: to } = this.#include.find((each) => each.name === name) ?? {}
      return filter === null || to === undefined ? null : new LiveRows(to.model, filter, get)
    }
    return {
      isSeen: (row) => rows.isSeenAt(row, ordinal),
      isHeard({ relation, image }) {
        if (image === null) return true
        const known = related.get(relation)
        const seen = known === undefined ? relatedTo(relation) : known
        related.set(relation, seen)
        return seen?.isSeenAt(image, ordinal) ?? true
      },
    }
  }

  /** The rows, once the sets have been brought through all that came. @throws what ended one of them */
  async rows(): Promise<LiveRows> {
    await this.#held?.ready()
    if (this.#held === null) throw cannotGoOn('the stream has ended')
    this.#rows ??= new LiveRows(this.#request.model, this.#filter, this.#held.get)
    return this.#rows
  }

  /** The rows, for a transaction that may have changed the rights to them. @throws what ends the subscription */
  async through(transaction: LogTransaction): Promise<LiveRows> {
    const rows = await this.rows()
    const turned = await this.#rights?.through(transaction)
    if (turned === undefined || this.#held === null) return rows
    const before = this.#filter
    this.#turn(filterOrAll(turned))
    return new LiveRows(this.#request.model, this.#filter, this.#held.get, before)
  }

  #turn(filter: ChangeFilter): void {
    const held = new Set(setsOf(this.#filter).map(idOf))
    // Sets of before the transaction cannot be had any more.
    if (setsOf(filter).some((set) => !held.has(idOf(set))))
      throw cannotGoOn('its rights follow other relations than before', this.#request.model.name)
    this.#filter = filter
    this.#rows = null
  }
}

function setsOf(filter: ChangeFilter): readonly KeySetSpec[] {
  return conditionsOf(filter).flatMap(keySetsOf)
}
