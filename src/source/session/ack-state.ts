/**
 * Stage 5, source. Where the stream stands, across connections: what was delivered, what is safe, what may be
 * confirmed, and whether a new process has caught up with the server.
 */
import type { EmittedMessage } from '../../changes/emitted-message.ts'
import type { BeginMessage } from '../../pgoutput/messages.ts'
import { earlierLsn, formatLsn, LSN_ZERO, type Lsn, laterLsn } from '../../wire/lsn.ts'
import type { SystemIdentity } from '../../wire/replication-connection.ts'
import type { Continuity, StreamPast } from '../published/continuity.ts'
import { ConfirmCeiling } from '../slot/confirm-ceiling.ts'
import { type Retention, RetentionWindow } from '../slot/retention-window.ts'
import type { SlotBudget } from '../slot/slot-verdict.ts'
import { AckTracker } from './ack-tracker.ts'
import { CatchUp } from './catch-up.ts'
import { SeenCommits } from './seen-commits.ts'

/** Positions for people, as PostgreSQL prints LSNs; null before the first stream. */
export interface SourcePositions {
  /** Everything before it has been delivered. */
  readonly safeLsn: string | null
  /** What PostgreSQL has been allowed to forget. */
  readonly confirmedLsn: string | null
  /** The server's last known WAL position. */
  readonly serverLsn: string | null
  /** WAL written and not delivered yet, in bytes. */
  readonly lagBytes: number
}

/** A budget leaves room for what is kept on purpose. */
const RETAINED_SHARE_MAX = 1 / 4

/** The position of a source that keeps so much for its cursors, within what its slot may hold. */
export function createStreamPosition(options: {
  readonly retention: Retention
  readonly slotBudget: SlotBudget | null
  readonly isFailover: boolean
}): StreamPosition {
  const { retention, slotBudget, isFailover } = options
  const bytesMax = slotBudget === null ? Number.POSITIVE_INFINITY : slotBudget.bytes * RETAINED_SHARE_MAX
  const kept = { ...retention, bytes: Math.min(retention.bytes, bytesMax) }
  return new StreamPosition(kept, () => performance.now(), new ConfirmCeiling({ bytesMax, isFailover }))
}

/** One per source. */
export class StreamPosition {
  readonly ceiling: ConfirmCeiling
  /** What queries see of what the stream has brought. */
  readonly seen = new SeenCommits()
  readonly #retention: Retention
  readonly #monotonicMs: () => number
  #ack = new AckTracker()
  #window: RetentionWindow
  #identity: SystemIdentity | null = null
  #deliveredLsn: Lsn = LSN_ZERO
  #serverLsn: Lsn = LSN_ZERO
  #reachedLsn: Lsn = LSN_ZERO
  #readLsn: Lsn = LSN_ZERO
  readonly #catchUp = new CatchUp()
  #isTorn = false

  /** `ceiling`: what keeps the confirmed position back beside retention. */
  constructor(retention: Retention, monotonicMs: () => number, ceiling = new ConfirmCeiling()) {
    this.ceiling = ceiling
    this.#retention = retention
    this.#monotonicMs = monotonicMs
    this.#window = new RetentionWindow(retention, LSN_ZERO)
  }

  /** Where the last stream ended; null before the first. */
  get past(): StreamPast | null {
    if (this.#identity === null) return null
    const { systemId, timeline } = this.#identity
    return {
      systemId,
      timeline,
      safeLsn: this.#ack.safe,
      deliveredLsn: this.#deliveredLsn,
      isTorn: this.#isTorn,
    }
  }

  /** The database cluster; null before the first stream. */
  get system(): { readonly systemId: string; readonly timeline: number } | null {
    if (this.#identity === null) return null
    const { systemId, timeline } = this.#identity
    return { systemId, timeline }
  }

  get safeLsn(): Lsn {
    return this.#ack.safe
  }

  /** Whether something was handed over and is not accepted yet. */
  get isWaiting(): boolean {
    return this.#ack.isWaiting
  }

  /** Everything before it has left for those who wait for it, whether it is safe there or not. */
  get reachedLsn(): Lsn {
    return laterLsn(this.#reachedLsn, this.#ack.safe)
  }

  /** Everything before it has been read, whether it has left or not: each of its transactions is noted. */
  get readLsn(): Lsn {
    return laterLsn(this.#readLsn, this.#ack.safe)
  }

  /** All that committed before it is visible to queries, as far as looks have shown. */
  get seenLsn(): Lsn {
    return this.seen.upTo(this.readLsn)
  }

  /** True until the first stream, or the first behind a gap, has delivered what was there when it began. */
  get isCatchingUp(): boolean {
    return this.#catchUp.isPending
  }

  /**
   * A stream begins as judged. Where it goes on may be beyond what is safe, `safeLsn`: a broker that has it may lose it yet.
   * @param safeLsn @default the stream's beginning
   */
  begin(
    identity: SystemIdentity,
    continuity: Continuity,
    slotConfirmedLsn: Lsn,
    safeLsn = continuity.floorLsn,
  ): void {
    this.#isTorn = false
    const isSameTimeline = this.#identity?.timeline === identity.timeline
    const isNew = this.#identity === null
    // Whoever had it has lost the newest of it.
    const isSentAgain = continuity.floorLsn < this.reachedLsn
    if (isNew || continuity.kind !== 'continuous') this.#catchUp.begin(identity.flushedLsn)
    else this.#catchUp.follow(identity.flushedLsn)
    // A new process may go on where another one ended.
    if (continuity.kind !== 'continuous' || isNew) {
      this.#ack = new AckTracker(safeLsn)
      this.seen.begin(continuity.floorLsn)
      this.#deliveredLsn = LSN_ZERO
      this.#serverLsn = LSN_ZERO
    } else if (safeLsn !== this.#ack.safe || this.#ack.isWaiting) {
      // What was handed over and not accepted is sent again; or a transaction is passed over.
      this.#ack = new AckTracker(safeLsn)
    }
    if (continuity.sharedLsn !== undefined) {
      this.seen.retreatTo(continuity.sharedLsn)
      this.#serverLsn = LSN_ZERO
    }
    if (continuity.kind !== 'continuous' || !isSameTimeline || isSentAgain) {
      this.#window = new RetentionWindow(this.#retention, slotConfirmedLsn)
      this.ceiling.begin(slotConfirmedLsn)
    }
    this.#ack.disconnect()
    this.#identity = identity
    this.#reachedLsn = continuity.floorLsn
    this.#readLsn = continuity.floorLsn
    this.noteServerLsn(identity.flushedLsn)
  }

  transactionBegins({ xid, finalLsn }: Pick<BeginMessage, 'xid' | 'finalLsn'>): void {
    this.seen.note(xid, finalLsn)
    this.#ack.begin()
  }

  /** Nobody knows who received the newest changes: the next stream begins with a gap. */
  tear(): void {
    this.#isTorn = true
  }

  /** Something of the transaction that commits at `commitLsn` leaves for the bus. */
  delivers(commitLsn: Lsn): void {
    if (commitLsn > this.#deliveredLsn) this.#deliveredLsn = commitLsn
  }

  /** The same for a message that somebody listens to. */
  deliversMessage({ transaction }: Pick<EmittedMessage, 'transaction'>): void {
    if (transaction !== null) this.delivers(transaction.commitLsn)
  }

  transactionEnds(endLsn: Lsn): void {
    this.handsOver(endLsn)
    this.accepts(endLsn)
  }

  /** Everything before `lsn` has left this process; whether it arrived is to be said yet. */
  handsOver(lsn: Lsn): void {
    this.#ack.commit(lsn)
    this.#readLsn = laterLsn(this.#readLsn, lsn)
    this.noteServerLsn(lsn)
  }

  /** It is where subscribers can get it. */
  reaches(lsn: Lsn): void {
    if (lsn > this.#reachedLsn) this.#reachedLsn = lsn
    this.#noteProgress()
  }

  /** It is safe there. */
  accepts(lsn: Lsn): void {
    this.#ack.accept(lsn)
    this.#noteProgress()
  }

  keepalive(walEnd: Lsn): void {
    this.#ack.keepalive(walEnd)
    this.noteServerLsn(walEnd)
    this.#noteProgress()
  }

  noteServerLsn(lsn: Lsn): void {
    if (lsn > this.#serverLsn) this.#serverLsn = lsn
  }

  /** What may be confirmed now; nothing beyond what is safe, whatever was safe with a broker that another one has followed since. */
  confirm(): Lsn {
    const { safe } = this.#ack
    const wanted = this.#window.observe(safe, this.#monotonicMs())
    return earlierLsn(this.ceiling.apply(wanted, safe), safe)
  }

  /** What retention alone would let go, as of the last `confirm`. */
  get releasedLsn(): Lsn {
    return this.#window.confirmed
  }

  describe(): SourcePositions {
    const hasBegun = this.#identity !== null
    const format = (lsn: Lsn) => (hasBegun ? formatLsn(lsn) : null)
    const lag = this.#serverLsn - this.#ack.safe
    return {
      safeLsn: format(this.#ack.safe),
      confirmedLsn: format(this.ceiling.confirmed),
      serverLsn: format(this.#serverLsn),
      lagBytes: hasBegun && lag > 0n ? Number(lag) : 0,
    }
  }

  #noteProgress(): void {
    this.#catchUp.reaches(this.reachedLsn)
  }
}
