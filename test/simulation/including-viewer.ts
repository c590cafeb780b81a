/**
 * A client that has a set of Blues and hears of their Reds: of each transaction, how many changes of them there were, where the Blue is in
 * sight before it or after it.
 */
import { includedRelations } from '../../src/sets/parse-include.ts'
import type { ChangeEvent, EventSubscription } from '../../src/sets/row-subscription.ts'
import { type Database, firstAt, type LedgerEntry } from './database.ts'
import { type FoldingParts, NEWEST, NOTICE_MS } from './folding-client.ts'
import type { ReaderFace } from './reader-face.ts'
import { findRows } from './rows-where.ts'
import { Viewer } from './viewer.ts'
import type { View } from './views.ts'

const OWN = 'Blue'
const RELATED = 'Red'

/** Of rows. */
type Ids = ReadonlySet<number>

/** The viewer. */
export class IncludingViewer extends Viewer {
  /** By commit and key, how many changes it has heard of with each event. */
  readonly #heard = new Map<bigint, Map<number, Map<number, number>>>()
  /** What it has been compared with, and up to where; null before the first. */
  #compared: { readonly database: Database; upTo: bigint } | null = null

  constructor({ where }: View, parts: FoldingParts) {
    super({ model: OWN, where, rows: null }, parts)
  }

  protected override open(face: ReaderFace): EventSubscription {
    const { model, cursor } = this
    const include = includedRelations(model, this.parts.catalog, ['reds'])
    const request = { model: model.name, filter: this.filterOf(null), include }
    return cursor === null
      ? face.subscribeRows({ ...request, refused: {}, conditions: [this.view.where] })
      : face.subscribeRelated({ ...request, after: cursor })
  }

  protected override receive(event: ChangeEvent): void {
    if (event.change.action === 'READY') this.#compared = null
    this.#note(event)
    super.receive(event)
  }

  #note({ change: { transaction, key, action, index }, heard }: ChangeEvent): void {
    if (transaction === null || key === null || heard === undefined || heard.viaCount === 0) return
    const { commitLsn } = transaction
    const id = Number(key['id'])
    const of = this.#heard.get(commitLsn) ?? new Map<number, Map<number, number>>()
    this.#heard.set(commitLsn, of)
    // Whoever comes back within a transaction is given the rows that were not written again.
    const counts = of.get(id) ?? new Map<number, number>()
    of.set(id, counts.set(action === 'READ' ? -1 : index, heard.viaCount))
  }

  #countOf(commitLsn: bigint, id: number): number {
    return [...(this.#heard.get(commitLsn)?.get(id)?.values() ?? [])].reduce((sum, count) => sum + count, 0)
  }

  protected override forget(): void {
    super.forget()
    this.#heard.clear()
    this.#compared = null
  }

  protected override differenceAt(database: Database, lsn: bigint): string | null {
    return super.differenceAt(database, lsn) ?? this.#heardDifference(database, lsn)
  }

  /** Each transaction is compared once. */
  #heardDifference(database: Database, lsn: bigint): string | null {
    if (this.#compared?.database !== database) {
      const upTo = lsn === NEWEST ? database.endLsn : lsn
      this.#compared = { database, upTo }
      // What has come of later transactions is compared with them.
      for (const commitLsn of this.#heard.keys()) if (commitLsn <= upTo) this.#heard.delete(commitLsn)
    }
    const compared = this.#compared
    const entries = database.entriesOf(RELATED)
    for (let at = firstAt(entries, compared.upTo + 1n); at < entries.length; ) {
      const { commitLsn } = entries[at] as LedgerEntry
      if (commitLsn > lsn) return null
      const next = firstAt(entries, commitLsn + 1n)
      const difference = this.#differenceOf(database, entries.slice(at, next))
      if (difference !== null) return difference
      compared.upTo = commitLsn
      this.#heard.delete(commitLsn)
      at = next
    }
    return null
  }

  /** Of one transaction. Near a gap, and of a TRUNCATE, nothing is asked. */
  #differenceOf(database: Database, changes: readonly LedgerEntry[]): string | null {
    const [{ commitLsn, atMs }] = changes as [LedgerEntry]
    const all = database.entriesOf(OWN)
    const own = all.slice(firstAt(all, commitLsn), firstAt(all, commitLsn + 1n))
    if ([...changes, ...own].some(({ action }) => action === 'TRUNCATE')) return null
    if ([OWN, RELATED].some((model) => database.hasGap(model, atMs - NOTICE_MS))) return null
    const [before, after] = [commitLsn - 1n, commitLsn].map((lsn) => this.#inSight(database, lsn)) as [
      Ids,
      Ids,
    ]
    for (let id = 1; id <= database.idMax; id += 1) {
      const count = changes.filter(({ old, new: row }) => old?.['n'] === id || row?.['n'] === id).length
      const heard = this.#countOf(commitLsn, id)
      // One that goes out of sight without being written hears of nothing more; one that is there within the transaction alone may hear of it.
      const mayHear = before.has(id) || own.some(({ old, new: row }) => (row ?? old)?.['id'] === id)
      const isRight = after.has(id) ? heard === count : mayHear ? heard <= count : heard === 0
      if (!isRight)
        return `of ${count} changes of Reds at ${commitLsn.toString(16)}, Blue ${id} heard of ${heard}`
    }
    return null
  }

  #inSight(database: Database, lsn: bigint): Ids {
    const rowsOf = (model: string) => database.rowsAt(model, lsn)
    const { where } = this.view
    const found = findRows({ catalog: this.parts.catalog, rowsOf }, OWN, { where })
    return new Set(found.map(({ id }) => Number(id)))
  }
}
