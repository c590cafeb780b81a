/**
 * Stage 7, graphql. How many statements GraphQL may have at a time, and how long one may take. The bound is for each model,
 * so that a table that is locked takes no connections from the others.
 */
import { memberOf } from '../../member-of.ts'
import { graphqlError } from '../graphql-errors.ts'

/** Statements of one model at a time. */
const STATEMENTS_MAX = 4
/** Statements of one model that wait; what comes beyond them is as good as late. */
const WAITING_MAX = 50_000
/** SQLSTATE of `statement_timeout` and of a cancel request. PostgreSQL manual, appendix A, class 57. */
const QUERY_CANCELED = '57014'

/** For waiting and reading together. */
const TIMEOUT_MS = 10_000

/** The gates of all models. */
export class StatementGates {
  readonly #timeoutMs: number
  readonly #gates = new Map<string, Gate>()

  /** @param timeoutMs for waiting and reading together. @default 10_000 // 10 s */
  constructor(timeoutMs = TIMEOUT_MS) {
    this.#timeoutMs = timeoutMs
  }

  /**
   * Runs the statement once there is room for it.
   * @param leftMs what is left of the time of the operation that it is for @default the whole time
   * @throws QUERY_TOO_SLOW when it has no result in time
   */
  async run<Result>(
    model: string,
    statement: () => Promise<Result>,
    leftMs: number = this.#timeoutMs,
  ): Promise<Result> {
    const gate = this.#gates.get(model) ?? new Gate()
    this.#gates.set(model, gate)
    try {
      return await gate.run(statement, leftMs)
    } catch (error) {
      throw this.errorOf(model, error)
    }
  }

  /** What a statement failed with, as clients may read it where it was too slow. */
  errorOf(model: string, error: unknown): unknown {
    if (error !== LATE && !isCanceled(error)) return error
    return graphqlError('QUERY_TOO_SLOW', `Reading rows of ${model} takes longer than ${this.#timeoutMs} ms.`)
  }
}

/** Whether PostgreSQL itself has given the statement up. */
function isCanceled(error: unknown): boolean {
  return sqlStatesOf(error).includes(QUERY_CANCELED)
}

/** SQLSTATE classes of what is over some time: connection, resources, locks, operators. PostgreSQL manual, appendix A. */
const PASSING_CLASSES: ReadonlySet<string> = new Set(['08', '40', '53', '55', '57', '58'])
/** Prisma's codes of the same: no connection, none in time, none left in the pool. */
const PASSING_CODES = /^P(?:1\d\d\d|2024|2028)$/

/** Whether the same statement may be answered another time. */
export function isPassing(error: unknown): boolean {
  if (sqlStatesOf(error).some((state) => PASSING_CLASSES.has(state.slice(0, 2)))) return true
  return PASSING_CODES.test(String(memberOf(error, 'code')))
}

/** SQLSTATE class of a value that its type does not take: a zero byte, an ID out of range. PostgreSQL manual, appendix A. */
const DATA_EXCEPTION = '22'

/** Whether a value is at fault that the statement was asked with: with other values it may be answered. */
export function isOfValue(error: unknown): boolean {
  return sqlStatesOf(error).some((state) => state.startsWith(DATA_EXCEPTION))
}

function sqlStatesOf(error: unknown): readonly string[] {
  const fault = ['meta', 'driverAdapterError', 'cause'].reduce(memberOf, error)
  return ['originalCode', 'code'].map((name) => String(memberOf(fault, name)))
}

/** Not an error that anybody sees. */
const LATE: unique symbol = Symbol('rowcast.late')

/** A statement that waits for its turn, unless it has waited too long. */
interface GatedStatement {
  isLate: boolean
  readonly begin: () => void
}

/** At most so many statements at a time; the others wait, all of them for a bounded time. */
class Gate {
  readonly #waiting: GatedStatement[] = []
  #running = 0

  run<Result>(statement: () => Promise<Result>, leftMs: number): Promise<Result> {
    if (this.#waiting.length >= WAITING_MAX || leftMs <= 0) return Promise.reject(LATE)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        gated.isLate = true
        this.#forgetLate()
        reject(LATE)
      }, leftMs)
      const begin = () => {
        this.#running += 1
        // Its connection is taken until it ends, however late that is.
        void this.#settle(statement, resolve, reject).then(() => {
          clearTimeout(timer)
          this.#running -= 1
          this.#next()
        })
      }
      const gated: GatedStatement = { isLate: false, begin }
      this.#waiting.push(gated)
      this.#next()
    })
  }

  async #settle<Result>(
    statement: () => Promise<Result>,
    resolve: (result: Result) => void,
    reject: (error: unknown) => void,
  ): Promise<void> {
    try {
      resolve(await statement())
    } catch (error) {
      reject(error)
    }
  }

  #next(): void {
    this.#forgetLate()
    if (this.#running < STATEMENTS_MAX) this.#waiting.shift()?.begin()
  }

  /** Nobody waits for them any more: a table may be locked for hours. */
  #forgetLate(): void {
    while (this.#waiting[0]?.isLate === true) this.#waiting.shift()
  }
}
