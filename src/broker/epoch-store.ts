/** Beside the bus, broker. The epochs as Redis keeps them: read, begun, and left to expire. */

import { randomUUID } from 'node:crypto'
import { RowcastError } from '../errors.ts'
import { LSN_ZERO, type Lsn, laterLsn } from '../wire/lsn.ts'
import { type EntryStream, endOfEntry, isReadableEntry } from './entry-codec.ts'
import { compareEntryIds, type EntryId, formatEntryId } from './entry-id.ts'
import { type Epoch, formatEpoch, parseEpoch } from './epoch.ts'
import { beginLastPositions } from './last-positions.ts'
import { formatMark, type MarkContent, parseMark } from './mark.ts'
import { type RedisConnection, sendTransaction } from './redis/redis-connection.ts'
import { FLOOR_FIELD, type RawEntry, toLastGeneratedId, toRawEntries } from './redis/stream-reply.ts'
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

/** Epochs are few: one for each gap and each failover. */
const EPOCHS_MAX = 100
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
  #newest: { readonly id: string; readonly at: string } | null = null

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
  async readFrom(connection: RedisConnection, knownId: string | null): Promise<readonly Epoch[]> {
    const newest = this.#newest
    const from = newest !== null && newest.id === knownId ? newest.at : '-'
    const found = await this.#readEverybodys(connection, from)
    if (from !== '-' && found[0]?.epoch.id !== knownId) {
      this.#newest = null
      return this.readFrom(connection, knownId)
    }
    const ours = found.filter(({ epoch }) => this.#isOurs(epoch))
    const last = ours.at(-1)
    if (last !== undefined) this.#newest = { id: last.epoch.id, at: last.at }
    return ours.map(({ epoch }) => epoch)
  }

  /** The present one; null when there is none. Reads no more of them than it must: taps ask every second. */
  async readNewest(connection: RedisConnection): Promise<Epoch | null> {
    let to = '+'
    for (;;) {
      const range = ['XREVRANGE', this.keys.epochs, to, '-', 'COUNT', String(NEWEST_COUNT)]
      const page = toRawEntries(await connection.send(range))
      for (const { value } of page) {
        const epoch = parseEpoch(value.toString(), this.keys.epochs)
        if (epoch !== null && this.#isOurs(epoch)) return epoch
      }
      const oldest = page.at(-1)
      if (oldest === undefined || page.length < NEWEST_COUNT) return null
      to = `(${formatEntryId(oldest.id)}`
    }
  }

  /** Another cluster's identifier, where its epochs stand at our keys; null where none do. */
  async findStranger(connection: RedisConnection): Promise<string | null> {
    const found = await this.#readEverybodys(connection, '-')
    return found.find(({ epoch }) => !this.#isOurs(epoch))?.epoch.systemId ?? null
  }

  async #readEverybodys(connection: RedisConnection, from: string) {
    const entries = toRawEntries(await connection.send(['XRANGE', this.keys.epochs, from, '+']))
    return entries.flatMap(({ id, value }) => {
      const epoch = parseEpoch(value.toString(), this.keys.epochs)
      return epoch === null ? [] : [{ epoch, at: formatEntryId(id) }]
    })
  }

  #isOurs(epoch: Epoch): boolean {
    return epoch.systemId === this.systemId
  }

  /** Id of the last entry of an epoch, or its floor; null when Redis does not have the stream. */
  async readLast(connection: RedisConnection, { id, floor }: Epoch): Promise<EntryId | null> {
    return (await findLast(connection, { stream: this.keys.epoch(id).changes, floor }))?.id ?? null
  }

  /** The present epoch as far as Redis has it; null when it has none. */
  async readState(connection: RedisConnection): Promise<StoredState | null> {
    const epoch = await this.readNewest(connection)
    if (epoch === null) return null
    const keys = this.keys.epoch(epoch.id)
    const found = await findLast(connection, { stream: keys.changes, floor: epoch.floor })
    const mark = await readMark(connection, keys)
    if (found === null || mark === null) {
      return { epoch: { ...epoch, isOpen: false }, last: epoch.floor, safeLsn: LSN_ZERO, isWritable: false }
    }
    // A mark whose entry is not there says nothing, and one of a tap that has stood down may come late and be an older one.
    // Up to the last entry there is no doubt.
    const last = found.id
    const isWhole = compareEntryIds(mark.last, last) <= 0
    const safeLsn = laterLsn(isWhole ? mark.lsn : LSN_ZERO, endOfEntry(found, keys.changes))
    const newestId = toLastGeneratedId(await connection.send(['XINFO', 'STREAM', keys.changes]))
    return { epoch, last, safeLsn, isWritable: newestId === formatEntryId(last) }
  }

  /** What begins an epoch, to be sent all at once, and lets the one before expire. */
  beginning(epoch: Epoch, mark: MarkContent, expireMinutes: number): readonly (readonly string[])[] {
    const keys = this.keys.epoch(epoch.id)
    const { changes, marks } = keys
    const seconds = String(Math.max(60, Math.ceil(expireMinutes * 60)))
    const before = epoch.previous === null ? [] : keysOf(this.keys.epoch(epoch.previous.id))
    return [
      ['XADD', changes, formatEntryId(epoch.floor), FLOOR_FIELD, ''],
      ['XADD', marks, 'MAXLEN', '1', '*', 'm', formatMark(mark, marks)],
      beginLastPositions(keys),
      this.#announcement(epoch),
      ...before.map((key) => ['EXPIRE', key, seconds]),
    ]
  }

  /**
   * Reports that changes are missing, before a stream begins again: only by the tap that the stream is of, and while its
   * epoch is the present one, also where that changes meanwhile.
   */
  async reportGap(
    connection: RedisConnection,
    epochId: string,
    writerId: string,
    reason: string,
  ): Promise<void> {
    await this.#sendIfOurs(connection, { epochId, writerId }, ({ epoch, last }) => {
      const previous = { id: epoch.id, end: last }
      const closed: Epoch = { ...epoch, id: randomUUID(), kind: 'gap', previous, reason, isOpen: false }
      return this.#announcement(closed)
    })
  }

  /** Writes the document about the models' tables before a stream begins again, on the same terms. */
  async reportTables(
    connection: RedisConnection,
    epochId: string,
    writerId: string,
    text: string,
  ): Promise<void> {
    const command = ['SET', this.keys.epoch(epochId).tables, text]
    await this.#sendIfOurs(connection, { epochId, writerId }, () => command)
  }

  async #sendIfOurs(
    connection: RedisConnection,
    { epochId, writerId }: { readonly epochId: string; readonly writerId: string },
    commandOf: (state: StoredState) => readonly string[],
  ): Promise<void> {
    await connection.send(['WATCH', this.keys.epochs, this.writerKey])
    const writer = await connection.send(['GET', this.writerKey])
    const state = await this.readState(connection)
    const isOurs = state?.epoch.id === epochId && state.epoch.isOpen && String(writer) === writerId
    if (isOurs) await sendTransaction(connection, [commandOf(state)])
    else await connection.send(['UNWATCH'])
  }

  #announcement(epoch: Epoch): readonly string[] {
    return [
      'XADD',
      this.keys.epochs,
      'MAXLEN',
      '~',
      String(EPOCHS_MAX),
      '*',
      'e',
      formatEpoch(epoch, this.keys.epochs),
    ]
  }
}

async function readMark(connection: RedisConnection, { marks }: EpochKeys): Promise<MarkContent | null> {
  const [mark] = toRawEntries(await connection.send(['XREVRANGE', marks, '+', '-', 'COUNT', '1']))
  return mark === undefined ? null : parseMark(mark.value.toString(), marks)
}

/** The last entry that can be read; null when Redis does not have the stream, or nothing of ours is near its end. */
async function findLast(connection: RedisConnection, place: EntryStream): Promise<RawEntry | null> {
  let to = '+'
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const count = String(page === 0 ? 1 : PAGE_COUNT)
    const entries = toRawEntries(await connection.send(['XREVRANGE', place.stream, to, '-', 'COUNT', count]))
    for (const entry of entries) {
      if (isReadableEntry(entry, place)) return entry
      to = `(${formatEntryId(entry.id)}`
    }
    if (entries.length === 0) return null
  }
  return null
}
