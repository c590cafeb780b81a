/** Beside the bus, broker. What a tap knows of the stream when it begins to write: what it found there, and what it wrote itself. */

import type { StreamOrigin } from '../changes/change-position.ts'
import { INDEX_AFTER_ALL } from '../changes/cursor.ts'
import type { RowcastError } from '../errors.ts'
import { groupByModel, parsePublishedModel } from '../source/published/published-tables.ts'
import type { ModelTableState } from '../source/setup/model-tables.ts'
import type { KnownTables, RelayPast } from '../source/watch/session-relay.ts'
import { LSN_ZERO, type Lsn } from '../wire/lsn.ts'
import { oldTimeline } from './broker-faults.ts'
import { compareEntryIds, type EntryId } from './entry-id.ts'
import type { EntryLog } from './entry-log.ts'
import type { Epoch, FoundEpoch, Published } from './epoch.ts'
import type { EpochStore } from './epoch-store.ts'
import { parseTableStates } from './table-states.ts'

const NO_PAST: RelayPast = { past: null, known: null }

/** One per tap. */
export class TapPast {
  readonly #store: EpochStore
  #found: FoundEpoch | null = null
  #published: Published | null = null
  /** A gap that no epoch in Redis says yet. */
  #owed: RowcastError | null = null
  /** The epoch that is to say it: its answer may be lost, or come too late. */
  #owedIn: string | null = null

  constructor(store: EpochStore) {
    this.#store = store
  }

  /** What the last look found; null: nothing. */
  get found(): FoundEpoch | null {
    return this.#found
  }

  /** What this process wrote and was accepted; null: nothing yet. */
  get published(): Published | null {
    return this.#published
  }

  /** Everything before `safeLsn` was accepted, up to the entry `last`. */
  publishes({ id, systemId, timeline }: Epoch, last: EntryId, safeLsn: Lsn): void {
    this.#published = { epochId: id, systemId, timeline, last, safeLsn }
  }

  /** A stream is to begin, behind a gap or none. @returns what its epoch has to say: also the gap of one that was not written */
  owes(gap: RowcastError | null): RowcastError | null {
    if (gap !== null) {
      this.#owed = gap
      this.#owedIn = null
    }
    return this.#owed
  }

  /** What is owed leaves with this epoch. */
  writes({ id }: Epoch): void {
    this.#owedIn = id
  }

  /** The epoch of the stream that begins is in Redis. */
  hasWritten(): void {
    this.#owed = null
  }

  /** Looks at the stream of the server's cluster. @throws BROKER_OLD_TIMELINE, BROKER_… */
  async read(log: EntryLog, { systemId, timeline }: StreamOrigin): Promise<RelayPast> {
    this.#found = null
    this.#store.useSystem(systemId)
    const stored = await this.#store.readState(log)
    if (stored === null) return NO_PAST
    const { epoch, last, safeLsn, isWritable } = stored
    if (epoch.timeline > timeline) throw oldTimeline(timeline, epoch.timeline)
    this.#found = { epoch, last, isWritable }
    if (epoch.id === this.#owedIn) this.hasWritten()
    if (!epoch.isOpen) return NO_PAST
    const past = {
      systemId: epoch.systemId,
      timeline: epoch.timeline,
      safeLsn: this.#isAhead(epoch, last, safeLsn) ? (this.#published?.safeLsn ?? safeLsn) : safeLsn,
      deliveredLsn: last.sequence >= INDEX_AFTER_ALL ? LSN_ZERO : last.lsn,
    }
    const document = await log.readText(this.#store.keys.epoch(epoch.id).tables)
    const states = document === null ? null : parseTableStates(document)
    return { past, known: states === null ? null : knownTables(states) }
  }

  /** Whether this process knows that more was accepted than the stream's own mark says. */
  #isAhead(epoch: Epoch, last: EntryId, safeLsn: Lsn): boolean {
    const published = this.#published
    if (published?.epochId !== epoch.id || compareEntryIds(published.last, last) !== 0) return false
    return published.safeLsn > safeLsn
  }
}

/** What the process that wrote these states knew. */
function knownTables(tables: readonly ModelTableState[]): KnownTables {
  const isWhole = ({ standing, published }: ModelTableState) =>
    standing === 'verified' && parsePublishedModel([published]) !== null
  const verified = [...groupByModel(tables.filter(isWhole))]
  const settling = new Set(tables.flatMap(({ model, standing }) => (standing === 'settling' ? [model] : [])))
  return {
    models: new Set(tables.flatMap(({ model }) => (settling.has(model) ? [] : [model]))),
    verified: new Map(
      verified.flatMap(([model, published]) => (published === null ? [] : [[model, published] as const])),
    ),
  }
}
