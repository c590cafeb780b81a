/** Beside the bus, broker. The epochs as the broker keeps them: read, begun, and left to expire. */

import { RowcastError } from '../errors.ts'
import { LSN_ZERO, type Lsn, laterLsn } from '../wire/lsn.ts'
import { type EntryStream, endOfEntry, isReadableEntry } from './entry-codec.ts'
import { compareEntryIds, type EntryId } from './entry-id.ts'
import type { EntryLog, LogWrite, RawEntry } from './entry-log.ts'
import { type Epoch, formatEpoch, parseEpoch } from './epoch.ts'
import { beginLastPositions } from './last-positions.ts'
import { formatMark, type MarkContent, parseMark } from './mark.ts'
import { type EpochKeys, keysOf, type StreamKeys, streamKeys } from './stream-keys.ts'

/** An epoch and how far it has come. */
export interface StoredState {
  readonly epoch: Epoch
  /** The last entry that can be read, or the floor. */
  readonly last: EntryId
  /** Everything before it is in the stream. */
  readonly safeLsn: Lsn
  /** False where somebody else has written to the stream behind its last entry: nothing of ours can follow. */
  readonly isWritable: boolean
}

/** Which tap writes, and to which epoch. */
export interface OwnEpoch {
  readonly epochId: string
  readonly writerId: string
}

/** The newest is among so many but where other clusters write to the same keys. */
const NEWEST_COUNT = 4
/** Entries of others that are passed over in search of the last of ours: pages of a size. */
const PAGE_COUNT = 64
const PAGES_MAX = 16

/** Reads and writes epochs of one slot of one database cluster. */
export class EpochStore {
  readonly #prefix: string | null
  readonly slot: string
  #systemId: string | null = null
  /** The last of ours that was read, and its id in the stream of epochs: gateways ask every second what followed. */
  #newest: { readonly id: string; readonly at: EntryId } | null = null

  /** @param prefix what all keys begin with; null makes one of the cluster's identifier */
  constructor(prefix: string | null, slot: string) {
    this.#prefix = prefix
    this.slot = slot
  }

  /** The cluster whose epochs these are; others' are not looked at. */
  useSystem(systemId: string): void {
    this.#systemId = systemId
  }

  get systemId(): string {
    if (this.#systemId === null) throw new RowcastError('BUG', 'The stream was read before its database.')
    return this.#systemId
  }

  get keys(): StreamKeys {
    return streamKeys(this.#prefix ?? `rowcast:${this.systemId}`, this.slot)
  }

  /** Names the tap that may write. Of the cluster's own, also where others have the same prefix. */
  get writerKey(): string {
    return `${this.#prefix ?? 'rowcast'}:{${this.slot}}:writer:${this.systemId}`
  }

  /** Written to find out whether writing is possible. */
  get probeKey(): string {
    return `${this.#prefix ?? 'rowcast'}:{${this.slot}}:probe`
  }

  /** Oldest first: the known one and those after it; all where it is not there, or was not the last that was read. */
  async readFrom(log: EntryLog, knownId: string | null): Promise<readonly Epoch[]> {
    const newest = this.#newest
    const from = newest !== null && newest.id === knownId ? newest.at : null
    const found = await this.#readEverybodys(log, from)
    if (from !== null && found[0]?.epoch.id !== knownId) {
      this.#newest = null
      return this.readFrom(log, knownId)
    }
    const ours = found.filter(({ epoch }) => this.#isOurs(epoch))
    const last = ours.at(-1)
    if (last !== undefined) this.#newest = { id: last.epoch.id, at: last.at }
    return ours.map(({ epoch }) => epoch)
  }

  /** The present one; null when there is none. Reads no more of them than it must: taps ask every second. */
  async readNewest(log: EntryLog): Promise<Epoch | null> {
    let before: EntryId | null = null
    for (;;) {
      const page: readonly RawEntry[] = await log.readBackwards(this.keys.epochs, before, NEWEST_COUNT)
      for (const { value } of page) {
        const epoch = parseEpoch(value.toString(), this.keys.epochs)
        if (epoch !== null && this.#isOurs(epoch)) return epoch
      }
      const oldest = page.at(-1)
      if (oldest === undefined || page.length < NEWEST_COUNT) return null
      before = oldest.id
    }
  }

  /** Whether this epoch is the present one still; null: there was none. @throws BROKER_STREAM_CONTESTED, BROKER_STREAM_LOST */
  async checkIsPresent(log: EntryLog, epochId: string | null): Promise<void> {
    const newest = await this.readNewest(log)
    if ((newest?.id ?? null) === epochId) return
    if (newest === null) throw new RowcastError('BROKER_STREAM_LOST', 'The stream is no longer in Redis.')
    throw new RowcastError('BROKER_STREAM_CONTESTED', 'Another tap has begun an epoch of the stream.')
  }

  /** Another cluster's identifier, where its epochs stand at our keys; null where none do. */
  async findStranger(log: EntryLog): Promise<string | null> {
    const found = await this.#readEverybodys(log, null)
    return found.find(({ epoch }) => !this.#isOurs(epoch))?.epoch.systemId ?? null
  }

  async #readEverybodys(log: EntryLog, from: EntryId | null) {
    const entries = await log.readEntries(this.keys.epochs, { from: from ?? undefined })
    return entries.flatMap(({ id, value }) => {
      const epoch = parseEpoch(value.toString(), this.keys.epochs)
      return epoch === null ? [] : [{ epoch, at: id }]
    })
  }

  #isOurs(epoch: Epoch): boolean {
    return epoch.systemId === this.systemId
  }

  /** Id of the last entry of an epoch, or its floor; null when the broker does not have the stream. */
  async readLast(log: EntryLog, { id, floor }: Epoch): Promise<EntryId | null> {
    return (await findLast(log, { stream: this.keys.epoch(id).changes, floor }))?.id ?? null
  }

  /** The present epoch as far as the broker has it; null when it has none. */
  async readState(log: EntryLog): Promise<StoredState | null> {
    const epoch = await this.readNewest(log)
    if (epoch === null) return null
    const keys = this.keys.epoch(epoch.id)
    const found = await findLast(log, { stream: keys.changes, floor: epoch.floor })
    const mark = await readMark(log, keys)
    if (found === null || mark === null) {
      return { epoch: { ...epoch, isOpen: false }, last: epoch.floor, safeLsn: LSN_ZERO, isWritable: false }
    }
    // A mark whose entry is not there says nothing, and one of a tap that has stood down may come late and be an older one.
    // Up to the last entry there is no doubt.
    const last = found.id
    const isWhole = compareEntryIds(mark.last, last) <= 0
    const safeLsn = laterLsn(isWhole ? mark.lsn : LSN_ZERO, endOfEntry(found, keys.changes))
    const newestId = await log.readNewestId(keys.changes)
    return { epoch, last, safeLsn, isWritable: compareEntryIds(newestId, last) === 0 }
  }

  /** What begins an epoch, to be sent all at once, and lets the one before expire. */
  beginning(epoch: Epoch, mark: MarkContent, expireMinutes: number): readonly LogWrite[] {
    const keys = this.keys.epoch(epoch.id)
    const { changes, marks } = keys
    return [
      { kind: 'floor', stream: changes, id: epoch.floor },
      { kind: 'mark', stream: marks, text: formatMark(mark, marks) },
      beginLastPositions(keys),
      this.#announcement(epoch),
      ...(epoch.previous === null ? [] : this.#letGo(epoch.previous.id, expireMinutes)),
    ]
  }

  #letGo(epochId: string, expireMinutes: number): readonly LogWrite[] {
    const seconds = Math.max(60, Math.ceil(expireMinutes * 60))
    return keysOf(this.keys.epoch(epochId)).map((name) => ({ kind: 'expire', name, seconds }))
  }

  /**
   * Reports that changes are missing, before a stream begins again: only by the tap that the stream is of, and while its
   * epoch is the present one, also where that changes meanwhile. That epoch is over, and expires: whoever begins next knows only
   * the one that says so.
   */
  async reportGap(
    log: EntryLog,
    ours: OwnEpoch,
    gap: { readonly reason: string; readonly newId: string; readonly expireMinutes: number },
  ): Promise<void> {
    const { reason, newId, expireMinutes } = gap
    await this.#writeIfOurs(log, ours, ({ epoch, last }) => {
      const previous = { id: epoch.id, end: last }
      const closed: Epoch = { ...epoch, id: newId, kind: 'gap', previous, reason, isOpen: false }
      return [this.#announcement(closed), ...this.#letGo(epoch.id, expireMinutes)]
    })
  }

  /** Writes the document about the models' tables before a stream begins again, on the same terms. */
  async reportTables(log: EntryLog, ours: OwnEpoch, text: string): Promise<void> {
    const name = this.keys.epoch(ours.epochId).tables
    await this.#writeIfOurs(log, ours, () => [{ kind: 'text', name, text }])
  }

  /**
   * Takes the stream for a tap, with what `decide` has written; null: it is not taken. Whoever begins an epoch meanwhile has it.
   * @throws BROKER_STREAM_CONTESTED, and what `decide` throws
   */
  async take(
    log: EntryLog,
    writerId: string,
    decide: () => Promise<readonly LogWrite[] | null>,
  ): Promise<void> {
    const isTaken = await log.update([this.keys.epochs], async () => {
      const writes = await decide()
      return writes && [...writes, { kind: 'text', name: this.writerKey, text: writerId }]
    })
    if (!isTaken) throw new RowcastError('BROKER_STREAM_CONTESTED', 'Another tap has taken the stream.')
  }

  async #writeIfOurs(
    log: EntryLog,
    { epochId, writerId }: OwnEpoch,
    writesOf: (state: StoredState) => readonly LogWrite[],
  ): Promise<void> {
    await log.update([this.keys.epochs, this.writerKey], async () => {
      const writer = await log.readText(this.writerKey)
      const state = await this.readState(log)
      const isOurs = state?.epoch.id === epochId && state.epoch.isOpen && writer === writerId
      return isOurs ? writesOf(state) : null
    })
  }

  #announcement(epoch: Epoch): LogWrite {
    const { epochs } = this.keys
    return { kind: 'announcement', stream: epochs, text: formatEpoch(epoch, epochs) }
  }
}

async function readMark(log: EntryLog, { marks }: EpochKeys): Promise<MarkContent | null> {
  const [mark] = await log.readBackwards(marks, null, 1)
  return mark === undefined ? null : parseMark(mark.value.toString(), marks)
}

/** The last entry that can be read; null when the broker does not have the stream, or nothing of ours is near its end. */
async function findLast(log: EntryLog, stream: EntryStream): Promise<RawEntry | null> {
  let before: EntryId | null = null
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const count = page === 0 ? 1 : PAGE_COUNT
    const entries: readonly RawEntry[] = await log.readBackwards(stream.stream, before, count)
    for (const entry of entries) {
      if (isReadableEntry(entry, stream)) return entry
      before = entry.id
    }
    if (entries.length === 0) return null
  }
  return null
}
