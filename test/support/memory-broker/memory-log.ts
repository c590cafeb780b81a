/** One connection to an engine in memory: requests arrive in their order, and a connection that ended answers none. */
import { Buffer } from 'node:buffer'
import { compareEntryIds, type EntryId } from '../../../src/broker/entry-id.ts'
import type {
  Committed,
  EntryLog,
  EntryRange,
  FollowedEntries,
  FollowPosition,
  LogWrite,
  LogWriter,
  RawEntry,
} from '../../../src/broker/entry-log.ts'
import { RowcastError } from '../../../src/errors.ts'
import type { MemoryEngine } from './memory-engine.ts'

/** How long too few replicas are waited for. */
const REPLICAS_WAIT_MS = 20

/** Of one engine. */
export class MemoryLog implements EntryLog {
  readonly #engine: MemoryEngine
  readonly #onEnd: () => void
  #isOpen = true
  #isCut = false
  #sent: Promise<unknown> = Promise.resolve()
  #updated: Promise<unknown> = Promise.resolve()
  #end: (error: Error) => void = () => {}
  readonly #ended: Promise<never>

  constructor(engine: MemoryEngine, onEnd: () => void) {
    this.#engine = engine
    this.#onEnd = onEnd
    this.#ended = new Promise((_resolve, reject) => {
      this.#end = reject
    })
    this.#ended.catch(() => {})
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  destroy(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#end(lost())
    this.#onEnd()
  }

  /** The server, or the network, ends it: what is on its way does not arrive. */
  cut(): void {
    this.#isCut = true
    this.destroy()
  }

  async checkWritable(name: string, text: string): Promise<void> {
    await this.#ask(() =>
      this.#write([
        { kind: 'text', name, text },
        { kind: 'expire', name, seconds: 1 },
      ]),
    )
  }

  readEntries(stream: string, { after, from, count }: EntryRange): Promise<readonly RawEntry[]> {
    return this.#ask(() => {
      checkIds(after, from)
      const isWanted = ({ id }: RawEntry) =>
        (after === undefined || compareEntryIds(id, after) > 0) &&
        (from === undefined || compareEntryIds(id, from) >= 0)
      return this.#entriesOf(stream).filter(isWanted).slice(0, count)
    })
  }

  readBackwards(stream: string, before: EntryId | null, count: number): Promise<readonly RawEntry[]> {
    const isWanted = ({ id }: RawEntry) => before === null || compareEntryIds(id, before) < 0
    return this.#ask(() => {
      checkIds(before)
      return this.#entriesOf(stream).filter(isWanted).toReversed().slice(0, count)
    })
  }

  follow(position: FollowPosition, count: number, waitMs: number): Promise<FollowedEntries> {
    const { changes, marks, after, afterMark } = position
    const look = (): FollowedEntries => {
      const news = this.#entriesOf(changes).filter(({ id }) => compareEntryIds(id, after) > 0)
      const mark = this.#entriesOf(marks).findLast(({ id }) => compareEntryIds(id, afterMark) > 0)
      return { entries: news.slice(0, count), mark: mark ?? null }
    }
    return this.#ask(async () => {
      checkIds(after, afterMark)
      for (let isOver = waitMs === 0; ; ) {
        const found = look()
        if (isOver || found.entries.length > 0 || found.mark !== null || !this.#isOpen) return found
        isOver = await this.#waitForChange(waitMs)
      }
    })
  }

  readNewestId(stream: string): Promise<EntryId> {
    return this.#ask(() => {
      const kept = this.#engine.kept.streamAt(stream)
      if (kept === null) throw new RowcastError('BROKER_REFUSED', 'There is no such stream.')
      return kept.newestId
    })
  }

  has(name: string): Promise<boolean> {
    return this.#ask(() => this.#engine.kept.has(name))
  }

  countEntries(stream: string): Promise<number> {
    return this.#ask(() => this.#entriesOf(stream).length)
  }

  measureEntries(stream: string): Promise<number> {
    return this.#ask(() => this.#entriesOf(stream).reduce((sum, { value }) => sum + value.length + 50, 0))
  }

  readText(name: string): Promise<string | null> {
    return this.#ask(() => this.#engine.kept.textAt(name))
  }

  measureText(name: string): Promise<number> {
    return this.#ask(() => Buffer.byteLength(this.#engine.kept.textAt(name) ?? ''))
  }

  readFields(name: string, fields: readonly string[]): Promise<readonly (Buffer | null)[]> {
    return this.#ask(() => {
      const kept = this.#engine.kept.fieldsAt(name)
      return fields.map((field) => kept.get(field) ?? null)
    })
  }

  readAllFields(name: string): Promise<ReadonlyMap<string, Buffer>> {
    return this.#ask(() => this.#engine.kept.fieldsAt(name))
  }

  readClockMs(): Promise<number> {
    return this.#ask(() => this.#engine.world.nowMs())
  }

  /** Answers once there are enough, or after a while, as Redis does. */
  countReplicas(name: string, wanted: number): Promise<number> {
    return this.#ask(async () => {
      this.#write([{ kind: 'text', name, text: 'replicas' }])
      if (this.#engine.upToDateReplicas < wanted) await this.#waitForChange(REPLICAS_WAIT_MS)
      return this.#engine.upToDateReplicas
    })
  }

  readEvictionPolicy(): Promise<string | null> {
    return this.#ask(() => null)
  }

  update(names: readonly string[], decide: () => Promise<readonly LogWrite[] | null>): Promise<boolean> {
    const updating = this.#updated.then(async () => {
      const versions = () => names.map((name) => this.#engine.kept.versionOf(name)).join()
      const seen = await this.#ask(versions)
      const writes = await decide()
      if (writes === null) return true
      const committed = await this.#ask(() => (versions() === seen ? this.#write(writes) : null))
      if (committed?.kind === 'lost') throw streamLost()
      return committed !== null
    })
    this.#updated = updating.catch(() => {})
    return updating
  }

  openWriter(name: string, writerId: string): LogWriter {
    const writerNow = () => this.#engine.kept.textAt(name)
    return {
      ready: () =>
        this.#ask(() => {
          if (writerNow() === null) throw streamLost()
          if (writerNow() !== writerId)
            throw new RowcastError('BROKER_STREAM_CONTESTED', 'Another tap has taken the stream.')
        }),
      commit: (stream, writes) =>
        this.#ask((): Committed => {
          if (writerNow() === writerId) return this.#write(writes)
          return { kind: this.#entriesOf(stream).length === 0 ? 'lost' : 'contested' }
        }),
    }
  }

  #entriesOf(stream: string): readonly RawEntry[] {
    return this.#engine.kept.streamAt(stream)?.entries ?? []
  }

  /** The server has it, and whoever sent it may never hear of it. */
  #write(writes: readonly LogWrite[]): Committed {
    const committed = this.#engine.write(writes)
    if (this.#engine.losesAnswer()) this.destroy()
    return committed
  }

  /** @returns whether the time is up */
  #waitForChange(waitMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const stop = this.#engine.onChange(() => {
        timer.clear()
        resolve(false)
      })
      const timer = this.#engine.world.setTimeout(() => {
        stop()
        resolve(true)
      }, waitMs)
      this.#ended.catch((error: unknown) => {
        stop()
        timer.clear()
        reject(error)
      })
    })
  }

  /** One request and its answer. */
  #ask<T>(serve: () => T | Promise<T>): Promise<T> {
    if (!this.#isOpen) return Promise.reject(lost())
    const { world } = this.#engine
    const served = this.#sent.then(async () => {
      await world.hop()
      if (this.#isCut) throw lost()
      return serve()
    })
    this.#sent = served.catch(() => {})
    const answered = served.finally(() => world.hop())
    return Promise.race([answered, this.#ended])
  }
}

const lost = () => new RowcastError('BROKER_LOST', 'The connection to the broker is gone.')
const streamLost = () => new RowcastError('BROKER_STREAM_LOST', 'The stream is no longer in the broker.')

/** As Redis does, which has no ids below 0. @throws BROKER_REFUSED */
function checkIds(...ids: readonly (EntryId | null | undefined)[]): void {
  if (ids.some((id) => id != null && (id.lsn < 0n || id.sequence < 0)))
    throw new RowcastError('BROKER_REFUSED', 'Invalid stream ID specified as stream command argument')
}
