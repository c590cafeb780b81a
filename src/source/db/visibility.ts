/**
 * Stage 5, source. Whether a transaction that has arrived is visible to a query made now. PostgreSQL sends a
 * transaction once its commit is on disk; to other sessions it appears a moment later, and with synchronous
 * replication only when the standby has answered.
 * Source: PostgreSQL manual, "System Information Functions", pg_current_snapshot.
 */
import { endOfRecords, type Lsn, parseLsn } from '../../wire/lsn.ts'
import { SharedLooks } from './shared-looks.ts'

/** What a session sees, by 32-bit transaction id. */
export interface IsVisible {
  (xid: number): boolean
  /** Whether it sees every id from one to another, both of one log. @default it is not known */
  readonly seesRange?: ((oldest: number, newest: number) => boolean) | undefined
  /** Whether it sees every id below this one of 64 bits; null: nobody knows an id that all earlier ones lie below. */
  seesAllBefore(bound: bigint | null): boolean
  /**
   * Of a standby: whoever looks later sees all that committed before this position. Its snapshots do not name the ids that are running, so
   * that by its id alone only what is older than all of them is seen. @default null: of a primary
   */
  readonly replayedLsn?: Lsn | null | undefined
  /** All that it sees committed before this position. @default it is not known */
  readonly endLsn?: Lsn | undefined
  /** Of a standby: whether the id is over as far as is known, for whoever waits a moment for it and knows no more. */
  readonly mayShow?: ((xid: number) => boolean) | undefined
}

/** Whether it sees a transaction of the stream. */
export function seesTransaction(
  isVisible: IsVisible,
  { xid, commitLsn }: { readonly xid: number; readonly commitLsn: Lsn },
): boolean {
  const { replayedLsn = null } = isVisible
  return isVisible(xid) || (replayedLsn !== null && commitLsn < replayedLsn)
}

/** Sees every transaction: of a recording nothing is still to become visible. */
export const SEES_ALL: IsVisible = Object.assign(() => true, { seesAllBefore: () => true })

/** Sees no transaction, and none of those that committed before the stream. */
export const SEES_NOTHING: IsVisible = Object.assign(() => false, { seesAllBefore: () => false })

/** What a session sees, as `parseSnapshot` takes it: of a standby with the position that it has replayed. */
export const SNAPSHOT_TEXT_SQL =
  'pg_catalog.concat(pg_catalog.pg_current_snapshot(), CASE WHEN pg_catalog.pg_is_in_recovery() ' +
  "THEN pg_catalog.concat('@', pg_catalog.pg_last_wal_replay_lsn()) END)"

/** Where the WAL ends, asked beside a snapshot: that is taken before the statement begins, and so before this is read. */
export const END_LSN_SQL =
  '(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ' +
  'ELSE pg_catalog.pg_current_wal_insert_lsn() END)::pg_catalog.text'

/** Both, as `parseSnapshot` takes them. */
export function snapshotText({ snapshot, lsn }: { readonly snapshot: string; readonly lsn: string }): string {
  return `${snapshot}<${lsn}`
}

const SNAPSHOT_TEXT = /^(\d+):(\d+):([\d,]*)(?:@([\dA-F]+\/[\dA-F]+))?(?:<([\dA-F]+\/[\dA-F]+))?$/
const XID_SPACE = 2n ** 32n
const XID_HALF = 2 ** 31

/**
 * Parses `xmin:xmax:xip,xip,…`, of a standby `xmin:xmax:@lsn`, and `<lsn` behind either for `endLsn`. Ids there have 64 bits, those of the stream 32: the missing half is that of
 * the nearest id below or just above xmax. Text that is no snapshot makes everything invisible.
 */
export function parseSnapshot(text: string): IsVisible {
  const match = SNAPSHOT_TEXT.exec(text)
  if (match === null) return SEES_NOTHING
  const next = BigInt(match[2] ?? '0')
  const replayedLsn = match[4] === undefined ? null : parseLsn(match[4])
  const xmax = replayedLsn === null ? next : BigInt(match[1] ?? '0')
  const running = (match[3] ?? '').split(',').filter(Boolean).map(BigInt)
  // Each id by how far it lies behind xmax: a look compares thousands of them, and 64-bit integers are objects.
  const offsetOf = offsetsFrom(xmax)
  const offsets = running.map((xid) => Number(xid - xmax))
  const isRunning = new Set(offsets)
  const isVisible = (xid: number) => {
    const offset = offsetOf(xid)
    return offset < 0 && !isRunning.has(offset)
  }
  const seesRange = (oldest: number, newest: number) => {
    const [from, to] = [offsetOf(oldest), offsetOf(newest)]
    return from <= to && to < 0 && !offsets.some((offset) => offset >= from && offset <= to)
  }
  const seesAllBefore = (bound: bigint | null) =>
    bound !== null && bound <= xmax && running.every((xid) => xid >= bound)
  const endLsn = match[5] === undefined ? undefined : endOfRecords(parseLsn(match[5]))
  if (replayedLsn === null) return Object.assign(isVisible, { seesRange, seesAllBefore, endLsn })
  const mayShow = (xid: number) => widenXid(BigInt(xid), next) < next
  return Object.assign(isVisible, { seesRange, seesAllBefore, replayedLsn, mayShow, endLsn })
}

/**
 * An id above all that were given before both were read: `xids` are those of 32 bits that transactions hold a lock on, with commas in
 * between. Whoever has committed and cannot be seen yet still holds its lock. Null: the text is no snapshot.
 */
export function parseXidBound(snapshot: string, xids: string | null): bigint | null {
  const match = SNAPSHOT_TEXT.exec(snapshot)
  if (match === null) return null
  const xmax = BigInt(match[2] ?? '0')
  const held = (xids ?? '').split(',').filter(Boolean)
  return held.reduce((bound, text) => {
    const next = widenXid(BigInt(text), xmax) + 1n
    return next > bound ? next : bound
  }, xmax)
}

/** How far the id that `widenXid` gives lies from `near`. */
function offsetsFrom(near: bigint): (xid: number) => number {
  const low = Number(BigInt.asUintN(32, near))
  return (xid) => {
    const offset = (xid - low) | 0
    return offset === -XID_HALF ? XID_HALF : offset
  }
}

/** The 64-bit id within 2^31 of `near` that ends in these 32 bits. */
function widenXid(xid: bigint, near: bigint): bigint {
  const candidate = (near / XID_SPACE) * XID_SPACE + xid
  if (candidate > near + XID_SPACE / 2n) return candidate - XID_SPACE
  return candidate + XID_SPACE / 2n <= near ? candidate + XID_SPACE : candidate
}

/** What one look shows. */
export interface Sight {
  readonly isVisible: IsVisible
  /** As `parseXidBound` has it. */
  readonly xidBound: bigint | null
}

/** What the gate needs. */
export interface VisibilityOptions {
  /** `SNAPSHOT_TEXT_SQL` on a session like those that will query. */
  readonly readSnapshot: () => Promise<string>
  /** What has to be known before each look. @default nothing */
  readonly prepare?: (() => Promise<void>) | undefined
  /** Longest wait. @default 2_000 // 2 s */
  readonly waitMaxMs?: number | undefined
  readonly monotonicMs?: (() => number) | undefined
}

/** Time between two looks while a transaction is not visible. */
const LOOK_INTERVAL_MS = 10

/** Waits for transactions to become visible; one look serves everybody who asks meanwhile. */
export class VisibilityGate {
  readonly #options: VisibilityOptions
  readonly #looks = new SharedLooks(() => this.#read())
  #seen: IsVisible = SEES_NOTHING

  constructor(options: VisibilityOptions) {
    this.#options = options
  }

  /** What a session sees now; begun after the call. However many ask at once, one after the other is asked of the database. */
  look(): Promise<IsVisible> {
    return this.#looks.look()
  }

  /** Resolves when the transaction is visible, or after the longest wait; rejects when the database cannot be asked. */
  async whenVisible(xid: number): Promise<void> {
    const now = this.#options.monotonicMs ?? (() => performance.now())
    const deadline = now() + (this.#options.waitMaxMs ?? 2_000)
    const isIn = (seen: IsVisible) => (seen.mayShow ?? seen)(xid)
    while (!isIn(this.#seen)) {
      // What a look saw that had begun before, stays seen.
      const isVisible = await (this.#looks.running ?? this.look())
      if (isIn(isVisible) || now() >= deadline) return
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS))
    }
  }

  async #read(): Promise<IsVisible> {
    if (this.#options.prepare !== undefined) await this.#options.prepare()
    const isVisible = parseSnapshot(await this.#options.readSnapshot())
    this.#seen = isVisible
    return isVisible
  }
}
