/**
 * Stage 5, source. Keeps, for each model, what was published of it when changes were last known to be complete, and
 * decides when they may have a gap and when the gap is over. No I/O; the barriers in the stream are its memory.
 * A model is `verified` while the catalog says what the last barrier said. When it differs, its changes are suspect until
 * every transaction that was writing to its tables has ended: PostgreSQL decides row by row what it publishes, by the
 * catalog of the moment of the write. Then a barrier is due, and once it has come back the model is verified again.
 */
import { LSN_ZERO, type Lsn } from '../../wire/lsn.ts'
import type { Barrier } from './barrier-message.ts'
import { ForeignModels } from './foreign-models.ts'
import type { ModelLook, StreamBegin, Suspect } from './model-look.ts'
import {
  followPublished,
  hasNewParts,
  isSamePublished,
  type PublishedModel,
  type PublishedTable,
} from './published-tables.ts'
import { isQuiet, type Writers } from './writers.ts'

/** One per source; it outlives connections. */
export class PublicationLedger {
  readonly #known = new Map<string, PublishedModel>()
  readonly #foreign = new ForeignModels()
  readonly #suspects = new Map<string, Suspect>()
  /** Models that were not published at the last look. */
  readonly #absent = new Set<string>()
  /** Models whose table was seen to be another one than is known. */
  readonly #replaced = new Set<string>()
  /** Models that the process before this one had; null: that is not known. */
  #inherited: ReadonlySet<string> | null = null
  #isComplete = false
  #hasNews = false
  #keepsRoots = false

  /** What was known to be complete where the stream begins, and which models whoever wrote up to there had. What is known here is of another position. */
  restore(known: ReadonlyMap<string, PublishedModel>, models: ReadonlySet<string> | null): void {
    this.#known.clear()
    for (const [model, published] of known) this.#known.set(model, published)
    this.#inherited = models
    this.#isComplete = known.size > 0
  }

  /** A stream begins; what was on its way may not come. */
  begin({ floorLsn, keepsRoots }: StreamBegin = { floorLsn: LSN_ZERO, keepsRoots: false }): void {
    this.#keepsRoots = keepsRoots
    for (const [model, suspect] of this.#suspects) {
      const { staleUntil } = suspect
      const isRenewed = staleUntil !== null && floorLsn >= staleUntil
      // What came in between may have come under another name.
      const renewed = isRenewed ? { staleUntil: null, cleanFrom: null } : {}
      this.#suspects.set(model, { ...suspect, isSent: false, ...renewed })
    }
  }

  /** The position from which on a stream has to restart; null: this one will do. */
  get staleUntil(): Lsn | null {
    const all = [...this.#suspects.values()].flatMap(({ staleUntil }) => staleUntil ?? [])
    return all.reduce<Lsn | null>((last, each) => (last === null || each > last ? each : last), null)
  }

  /** Whether looks can be compared with what is known. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** All barriers that are older than this process have been read: from now on a look can be compared. */
  complete(): void {
    this.#isComplete = true
  }

  /**
   * Compares a look at the catalog with what is known. `writers`: who was writing right after it. A model is not held
   * where nobody can have missed anything of it yet. `serverLsn`: the look was made at or before it.
   */
  look(
    models: ReadonlyMap<string, ModelLook>,
    writers: Writers | null = null,
    isHolding = true,
    serverLsn = LSN_ZERO,
  ): void {
    this.#foreign.own(models.keys())
    for (const [model, look] of models) {
      if (look.published === null) this.#lose(model)
      else if (this.#isComplete) {
        const suspect = this.#compare(model, look.published, look)
        if (suspect === null) continue
        const isClean = writers !== null && isQuiet(writers, model)
        const isHeld = isHolding && suspect.isHeld
        const isStale = this.#keepsRoots && this.#isPartitioned(model, look.published)
        const staleUntil = isStale ? serverLsn : null
        this.#suspects.set(model, { ...suspect, isHeld, staleUntil, cleanFrom: isClean ? writers.lsn : null })
      }
    }
  }

  #isPartitioned(model: string, published: PublishedModel): boolean {
    return [...published, ...(this.#known.get(model) ?? [])].some(({ parts }) => parts.length > 0)
  }

  #lose(model: string): void {
    this.#absent.add(model)
    this.#suspects.delete(model)
    this.#replaced.delete(model)
  }

  /** Nothing is missing of the model, to which partitions may have come. */
  #follow(model: string, known: PublishedModel, published: PublishedModel): void {
    this.#known.set(model, followPublished(known, published))
    this.#hasNews ||= hasNewParts(known, published)
  }

  /** A model that has become suspect, or once more. */
  #compare(model: string, published: PublishedModel, { isOlderThanSlot }: ModelLook): Suspect | null {
    const isAbsent = this.#absent.delete(model)
    const isReplaced = this.#replaced.delete(model)
    const suspect = this.#suspects.get(model)
    if (suspect !== undefined && !isReplaced && isSamePublished(suspect.published, published)) {
      this.#suspects.set(model, { ...suspect, published: followPublished(suspect.published, published) })
      return null
    }
    const known = this.#known.get(model)
    // Its changes were published, and the process before this one handed none of them over.
    const isAdded = known === undefined && suspect === undefined && this.#inherited?.has(model) === false
    const isEvident = isAbsent || isReplaced || isAdded || suspect !== undefined
    if (known === undefined && isOlderThanSlot && !isEvident) {
      this.#known.set(model, published)
      return null
    }
    if (known !== undefined && isSamePublished(known, published) && !isEvident) {
      this.#follow(model, known, published)
      return null
    }
    // A process that has just come has notified nobody; those who come with a cursor end at the barrier.
    const isHeld =
      suspect?.isHeld === true ||
      isAbsent ||
      isReplaced ||
      isAdded ||
      (known !== undefined && suspect === undefined)
    const unlooked = { writers: null, xidsBelow: null, cleanFrom: null }
    return { ...unlooked, published, isSent: false, isHeld, staleUntil: null }
  }

  /** The stream brings rows of the model from a table of this OID. @returns whether that is news */
  seeTable(model: string, oid: number): boolean {
    const known = this.#known.get(model)
    if (!this.#isComplete || known === undefined || known.some((table) => table.oid === oid)) return false
    return this.doubt(model)
  }

  /** The stream shows that changes of the model may be missing. @returns whether that is news */
  doubt(model: string): boolean {
    if (this.#absent.has(model) || this.#suspects.has(model) || this.#replaced.has(model)) return false
    this.#replaced.add(model)
    return true
  }

  /** Tables, by model, whose writers are to be looked for. */
  get awaited(): ReadonlyMap<string, readonly number[]> {
    const waiting = [...this.#suspects].filter(([, { isSent }]) => !isSent)
    return new Map(waiting.map(([model, { published }]) => [model, published.map(({ oid }) => oid)]))
  }

  /**
   * Takes the transactions that write to those tables now.
   * @returns the barrier that is due, of the models whose writers have all ended; null where none is
   */
  plan(found: Writers): Barrier | null {
    const { byModel, lsn, open = null } = found
    const due = new Map<string, PublishedModel>()
    let cleanFrom = LSN_ZERO
    for (const [model, suspect] of this.#suspects) {
      if (suspect.isSent || suspect.staleUntil !== null) continue
      const now = byModel.get(model) ?? new Set<string>()
      const writers = new Set([...(suspect.writers ?? now)].filter((each) => now.has(each)))
      const xidsBelow = suspect.xidsBelow ?? open?.below ?? null
      const isOver = writers.size === 0 && (open === null || open.from >= (xidsBelow ?? 0n))
      const isSent = suspect.cleanFrom !== null || isOver
      const since = suspect.cleanFrom ?? (isSent ? lsn : null)
      this.#suspects.set(model, { ...suspect, writers, xidsBelow, isSent, cleanFrom: since })
      if (since === null) continue
      due.set(model, suspect.published)
      if (since > cleanFrom) cleanFrom = since
    }
    if (due.size === 0) return null
    return { published: new Map([...this.#known, ...due]), cut: [...due.keys()], cleanFrom }
  }

  /** A barrier that cuts nothing, for whoever starts after it; null before what is known can be compared. */
  renew(): Barrier | null {
    return this.#isComplete ? { published: new Map(this.#known), cut: [], cleanFrom: LSN_ZERO } : null
  }

  /** Whether a barrier says all that is known. */
  isCoveredBy({ published }: Barrier): boolean {
    return [...this.#known.keys()].every((model) => published.has(model))
  }

  /** The barrier was not written: it is due again. */
  withdraw({ cut }: Barrier): void {
    for (const model of cut) {
      const suspect = this.#suspects.get(model)
      if (suspect !== undefined) this.#suspects.set(model, { ...suspect, isSent: false })
    }
  }

  /** A barrier has come, or counts as if it had. */
  pass({ published, cut, cleanFrom }: Barrier): void {
    const ended = new Set(cut)
    for (const [model, tables] of published) {
      const suspect = this.#suspects.get(model)
      const isSince = suspect?.cleanFrom != null && cleanFrom >= suspect.cleanFrom
      // The process in between did not have it: what an older one knew of it says nothing of what came since.
      if (!this.#isComplete && !isSince && this.#inherited?.has(model) === false) continue
      if (suspect !== undefined && ended.has(model) && isSamePublished(tables, suspect.published)) {
        this.#suspects.delete(model)
        this.#known.set(model, suspect.published)
      } else if (!this.#isComplete || ended.has(model) || !this.#known.has(model)) {
        // What this process has seen since is newer.
        if (this.#foreign.admits(model, tables)) this.#known.set(model, tables)
      }
    }
    this.#hasNews = [...this.#known].some(([each, tables]) => hasNewParts(published.get(each) ?? [], tables))
  }

  /** Whether partitions have come of which no barrier says. */
  get hasNews(): boolean {
    return this.#hasNews
  }

  /** Whether every model that is there is as known. */
  get isSettled(): boolean {
    return this.#isComplete && this.#suspects.size === 0 && this.#replaced.size === 0
  }

  /** Whether changes of the model are known to be complete from here on: never before a look was compared with what is known. */
  isVerified(model: string): boolean {
    return this.#isComplete && this.#known.has(model) && !this.#absent.has(model) && !this.isSuspect(model)
  }

  /** What is known of a verified model, where a look found `published`: that has forgotten columns that are gone. */
  knownOf(model: string, published: PublishedTable): PublishedTable {
    const known = this.isVerified(model) ? this.#known.get(model) : undefined
    return known?.find(({ oid }) => oid === published.oid) ?? published
  }

  /** Models whose changes are known to be complete. */
  get verified(): readonly string[] {
    return [...this.#known.keys()].filter((model) => this.isVerified(model))
  }

  isSuspect(model: string): boolean {
    return this.#suspects.has(model) || this.#replaced.has(model)
  }

  /** Suspect models to which anybody may subscribe meanwhile. */
  get openSuspects(): readonly string[] {
    return [...this.#suspects].flatMap(([model, { isHeld }]) => (isHeld ? [] : [model]))
  }

  /** Whether nobody may subscribe to it meanwhile. */
  isHeld(model: string): boolean {
    return this.#replaced.has(model) || this.#suspects.get(model)?.isHeld === true
  }

  /** How many transactions a model waits for. */
  writersOf(model: string): number {
    const suspect = this.#suspects.get(model)
    if (suspect === undefined || suspect.cleanFrom !== null) return 0
    return Math.max(suspect.writers?.size ?? 0, suspect.xidsBelow === null ? 0 : 1)
  }

  /** Whether this process has just come and models may still turn out to have a gap, though nobody is waited for. */
  get isSettling(): boolean {
    if (!this.#isComplete) return true
    return [...this.#suspects].some(([model, { isHeld }]) => !isHeld && this.writersOf(model) === 0)
  }
}
