/**
 * Beside the bus, broker. One replication stream on its way into one epoch: what a tap holds while it writes there, and what it looks
 * after each second.
 */
import { Buffer } from 'node:buffer'
import type { RelayFeed } from '../source/watch/session-relay.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { EntryLog } from './entry-log.ts'
import type { Epoch } from './epoch.ts'
import type { EpochKeys } from './stream-keys.ts'
import type { StreamTrimmer } from './stream-trimmer.ts'
import type { StreamWriter } from './stream-writer.ts'

export interface TapSessionParts {
  readonly feed: RelayFeed
  readonly epoch: Epoch
  readonly keys: EpochKeys
  readonly log: EntryLog
  readonly writer: StreamWriter
  readonly trimmer: StreamTrimmer
}

/** How often a tap says that it is there, looks whether the stream is still its own, and trims it. */
export const TICK_MS = 1_000
/** Each so many ticks it reads what it has said of tables; its length alone at all of them. */
const READ_TICKS = 10

/** One per stream; it writes nothing of its own accord. */
export class TapSession {
  readonly feed: RelayFeed
  readonly epoch: Epoch
  readonly log: EntryLog
  readonly writer: StreamWriter
  readonly #parts: TapSessionParts
  /** Digests of the relations that the epoch has. */
  readonly #relations = new Set<string>()
  #handedOver: Lsn | null = null
  #ticks = 0
  #timer: { clear(): void } | null = null

  constructor(parts: TapSessionParts) {
    this.feed = parts.feed
    this.epoch = parts.epoch
    this.log = parts.log
    this.writer = parts.writer
    this.#parts = parts
  }

  /** Everything before `lsn` is on its way. First where the stream begins: Redis has what lies before, and its replicas may lack it. */
  handOver(lsn: Lsn): void {
    if (this.#handedOver !== null && lsn <= this.#handedOver) return
    this.#handedOver = lsn
    this.feed.onHandedOver(lsn)
    this.writer.addMark(lsn)
  }

  /** What a relation looks like, once for each epoch. */
  addRelation(digest: string, bytes: Buffer): void {
    if (this.#relations.has(digest)) return
    this.#relations.add(digest)
    const { relations } = this.#parts.keys
    this.writer.addWrite({ kind: 'fields', name: relations, fields: new Map([[digest, bytes]]) })
  }

  /** What ticks ends with the session. */
  tickBy(timer: { clear(): void }): void {
    this.#timer = timer
  }

  end(): void {
    this.#timer?.clear()
    this.writer.end()
  }

  /** Says that somebody writes. */
  beat(): void {
    this.#ticks += 1
    this.writer.beat(TICK_MS)
  }

  /** Gateways show nothing without the document: one that somebody has deleted or damaged is written again. */
  async keepTables(text: string): Promise<void> {
    const { log, keys } = this.#parts
    let isKept = (await log.measureText(keys.tables)) === Buffer.byteLength(text)
    if (isKept && this.#ticks % READ_TICKS === 0) isKept = (await log.readText(keys.tables)) === text
    if (!isKept) this.writer.addTables(text)
  }

  async trim(): Promise<void> {
    const { log, trimmer } = this.#parts
    for (const trim of await trimmer.plan(log, this.writer.last)) this.writer.addWrite(trim)
  }
}
