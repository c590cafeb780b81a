/**
 * Stage 5, source. Remembers that changes may be missing until every subscriber that could miss them has been
 * notified: once the stream begins again, and before that when it does not begin soon.
 */
import { RowcastError } from '../../errors.ts'
import type { GapReason } from './continuity.ts'

/** The notices of one source. */
export class GapNotices {
  readonly #announce: (error: RowcastError) => void
  #pending: RowcastError | null = null
  #isAnnounced = false

  constructor(announce: (error: RowcastError) => void) {
    this.#announce = announce
  }

  /** Changes may be missing; the first reason counts. */
  note(reason: GapReason, happened: string): void {
    if (this.#pending !== null) return
    this.#pending = new RowcastError('RESYNC_REQUIRED', happened, { details: { reason } })
    this.#isAnnounced = false
  }

  /** One more attempt has failed: those who wait are notified now. @returns what they were given, if it is news */
  announceIfPending(): RowcastError | null {
    if (this.#pending === null || this.#isAnnounced) return null
    this.#isAnnounced = true
    this.#announce(this.#pending)
    return this.#pending
  }

  /**
   * Another process reads the slot, and writes where this one would. What a look at the catalog showed, it or whoever comes
   * behind it finds as well, by the tables that were published when the stream was last written: nobody is notified twice.
   */
  leaveToReader(): void {
    if (SEEN_BY_ALL.has(this.#pending?.details['reason'])) this.#pending = null
  }

  /** The stream begins. Those who came meanwhile are notified as well. @returns the gap, if there was one */
  settle(): RowcastError | null {
    const gap = this.#pending
    if (gap !== null) this.#announce(gap)
    this.#pending = null
    return gap
  }
}

/** What whoever reads the slot finds in the catalog. */
const SEEN_BY_ALL: ReadonlySet<unknown> = new Set<GapReason>(['publication-dropped', 'table-unpublished'])

/** A gap's reason in words for clients: no names of slots or servers. */
export const GAP_WORDS: Readonly<Record<GapReason, string>> = {
  'other-cluster': 'Another database answers at the address.',
  'timeline-diverged': 'The server that took over had not received the last changes.',
  'timeline-unknown': 'The history of the server is not the one known.',
  'server-behind': 'The server was restored from a backup.',
  'slot-recreated': 'The replication slot was recreated or read by another process.',
  'slot-lost': 'PostgreSQL gave up the replication slot.',
  'slot-dropped': 'The replication slot was dropped.',
  'slot-over-budget': 'The replication slot held more WAL than it may.',
  'publication-dropped': 'The publication was dropped for a while.',
  'table-unpublished': 'A table was taken out of the publication for a while.',
  'delivery-failed': 'The server failed while it handed changes on.',
  'transaction-skipped': 'A transaction was given up that the database could not send.',
  'publication-changed': 'The table was replaced, or what is published of it was changed.',
}

/** What ends subscriptions that may have missed changes of which the stream said nothing. */
export function createMissedError(
  model: string,
  reason: 'publication-changed' | 'transaction-skipped' = 'publication-changed',
): RowcastError {
  return new RowcastError('RESYNC_REQUIRED', GAP_WORDS[reason], { details: { model, reason } })
}
