/**
 * Sets, between stages 6 and 7. Rows as they were between two transactions. A snapshot may see more than that: transactions
 * that committed after the boundary, and not in commit order either. So what came after the boundary is taken back with the
 * images of the log, which has the row before of every change: of a row that was written since, the first such image is how
 * it was, whether the snapshot sees that write or not. Whoever asks gets the rows of the boundary itself, and need not know
 * what a snapshot saw.
 */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyChange, AnyRow } from '../changes/change.ts'
import { RowcastError } from '../errors.ts'
import { inTurns, type ReadingTurns } from './in-turns.ts'
import { isRequested, type RowRequest } from './related-rows.ts'
import { rowIdOf } from './written-rows.ts'

/** A transaction of the stream. */
export interface StreamTransaction {
  /** Its number in commit order: ascending, not without gaps. */
  readonly ordinal: number
  /** Names of the models that it has changes of. @default any may be */
  readonly models?: ReadonlySet<string> | undefined
  /** Changes of the model, and of others between them: what reading it costs. @default not known */
  countOf?(model: string): number
  /** Its changes of one model, in order. */
  changesOf(model: string): Iterable<AnyChange>
}

/** Rows of one snapshot. */
export interface SnapshotRows {
  readonly rows: readonly AnyRow[]
  /**
   * The transactions after the boundary, in commit order: all that the snapshot sees, and whatever stands between them. Waits
   * until the stream has brought them.
   */
  later(): Promise<readonly StreamTransaction[]>
}

/** Where rows are read. */
export interface SnapshotReader {
  /**
   * At least the rows requested, in a snapshot that sees every transaction up to this one: a commit may be in the stream
   * before it can be seen.
   */
  read(request: RowRequest, ordinal: number): Promise<SnapshotRows>
}

/**
 * Reads rows as they were after a transaction.
 * @throws RESYNC_REQUIRED where a TRUNCATE hides what was there.
 */
export async function readRowsAt(
  source: SnapshotReader,
  ordinal: number,
  request: RowRequest,
  turns?: ReadingTurns,
): Promise<readonly AnyRow[]> {
  const { model } = request
  const { rows, later } = await source.read(request, ordinal)
  const before = await takeBack(model, await later(), turns)
  const found: AnyRow[] = []
  const addRequested = (row: AnyRow | null) => {
    if (row !== null && isRequested(request, row)) found.push(row)
  }
  await inTurns(rows, turns, (row) => {
    if (before.size === 0 || !before.has(rowIdOf(model, row))) addRequested(row)
  })
  await inTurns(before.values(), turns, addRequested)
  return found
}

/** The rows that transactions wrote, as they were before them; null for one that was not there. */
async function takeBack(
  model: ModelSpec,
  transactions: readonly StreamTransaction[],
  turns: ReadingTurns | undefined,
): Promise<ReadonlyMap<string, AnyRow | null>> {
  const before = new Map<string, AnyRow | null>()
  await inTurns(changesOf(model, transactions), turns, (change) => {
    if (change.action === 'TRUNCATE') throw emptied(model)
    if (change.action !== 'INSERT' && change.old === null) throw withoutOldRow(model)
    // The first that is known of a row is how it was.
    if (change.old !== null) keepFirst(before, rowIdOf(model, change.old), change.old)
    if (change.new !== null) keepFirst(before, rowIdOf(model, change.new), null)
  })
  return before
}

function* changesOf({ name }: ModelSpec, transactions: readonly StreamTransaction[]): Iterable<AnyChange> {
  for (const transaction of transactions) yield* transaction.changesOf(name)
}

function keepFirst(before: Map<string, AnyRow | null>, id: string, row: AnyRow | null): void {
  if (!before.has(id)) before.set(id, row)
}

function emptied({ name }: ModelSpec): RowcastError {
  return new RowcastError(
    'RESYNC_REQUIRED',
    `${name} was emptied while its rows were read: what it had is not known any more.`,
  )
}

function withoutOldRow({ name }: ModelSpec): RowcastError {
  return new RowcastError(
    'RESYNC_REQUIRED',
    `A change of ${name} came without the row before it while its rows were read.`,
  )
}
