/** Beside the bus, broker. The epochs as Redis keeps them: read, begun, and left to expire. */

import { randomUUID } from 'node:crypto'
import { LSN_ZERO, type Lsn } from '../wire/lsn.ts'
import { type EntryId, formatEntryId } from './entry-id.ts'
import { type Epoch, formatEpoch, parseEpoch } from './epoch.ts'
import type { RedisConnection } from './redis-connection.ts'
import { keysOf, type StreamKeys, streamKeys } from './stream-keys.ts'
import { toRawEntries } from './stream-reply.ts'

/** An epoch and how far it has come. */
export interface StoredState {
  readonly epoch: Epoch
  /** The last entry, or the floor. */
  readonly last: EntryId
  /** Everything before it is in the stream. */
  readonly safeLsn: Lsn
}

/** Epochs are few: one for each gap and each failover. */
const EPOCHS_MAX = 100

/** Reads and writes epochs of one slot. */
export class EpochStore {
  readonly keys: StreamKeys

  constructor(prefix: string, slot: string) {
    this.keys = streamKeys(prefix, slot)
  }

  /** All that are known, oldest first. */
  async readAll(connection: RedisConnection): Promise<readonly Epoch[]> {
    const entries = toRawEntries(await connection.send(['XRANGE', this.keys.epochs, '-', '+']))
    return entries.map(({ value }) => parseEpoch(value.toString()))
  }

  /** The present one; null when there is none. */
  async readNewest(connection: RedisConnection): Promise<Epoch | null> {
    const [newest] = toRawEntries(
      await connection.send(['XREVRANGE', this.keys.epochs, '+', '-', 'COUNT', '1']),
    )
    return newest === undefined ? null : parseEpoch(newest.value.toString())
  }

  /** Id of the last entry of an epoch, or its floor; null when Redis does not have the stream. */
  async readLast(connection: RedisConnection, epochId: string): Promise<EntryId | null> {
    const { changes } = this.keys.epoch(epochId)
    const [last] = toRawEntries(await connection.send(['XREVRANGE', changes, '+', '-', 'COUNT', '1']))
    return last?.id ?? null
  }

  /** The present epoch as far as Redis has it; null when it has none. */
  async readState(connection: RedisConnection): Promise<StoredState | null> {
    const epoch = await this.readNewest(connection)
    if (epoch === null) return null
    const last = await this.readLast(connection, epoch.id)
    const { marks } = this.keys.epoch(epoch.id)
    const [mark] = toRawEntries(await connection.send(['XREVRANGE', marks, '+', '-', 'COUNT', '1']))
    if (last === null || mark === undefined) {
      return { epoch: { ...epoch, isOpen: false }, last: epoch.floor, safeLsn: LSN_ZERO }
    }
    return { epoch, last, safeLsn: mark.id.lsn }
  }

  /** Begins an epoch, and lets the one before expire. */
  async create(
    connection: RedisConnection,
    epoch: Epoch,
    floorLsn: Lsn,
    expireMinutes: number,
  ): Promise<void> {
    const { changes, marks } = this.keys.epoch(epoch.id)
    await connection.send(['XADD', changes, formatEntryId(epoch.floor), 'floor', ''])
    await connection.send(['XADD', marks, 'MAXLEN', '1', `${floorLsn}-0`, 'm', '{}'])
    await this.#announce(connection, epoch)
    if (epoch.previous === null) return
    const seconds = String(Math.max(60, Math.ceil(expireMinutes * 60)))
    for (const key of keysOf(this.keys.epoch(epoch.previous.id))) {
      await connection.send(['EXPIRE', key, seconds])
    }
  }

  /**
   * Says that changes are missing, before a stream begins again: only by the tap that wrote last, and while its epoch
   * is the present one.
   */
  async tellGap(
    connection: RedisConnection,
    epochId: string,
    writerId: string,
    reason: string,
  ): Promise<void> {
    const state = await this.readState(connection)
    if (state === null || state.epoch.id !== epochId || !state.epoch.isOpen) return
    const [mark] = toRawEntries(
      await connection.send(['XREVRANGE', this.keys.epoch(epochId).marks, '+', '-', 'COUNT', '1']),
    )
    if (mark === undefined || !mark.value.toString().includes(writerId)) return
    const { epoch, last } = state
    const previous = { id: epoch.id, end: last }
    const told: Epoch = { ...epoch, id: randomUUID(), kind: 'gap', previous, reason, isOpen: false }
    await this.#announce(connection, told)
  }

  async #announce(connection: RedisConnection, epoch: Epoch): Promise<void> {
    const { epochs } = this.keys
    await connection.send(['XADD', epochs, 'MAXLEN', '~', String(EPOCHS_MAX), '*', 'e', formatEpoch(epoch)])
  }
}
