/**
 * A Prisma Client on the model of PostgreSQL: transactions of isolation level Repeatable Read that see what their snapshot sees,
 * statements that take their time, and connections that break or say nothing any more.
 */
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { delegateName } from '../../src/catalog/prisma-omit.ts'
import type { Random } from '../chaos/random.ts'
import { formatLsn } from './catalog-answers.ts'
import type { Database, Row, Sight } from './database.ts'
import { findRows, type RowsQuery } from './rows-where.ts'
import type { Server } from './server.ts'
import type { Site } from './site.ts'

/** What it runs on. */
export interface ModelClientParts {
  readonly site: Site
  readonly catalog: ModelCatalog
  readonly random: Random
  /** Milliseconds that a statement is under way at most. */
  readonly latencyMs: number
  /** Whether connections break, by now. */
  readonly isBreaking: () => boolean
}

type Answer = readonly Readonly<Record<string, unknown>>[]

interface TransactionOptions {
  readonly timeout: number
}

const LOCK_RETRY_MS = 5

/** The client, as far as rowcast uses one. */
export interface ModelClient {
  $queryRawUnsafe(text: string, ...values: unknown[]): Promise<Answer>
  $transaction<Result>(
    run: (session: object) => Promise<Result>,
    options: TransactionOptions,
  ): Promise<Result>
}

/** A client of its own for a process. */
export function createModelClient(parts: ModelClientParts): ModelClient {
  const delegates = Object.keys(parts.catalog.models).map((model) => [
    delegateName(model),
    { findMany: (query: RowsQuery) => findAtOnce(parts, model, query) },
  ])
  return {
    ...Object.fromEntries(delegates),
    async $queryRawUnsafe(text, ...values) {
      const session = new Session(parts)
      return session.query(text, values)
    },
    async $transaction(run, { timeout }) {
      const session = new Session(parts)
      let isLate: (error: Error) => void = () => {}
      const late = new Promise<never>((_, reject) => {
        isLate = reject
      })
      const timer = setTimeout(() => isLate(new Error('Transaction API error: it takes too long.')), timeout)
      try {
        return await Promise.race([run(session.face), late])
      } finally {
        clearTimeout(timer)
        session.end()
      }
    },
  }
}

/** A statement that is a transaction. */
async function findAtOnce(parts: ModelClientParts, model: string, query: RowsQuery): Promise<readonly Row[]> {
  const session = new Session(parts)
  try {
    return await session.find(model, query)
  } finally {
    session.end()
  }
}

/** A connection, in a transaction. */
class Session {
  readonly #parts: ModelClientParts
  readonly #server: Server
  readonly #crashes: number
  readonly #read = new Set<string>()
  #sight: Sight | null = null
  #isOver = false

  constructor(parts: ModelClientParts) {
    this.#parts = parts
    this.#server = parts.site.server
    this.#crashes = this.#server.crashes
  }

  get #database(): Database {
    return this.#server.database
  }

  /** What is called within a transaction. */
  get face(): object {
    const { catalog } = this.#parts
    const delegates = Object.keys(catalog.models).map((model) => [
      delegateName(model),
      {
        findMany: (query: RowsQuery) => this.find(model, query),
        count: async (query: RowsQuery) => (await this.find(model, query)).length,
        aggregate: async (query: RowsQuery) => totalsOf(await this.find(model, query), query),
      },
    ])
    return { ...Object.fromEntries(delegates), $queryRawUnsafe: (text: string) => this.query(text) }
  }

  async query(text: string, values: readonly unknown[] = []): Promise<Answer> {
    await this.#hop()
    const { rewritten, database } = { rewritten: this.#isRewritten(), database: this.#database }
    this.#sight ??= database.see()
    const lsn = formatLsn(database.endLsn)
    const snapshot = this.#sight.text
    await this.#hop()
    if (text.includes(' AS stamp'))
      return (JSON.parse(String(values[0])) as Answer).map(({ model }) => ({
        model,
        stamp: this.#stampOf(String(model)),
      }))
    if (text.includes(' AS rewritten')) return [{ rewritten }]
    if (text.includes(' AS snapshot') || text.includes(' AS lsn')) return [{ snapshot, lsn }]
    throw new Error(`The model of PostgreSQL has no answer to: ${text}`)
  }

  end(): void {
    this.#isOver = true
    for (const model of this.#read) this.#database.lockForRead(model, false)
    this.#read.clear()
  }

  async find(model: string, query: RowsQuery): Promise<readonly Row[]> {
    await this.#hop()
    const { catalog } = this.#parts
    for (const each of Object.keys(catalog.models)) await this.#lock(each)
    if (!Object.keys(catalog.models).every((each) => this.#database.fits(each))) throw columnMissing()
    this.#sight ??= this.#database.see()
    const sight = this.#sight
    const rowsOf = (name: string) => this.#database.rowsSeen(name, sight)
    const found = findRows({ catalog, rowsOf }, model, query).map((row) => ({ ...row }))
    await this.#hop()
    return found
  }

  /** TRUNCATE, and whatever rewrites a table, lets nobody read it until it can be seen. */
  async #lock(model: string): Promise<void> {
    while (this.#database.isRewriting(model)) await this.#after(LOCK_RETRY_MS)
    if (this.#read.has(model) || this.#isOver) return
    this.#read.add(model)
    this.#database.lockForRead(model, true)
  }

  #stampOf(model: string): string {
    return JSON.stringify(this.#database.tables.get(model)?.columns)
  }

  #isRewritten(): boolean {
    const sight = this.#sight
    return (
      sight !== null &&
      [...this.#read].some(
        (model) => this.#database.tables.get(model)?.fileNode !== sight.fileNodes.get(model),
      )
    )
  }

  async #hop(): Promise<void> {
    const { random, latencyMs, isBreaking } = this.#parts
    const fate = random.integer(0, 999)
    // Nothing is heard any more, or the connection is reset.
    if (isBreaking() && fate < 4) await new Promise(() => {})
    await this.#after(random.integer(0, latencyMs))
    if (isBreaking() && fate < 10) throw unreachable()
  }

  async #after(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms))
    if (!this.#server.isUp || this.#server.crashes !== this.#crashes) throw unreachable()
  }
}

function unreachable(): Error {
  return Object.assign(new Error("Can't reach database server."), { code: 'P1001' })
}

function columnMissing(): Error {
  return Object.assign(new Error('The column does not exist in the current database.'), { code: 'P2022' })
}

/** `aggregate`, of whole numbers. */
function totalsOf(rows: readonly Row[], query: object): object {
  const parts = query as Readonly<Record<string, Readonly<Record<string, true>> | undefined>>
  const valuesOf = (name: string) => rows.flatMap((row) => row[name] ?? [])
  const of = (part: string, total: (values: readonly (number | string)[]) => unknown) =>
    Object.fromEntries(Object.keys(parts[part] ?? {}).map((name) => [name, total(valuesOf(name))]))
  return {
    _count: { ...of('_count', (values) => values.length), _all: rows.length },
    _sum: of('_sum', (all) =>
      all.length === 0 ? null : all.reduce((sum: number, each) => sum + Number(each), 0),
    ),
    _min: of('_min', (all) => (all.length === 0 ? null : Math.min(...all.map(Number)))),
    _max: of('_max', (all) => (all.length === 0 ? null : Math.max(...all.map(Number)))),
  }
}
