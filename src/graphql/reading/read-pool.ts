/**
 * Stage 7, graphql. How many bytes of rows the operations of a process may hold, each of them and all together, and until when
 * each may read. What a statement is about to read is reserved first; what came is counted when it has come.
 */
import type { GraphQLError } from 'graphql'
import { contain } from '../../guard.ts'
import { withinTime } from '../../within-time.ts'
import { graphqlError } from '../graphql-errors.ts'

/** The bounds of a pool. */
export interface ReadPoolOptions {
  /** For all that one operation reads, waiting included. @default 10_000 // 10 s */
  readonly timeoutMs?: number | undefined
  /** For one operation. @default 16_777_216 // 16 MiB */
  readonly operationBytesMax?: number | undefined
  /** For all operations that read at once. @default 50_331_648 // 48 MiB */
  readonly totalBytesMax?: number | undefined
}

const TIMEOUT_MS = 10_000
const OPERATION_BYTES_MAX = 16 * 1024 * 1024
const TOTAL_BYTES_MAX = 48 * 1024 * 1024
/** What is small has its turn while large reads wait: they may have three quarters of all. */
const LARGE_SHARE = 3 / 4
const SMALL_BYTES_MAX = 256 * 1024

interface Waiting {
  readonly bytes: number
  begin(): void
}

/** What all operations of a process read. */
export class ReadPool {
  readonly timeoutMs: number
  readonly operationBytesMax: number
  readonly #totalBytesMax: number
  readonly #waiting = new Set<Waiting>()
  #bytes = 0

  constructor(options: ReadPoolOptions = {}) {
    this.timeoutMs = options.timeoutMs ?? TIMEOUT_MS
    this.operationBytesMax = options.operationBytesMax ?? OPERATION_BYTES_MAX
    this.#totalBytesMax = options.totalBytesMax ?? TOTAL_BYTES_MAX
  }

  /** Bytes that are reserved, or have come. */
  get bytes(): number {
    return this.#bytes
  }

  /** The reads of one operation, from now on; `end` gives back what they hold. @param budget what they share with others of the same result */
  open(budget = new ResultBudget()): OperationReads {
    return new OperationReads(this, budget)
  }

  /** Takes the bytes, at once or as soon as there is room. @throws QUERY_TOO_SLOW where there is none in time */
  take(bytes: number, leftMs: number): Promise<void> {
    if (this.#hasRoom(bytes)) {
      this.add(bytes)
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const leave = contain(() => {
        this.#waiting.delete(waiting)
        reject(tooSlow(this.timeoutMs))
      }, reject)
      const timer = setTimeout(leave, leftMs).unref()
      const waiting: Waiting = {
        bytes,
        begin: () => {
          clearTimeout(timer)
          this.add(bytes)
          resolve()
        },
      }
      this.#waiting.add(waiting)
    })
  }

  /** Bytes that are there already, or none any more. */
  add(bytes: number): void {
    this.#bytes += bytes
    if (bytes >= 0) return
    for (const waiting of this.#waiting) {
      if (!this.#hasRoom(waiting.bytes)) continue
      this.#waiting.delete(waiting)
      waiting.begin()
    }
  }

  /** One that is larger than all may be is let in alone: the bound of an operation may be set above it. */
  #hasRoom(bytes: number): boolean {
    const share = bytes > SMALL_BYTES_MAX ? LARGE_SHARE : 1
    return this.#bytes <= 0 || this.#bytes + bytes <= this.#totalBytesMax * share
  }
}

/** What all reads for one result have of the bytes that one operation may read; those that are over have had theirs. */
export class ResultBudget {
  /** Read, and what is waited for. */
  bytes = 0
  /** More was asked for: what was begun besides is read no further. */
  refusal: unknown = null
}

/** What one operation reads: a query, or the relations of one image of a change. */
export class OperationReads {
  readonly #pool: ReadPool
  readonly #budget: ResultBudget
  readonly #startMs = performance.now()
  /** Held. */
  #bytes = 0
  #isOver = false

  constructor(pool: ReadPool, budget: ResultBudget) {
    this.#pool = pool
    this.#budget = budget
  }

  /** What is left of its time. */
  get leftMs(): number {
    return Math.max(0, this.#pool.timeoutMs - (performance.now() - this.#startMs))
  }

  /** Whether it may hold so much more. */
  fits(bytes: number): boolean {
    return this.#budget.bytes + bytes <= this.#pool.operationBytesMax
  }

  /**
   * Waits for room for what is read next.
   * @throws QUERY_OVER_LIMIT where the operation would hold too much, QUERY_TOO_SLOW where there is no room in time
   */
  async reserve(bytes: number): Promise<void> {
    this.check(bytes)
    this.#budget.bytes += bytes
    try {
      await this.#pool.take(bytes, this.leftMs)
    } catch (error) {
      this.#budget.bytes -= bytes
      throw error
    }
    // It may be over: what it held has been given back already.
    if (this.#isOver) this.#pool.add(-bytes)
    else this.#bytes += bytes
  }

  /** Counts what has come, in the place of what was reserved for it. @throws QUERY_OVER_LIMIT */
  settle(bytes: number, reserved = 0): void {
    if (this.#isOver) return
    this.check(bytes - reserved)
    this.#budget.bytes += bytes - reserved
    this.#bytes += bytes - reserved
    this.#pool.add(bytes - reserved)
  }

  /** What it was asked for, unless its time is over before. @throws QUERY_TOO_SLOW */
  async within<Result>(work: Promise<Result>): Promise<Result> {
    return withinTime(work, this.leftMs, () => tooSlow(this.#pool.timeoutMs))
  }

  /** Gives back what it holds, once. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#pool.add(-this.#bytes)
  }

  /**
   * Whether it may go on, with so many bytes more.
   * @throws QUERY_OVER_LIMIT where the operation would hold too much, or would have before; QUERY_TOO_SLOW where it is over
   */
  check(bytes = 0): void {
    if (this.#isOver) throw tooSlow(this.#pool.timeoutMs)
    if (this.#budget.refusal === null && (bytes <= 0 || this.fits(bytes))) return
    this.#budget.refusal ??= overLimit(this.#pool.operationBytesMax)
    throw this.#budget.refusal
  }
}

function overLimit(bytesMax: number): GraphQLError {
  return graphqlError('QUERY_OVER_LIMIT', `The operation reads more than ${bytesMax} bytes.`, {
    hint: 'Ask for fewer rows at a time: say `take`.',
  })
}

function tooSlow(timeoutMs: number): GraphQLError {
  return graphqlError('QUERY_TOO_SLOW', `Reading takes longer than ${timeoutMs} ms.`)
}

/** An operation that a server executes. */
interface ExecutedOperation {
  /** Null until it reads. */
  reads: OperationReads | null
  /** Nobody waits for it any more: what it has not read yet is not read. */
  isAbandoned: boolean
}

/** All of them, by their GraphQL context. */
const operations = new WeakMap<object, ExecutedOperation>()

/** From now on what is read with this context is one operation's. Returns what gives back what it holds. */
export function beginOperation(context: unknown): () => void {
  if (typeof context !== 'object' || context === null) return () => undefined
  const operation: ExecutedOperation = { reads: null, isAbandoned: false }
  operations.set(context, operation)
  return () => {
    // What has no result yet, and nobody waits for, goes on: it is to read nothing as an operation of its own.
    if (!operation.isAbandoned) operations.delete(context)
    operation.reads?.end()
  }
}

/** Nobody waits for the operation of the context any more; nothing happens where it has its result. */
export function abandonOperation(context: unknown): void {
  const operation = operationOf(context)
  if (operation === undefined) return
  operation.isAbandoned = true
  operation.reads?.end()
}

function operationOf(context: unknown): ExecutedOperation | undefined {
  return typeof context === 'object' && context !== null ? operations.get(context) : undefined
}

/** Runs it as part of the context's operation; as one of its own where nobody has begun one. */
export async function readAs<Result>(
  pool: ReadPool,
  context: unknown,
  read: (reads: OperationReads) => Promise<Result>,
): Promise<Result> {
  const operation = operationOf(context)
  if (operation !== undefined) {
    operation.reads ??= pool.open()
    if (operation.isAbandoned) operation.reads.end()
    return operation.reads.within(read(operation.reads))
  }
  const reads = pool.open()
  try {
    return await reads.within(read(reads))
  } finally {
    reads.end()
  }
}
