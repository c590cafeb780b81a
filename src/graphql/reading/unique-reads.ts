/**
 * Stage 7, graphql. Rows that are looked up by a unique key. Prisma Client makes one statement of those that are asked for in one
 * turn with the same selection; so they have their turn together, as the one statement that they are.
 */
import { canonicalText } from '../policy/canonical-text.ts'
import type { StatementGates } from './statement-gate.ts'

type Query = Readonly<Record<string, unknown>>

interface Waiting {
  readonly read: () => Promise<unknown>
  resolve(row: unknown): void
  reject(error: unknown): void
}

/** Rows of one statement. */
const ROWS_MAX = 500

/** The look-ups of one client. */
export class UniqueReads {
  readonly #gates: StatementGates
  #groups = new Map<string, Waiting[]>()

  constructor(gates: StatementGates) {
    this.#gates = gates
  }

  /** The row; `read` asks Prisma Client for it. @throws QUERY_TOO_SLOW, and what `read` throws */
  find(model: string, query: Query, read: () => Promise<unknown>): Promise<unknown> {
    const { where, ...rest } = query
    const shape = canonicalText(rest)
    if (shape === null) return this.#gates.run(model, read)
    const name = JSON.stringify([model, Object.keys(Object(where)), shape])
    return new Promise((resolve, reject) => {
      if (this.#groups.size === 0) setImmediate(() => this.#flush())
      const group = this.#groups.get(name)
      if (group === undefined) this.#groups.set(name, [{ read, resolve, reject }])
      else group.push({ read, resolve, reject })
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
  async #run(model: string, group: readonly Waiting[]): Promise<void> {
    try {
      const rows = await this.#gates.run(model, () => Promise.allSettled(group.map(({ read }) => read())))
      for (const [index, row] of rows.entries()) {
        if (row.status === 'fulfilled') group[index]?.resolve(row.value)
        else group[index]?.reject(this.#gates.errorOf(model, row.reason))
      }
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }
}
