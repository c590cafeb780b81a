/**
 * Sets, between stages 6 and 7. Reads related rows of the database, in a snapshot that sees all that the stream has brought up to a
 * transaction, together with what the log has behind it. Bounded in rows, bytes and time: where it cannot be done, whoever asked
 * ends with a typed error, and nobody else.
 */
import { cannotGoOn } from '../bus/resync-required.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { canonicalText } from '../catalog/values/canonical-text.ts'
import type { AnyRow } from '../changes/change.ts'
import { isRowcastError, RowcastError } from '../errors.ts'
import type { Lsn } from '../wire/lsn.ts'
import { atFence, type FindMany, type RowsAtFence } from './fence.ts'
import { PAGE_BYTES } from './held-pages.ts'
import { movedOn, type ReadableLog, transactionsBetween } from './log-transactions.ts'
import { keyedWheres, narrowedWhere } from './narrowed-where.ts'
import type { PageReads } from './page-reads.ts'
import { PageSizes } from './page-sizes.ts'
import type { RowRequest } from './related-rows.ts'
import { RELATED_ROWS_BOUNDS, type RelatedReadLimits } from './related-rows-options.ts'
import type { SnapshotReader, SnapshotRows, StreamTransaction } from './rows-at.ts'
import { rowIdOf } from './written-rows.ts'

/** The stream, as far as a reader has to know. */
export interface StreamProgress {
  /** Null where there is none: it has not begun, or has a gap. */
  readonly log: ReadableLog | null
  /** How often another history began: what was seen of the one before says nothing of it, though the log goes on. */
  readonly restarts: number
  /** Whether whoever reads from now on sees every transaction up to this one; asks the database. */
  isVisible(ordinal: number): Promise<boolean>
  /** Resolves once everything that committed before the position has come. @throws where nothing comes any more */
  whenPassed(lsn: Lsn): Promise<void>
}

/** What one read may take. */
export interface RelatedReadBounds extends RelatedReadLimits {
  /** For each of: all before it to be visible, its turn and the statements, and what follows to arrive. @default 10_000 // 10 s */
  readonly timeoutMs: number
}

export const RELATED_READ_BOUNDS: RelatedReadBounds = { ...RELATED_ROWS_BOUNDS, timeoutMs: 10_000 }

/** What reads have cost so far. */
export interface RelatedReadsCost {
  readonly reads: number
  readonly readMs: number
}

/** What a reader works with. */
export interface RelatedRowReaderOptions {
  /** A Prisma Client with transactions, whose rows are whole. */
  readonly client: object
  /** The PostgreSQL schema of tables that name none. @default 'public' */
  readonly schema?: string | undefined
  /** The rows that count as there; null for all. @default all */
  readonly narrowedTo?: ((model: ModelSpec) => object | null) | undefined
  readonly progress: StreamProgress
  /** Few read at once, and not too many wait: the connections are the application's. */
  readonly turns: PageReads<RowsAtFence>
  readonly bytesOf: (rows: readonly AnyRow[]) => number
  readonly monotonicMs: () => number
  readonly wait: (ms: number) => Promise<void>
  readonly bounds?: Partial<RelatedReadBounds> | undefined
}

/** How often it is looked whether a commit can be seen. */
const LOOK_INTERVAL_MS = 10
const PAGE_ROWS = 2_000
/** Reads by more keys than this are not compared: it would cost more than they share. */
const COMPARED_KEYS_MAX = 1_000

/** Reads rows for sets, and for those who ask them. */
export class RelatedRowReader implements SnapshotReader {
  readonly #options: RelatedRowReaderOptions
  readonly #bounds: RelatedReadBounds
  #cost: RelatedReadsCost = { reads: 0, readMs: 0 }
  /** A transaction that every read sees that began after so many; in this log, of this history. */
  #visible: {
    readonly log: ReadableLog
    readonly restarts: number
    readonly ordinal: number
    readonly since: number
  } | null = null

  constructor(options: RelatedRowReaderOptions) {
    this.#options = options
    this.#bounds = { ...RELATED_READ_BOUNDS, ...options.bounds }
  }

  get cost(): RelatedReadsCost {
    return this.#cost
  }

  /** @throws RESYNC_REQUIRED */
  async read(request: RowRequest, ordinal: number): Promise<SnapshotRows> {
    const { name } = request.model
    const { progress } = this.#options
    const { log } = progress
    if (log === null) throw cannotGoOn('the stream has ended', name)
    await this.whenVisible(ordinal, name)
    const { rows, fence } = await this.#readSeeing(request, ordinal, this.#sinceVisible(log, ordinal))
    const later = async (): Promise<readonly StreamTransaction[]> => {
      await progress.whenPassed(fence.endLsn)
      if (progress.log !== log) throw movedOn(name)
      const transactions = transactionsBetween(log, name, ordinal, fence.endLsn)
      const count = transactions.reduce((sum, each) => sum + each.countOf(name), 0)
      if (count > this.#bounds.changesMax)
        throw cannotGoOn('too much was written while related rows were read', name)
      return transactions
    }
    return { rows, later }
  }

  /** A position behind all that has committed when it is asked; those who ask meanwhile have one answer. @throws RESYNC_REQUIRED */
  async endLsn(model: ModelSpec): Promise<Lsn> {
    const { client, turns } = this.#options
    const read = () => atFence(client, model, this.#bounds.timeoutMs, async () => [])
    const { signal } = new AbortController()
    const asked = turns.run({ key: 'end', since: turns.begun, signal, read })
    return (await asked.catch(failedReading(model.name))).fence.endLsn
  }

  /** Resolves once queries see all up to a transaction. @throws RESYNC_REQUIRED */
  async whenVisible(ordinal: number, model: string): Promise<void> {
    const { progress, monotonicMs, wait } = this.#options
    const deadline = monotonicMs() + this.#bounds.timeoutMs
    while (!(await progress.isVisible(ordinal).catch(failedReading(model)))) {
      if (monotonicMs() >= deadline) throw cannotGoOn('a commit is not visible to queries', model)
      await wait(LOOK_INTERVAL_MS)
    }
  }

  /** The reads that began after so many see the transaction, which is visible. */
  #sinceVisible(log: ReadableLog, ordinal: number): number {
    const known = this.#visible
    const { restarts } = this.#options.progress
    const isOfThis = known?.log === log && known.restarts === restarts
    if (isOfThis && ordinal <= known.ordinal) return known.since
    const since = this.#options.turns.begun
    this.#visible = { log, restarts, ordinal, since }
    return since
  }

  /** Of several servers behind the client, the one that is read from may be behind the one that was asked what can be seen. */
  async #readSeeing(request: RowRequest, ordinal: number, since: number): Promise<RowsAtFence> {
    const { turns, monotonicMs, wait } = this.#options
    const deadline = monotonicMs() + this.#bounds.timeoutMs
    for (let from = since; ; from = turns.begun) {
      const found = await this.#readRows(request, from)
      if (found.fence.endLsn > BigInt(ordinal)) return found
      if (monotonicMs() >= deadline)
        throw cannotGoOn('a commit is not visible to queries', request.model.name)
      await wait(LOOK_INTERVAL_MS)
    }
  }

  /** Whoever asks for the same gets it from one read, where that sees enough. */
  async #readRows(request: RowRequest, since: number): Promise<RowsAtFence> {
    const { client, turns, schema = 'public', narrowedTo } = this.#options
    const model = { ...request.model, schema: request.model.schema ?? schema }
    const queries = [...queriesOf(request, narrowedTo?.(model) ?? null)]
    const readAll = (findMany: FindMany) => this.#readAll(findMany, request, queries)
    const read = () => this.#measured(atFence(client, model, this.#bounds.timeoutMs, readAll))
    const { signal } = new AbortController()
    return turns.run({ key: keyOf(request, queries), since, signal, read }).catch(failedReading(model.name))
  }

  /** What many share counts once; so does what fails. */
  async #measured<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const begunMs = this.#options.monotonicMs()
    try {
      return await answer
    } finally {
      const { reads, readMs } = this.#cost
      this.#cost = { reads: reads + 1, readMs: readMs + this.#options.monotonicMs() - begunMs }
    }
  }

  /** All statements in one snapshot; a row that several of them find comes once. */
  async #readAll(
    findMany: FindMany,
    request: RowRequest,
    queries: readonly object[],
  ): Promise<readonly AnyRow[]> {
    const { model } = request
    const found = new Map<string, AnyRow>()
    let bytes = 0
    for (const query of queries) {
      const sizes = new PageSizes(PAGE_ROWS, () => PAGE_BYTES)
      for (let skip = 0; ; ) {
        const take = sizes.next
        const rows = await findMany({ ...query, skip, take })
        const weight = this.#options.bytesOf(rows)
        sizes.note(rows.length, weight)
        bytes += weight
        for (const row of rows) found.set(rowIdOf(model, row), row)
        if (found.size > this.#bounds.rowsMax || bytes > this.#bounds.bytesMax) throw tooMany(request)
        if (rows.length < take) break
        skip += rows.length
      }
    }
    return [...found.values()]
  }
}

/** Equal for reads of the same rows; null where that is not known. */
function keyOf({ model, keyed, areMoved = false }: RowRequest, queries: readonly object[]): string | null {
  const keys = (keyed ?? []).reduce((sum, each) => sum + each.keys.size, 0)
  return keys > COMPARED_KEYS_MAX ? null : canonicalText([model.name, areMoved, queries])
}

function* queriesOf(
  { model, keyed, narrowedBy, fields }: RowRequest,
  there: object | null,
): Iterable<object> {
  const narrowed = [there, narrowedBy == null ? null : narrowedWhere(model, narrowedBy)].filter(
    (part) => part !== null,
  )
  const names = fields == null ? null : new Set([...fields, ...model.primaryKey])
  const select = names === null ? undefined : Object.fromEntries([...names].map((name) => [name, true]))
  const orderBy = model.primaryKey.map((name) => ({ [name]: 'asc' }))
  for (const where of keyed === null ? [{}] : (keyedWheres(model, keyed) ?? [{}])) {
    yield {
      where: narrowed.length === 0 ? where : { AND: [where, ...narrowed] },
      orderBy,
      ...(select && { select }),
    }
  }
}

/** Of a condition, it will not be better later. */
function tooMany({ model, areMoved = false }: RowRequest): RowcastError {
  if (areMoved)
    return cannotGoOn('a change of other rows concerns more rows than are read at once', model.name)
  return new RowcastError(
    'FILTER_TOO_BROAD',
    `More rows of ${model.name} would have to be read for a condition on related rows than are read at once.`,
  )
}

/** Whoever waits for rows cannot go on without them: nothing of the failure itself is for clients. */
function failedReading(model: string): (error: unknown) => never {
  return (error) => {
    if (isRowcastError(error, 'RESYNC_REQUIRED') || isRowcastError(error, 'FILTER_TOO_BROAD')) throw error
    if (isRowcastError(error, 'SOURCE_ROW_SECURITY')) throw error
    throw cannotGoOn('related rows could not be read', model, error)
  }
}
