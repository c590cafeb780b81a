/**
 * Stage 7, graphql. Rows that are looked up by a unique key. Prisma Client makes one statement of those that are asked for in one
 * turn with the same selection; so they have their turn together, as the one statement that they are.
 */
import { canonicalText } from '../../catalog/values/canonical-text.ts'
import type { HandOuts } from './hand-outs.ts'
import type { OperationReads, ReadPool } from './read-pool.ts'
import { bytesOf } from './row-weights.ts'
import { isOfValue, type StatementGates } from './statement-gate.ts'

type Query = Readonly<Record<string, unknown>>

interface Waiting {
  readonly read: () => Promise<unknown>
  readonly where: Query
  readonly query: Query
  readonly reads: OperationReads
  resolve(row: unknown, bytes: number): void
  reject(error: unknown): void
}

/** Rows of one statement. */
const ROWS_MAX = 500
/** So few rows are read without asking first how large they are. */
export const FEW_ROWS = 4
/** What is reserved for them. */
export const FEW_ROWS_BYTES = 64 * 1024

/** What look-ups need. */
export interface UniqueReadsOptions {
  readonly gates: StatementGates
  readonly pool: ReadPool
  readonly handOuts: HandOuts
  /** The bytes of the rows with these unique keys; null where that cannot be asked. */
  readonly weigh: (model: string, keys: readonly Query[], query: Query) => Promise<number | null>
}

/** The look-ups of one client. */
export class UniqueReads {
  readonly #options: UniqueReadsOptions
  #groups = new Map<string, Waiting[]>()

  constructor(options: UniqueReadsOptions) {
    this.#options = options
  }

  /** The row; `read` asks Prisma Client for it. @throws QUERY_TOO_SLOW, QUERY_OVER_LIMIT, and what `read` throws */
  find(model: string, query: Query, reads: OperationReads, read: () => Promise<unknown>): Promise<unknown> {
    const { where, ...rest } = query
    const shape = canonicalText(rest)
    if (shape === null) return this.#options.gates.run(model, read, reads.leftMs)
    const name = JSON.stringify([model, Object.keys(Object(where)), shape])
    return new Promise((settle, reject) => {
      const resolve = (row: unknown, bytes: number) => {
        const give = async () => settle(row)
        this.#options.handOuts.add(reads, { bytes, isCharged: true, give, refuse: reject })
      }
      if (this.#groups.size === 0) setImmediate(() => this.#flush())
      const group = this.#groups.get(name) ?? []
      this.#groups.set(name, group)
      group.push({ ...{ read, reads, query: rest, where: Object(where) }, resolve, reject })
    })
  }

  #flush(): void {
    const groups = this.#groups
    this.#groups = new Map()
    for (const [name, group] of groups) {
      const [model] = JSON.parse(name) as [string]
      for (let at = 0; at < group.length; at += ROWS_MAX)
        void this.#run(model, group.slice(at, at + ROWS_MAX))
    }
  }

  /** Never rejects. */
  async #run(model: string, asked: readonly Waiting[]): Promise<void> {
    const group = asked.filter(isGoing)
    if (group.length === 0) return
    const { gates, pool } = this.#options
    const reads = pool.open()
    try {
      const bytes = group.length <= FEW_ROWS ? FEW_ROWS_BYTES : await this.#weigh(model, group)
      if (!reads.fits(bytes)) return await this.#runHalves(model, group)
      await reads.reserve(bytes)
      const rows = await gates.run(
        model,
        () => Promise.allSettled(group.map(({ read }) => read())),
        reads.leftMs,
      )
      const suspects: Waiting[] = []
      for (const [index, row] of rows.entries()) {
        const waiting = group[index]
        if (row.status === 'fulfilled') settle(waiting, row.value)
        else if (waiting !== undefined && group.length > 1 && isOfValue(row.reason)) suspects.push(waiting)
        else waiting?.reject(gates.errorOf(model, row.reason))
      }
      reads.end()
      // One key that its column does not take fails the statement of all: the others are not to be without their rows.
      if (suspects.length > 0) await this.#runHalves(model, suspects)
    } catch (error) {
      for (const { reject } of group) reject(error)
    } finally {
      reads.end()
    }
  }

  async #runHalves(model: string, group: readonly Waiting[]): Promise<void> {
    const middle = Math.ceil(group.length / 2)
    await this.#run(model, group.slice(0, middle))
    await this.#run(model, group.slice(middle))
  }

  async #weigh(model: string, group: readonly Waiting[]): Promise<number> {
    const keys = group.map(({ where }) => where)
    return (await this.#options.weigh(model, keys, group[0]?.query ?? {})) ?? FEW_ROWS_BYTES
  }
}

/** Whether its operation still wants the row; otherwise it is refused. */
function isGoing({ reads, reject }: Waiting): boolean {
  try {
    reads.check()
    return true
  } catch (error) {
    reject(error)
    return false
  }
}

/** The row counts for the operation that has asked for it. */
function settle(waiting: Waiting | undefined, row: unknown): void {
  try {
    const bytes = bytesOf(row)
    waiting?.reads.settle(bytes)
    waiting?.resolve(row, bytes)
  } catch (error) {
    waiting?.reject(error)
  }
}
