/**
 * An engine of a broker in memory: a server and a replica that may lag, with a clock and a network of whoever runs it. Nothing in
 * it waits for the machine, so a simulation of taps and gateways runs on it; `loseAnswers`, `cut`, `failOver` and `flush` are what a network
 * and a server do to them.
 */
import type {
  BrokerEngine,
  Committed,
  EntryLog,
  LogConnectionOptions,
  LogWrite,
} from '../../../src/broker/entry-log.ts'
import { RowcastError } from '../../../src/errors.ts'
import { Keyspace } from './keyspace.ts'
import { MemoryLog } from './memory-log.ts'

/** The time and the network of a broker. */
export interface BrokerWorld {
  /** Milliseconds since 1970. */
  nowMs(): number
  setTimeout(run: () => void, delayMs: number): { clear(): void }
  /** One way, of a request or of an answer. */
  hop(): Promise<void>
}

/** The machine's clock, and a network that takes no time. */
export const REAL_WORLD: BrokerWorld = {
  nowMs: () => Date.now(),
  setTimeout(run, delayMs) {
    const timer = setTimeout(run, delayMs)
    return { clear: () => clearTimeout(timer) }
  },
  hop: () => Promise.resolve(),
}

/** A broker; each is a world of its own. */
export class MemoryEngine implements BrokerEngine {
  readonly followMs: number
  readonly world: BrokerWorld
  #primary = new Keyspace()
  #replica = new Keyspace()
  /** What the replica lacks, oldest first. */
  #unreplicated: ((replica: Keyspace) => void)[] = []
  readonly #logs = new Set<MemoryLog>()
  readonly #waiting = new Set<() => void>()
  #lostAnswers = 0
  /** Whether the replica has everything at once. */
  isReplicating = true
  /** Whether nothing more is taken. */
  isFull = false
  /** Whether nobody is let in. */
  isDown = false

  constructor(world: BrokerWorld = REAL_WORLD, followMs = 1_000) {
    this.world = world
    this.followMs = followMs
  }

  async open({ signal, onEnd }: LogConnectionOptions): Promise<EntryLog> {
    await this.world.hop()
    if (this.isDown || signal?.aborted)
      throw new RowcastError('BROKER_UNREACHABLE', 'No connection to the broker.')
    const log: MemoryLog = new MemoryLog(this, () => {
      this.#logs.delete(log)
      signal?.removeEventListener('abort', destroy)
      onEnd?.()
    })
    const destroy = () => log.destroy()
    signal?.addEventListener('abort', destroy)
    this.#logs.add(log)
    return log
  }

  /** What the server has now. */
  get kept(): Keyspace {
    this.#primary.expire(this.world.nowMs())
    return this.#primary
  }

  /** @throws BROKER_OUT_OF_MEMORY, BROKER_REFUSED */
  write(writes: readonly LogWrite[]): Committed {
    if (this.isFull) throw new RowcastError('BROKER_OUT_OF_MEMORY', 'The broker takes no more.')
    const nowMs = this.world.nowMs()
    return this.#change((kept) => kept.write(writes, nowMs))
  }

  /** Calls back once, with the next change. @returns what stops it */
  onChange(run: () => void): () => void {
    this.#waiting.add(run)
    return () => this.#waiting.delete(run)
  }

  /** Whether the answer to what was just done is lost. */
  losesAnswer(): boolean {
    if (this.#lostAnswers === 0) return false
    this.#lostAnswers -= 1
    return true
  }

  /** Replicas that have everything. */
  get upToDateReplicas(): number {
    return this.#unreplicated.length === 0 ? 1 : 0
  }

  /** The next so many writes arrive, and their answers do not: the connection ends instead. */
  loseAnswers(count: number): void {
    this.#lostAnswers += count
  }

  /** The replica gets the oldest of what it lacks. @param count @default all of it */
  replicate(count = this.#unreplicated.length): void {
    for (const apply of this.#unreplicated.splice(0, count)) apply(this.#replica)
  }

  /** The replica takes over, with what it has; nobody stays connected. */
  failOver(): void {
    this.#primary = this.#replica
    this.#replica = this.#primary.copy()
    this.#unreplicated = []
    this.cut()
  }

  /** It forgets everything, and goes on. */
  flush(): void {
    this.#change((kept) => kept.clear())
  }

  /** Somebody deletes it. */
  drop(name: string): void {
    this.#change((kept) => kept.drop(name))
  }

  /** All connections end. */
  cut(): void {
    for (const log of this.#logs) log.cut()
  }

  #change<T>(apply: (kept: Keyspace) => T): T {
    const forReplica = (replica: Keyspace) => {
      try {
        apply(replica)
      } catch {
        // The server has said so.
      }
    }
    this.#unreplicated.push(forReplica)
    try {
      return apply(this.kept)
    } finally {
      if (this.isReplicating) this.replicate()
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const run of waiting) run()
    }
  }
}
