/**
 * Beside the spine. Which calls of a Prisma Client write, and how a statement gets into the transaction of another: what Prisma's
 * query extensions (6 and 7) are called with beyond what is documented, for rowcast-metadata.ts. Pure.
 */

/** A transaction of the client's, as its requests carry it. */
export interface PrismaTransaction {
  readonly kind: 'itx' | 'batch'
}

/** What a query extension is called with. */
export interface PrismaCall {
  readonly model?: string | undefined
  readonly operation: string
  readonly args: unknown
  /** Runs it, with the inner parameters given. */
  query(args: unknown, params?: PrismaParams): PromiseLike<unknown>
  readonly __internalParams?: PrismaParams | undefined
}

/** What Prisma hands from one extension to the next. */
export interface PrismaParams {
  readonly transaction?: PrismaTransaction | undefined
}

/** What the client returns: it runs when it is awaited, or in the transaction that it is given. */
export interface PrismaRequest extends PromiseLike<unknown> {
  /** Of a call of a model. */
  readonly spec?: { readonly action: string } | undefined
  requestTransaction(transaction: PrismaTransaction): PromiseLike<unknown>
}

const READS: ReadonlySet<string> = new Set([
  ...['findUnique', 'findUniqueOrThrow', 'findFirst', 'findFirstOrThrow', 'findMany'],
  ...['count', 'aggregate', 'groupBy', 'findRaw', 'aggregateRaw'],
])
const WRITING = new Set(['insert', 'update', 'delete', 'merge', 'truncate'])
/** What has to come before any query of its transaction (SET TRANSACTION), or before its snapshot is taken (LOCK). */
const PRELUDES = new Set(['set', 'lock'])
/** Space, comments and parentheses may stand before the first word. Nothing here is tried twice at one position. */
const BEFORE_WORD = /(?:[\s(;]|--[^\n]*(?:\n|$)|\/\*[^*]*\*+(?:[^/*][^*]*\*+)*\/)*/y
const WORD = /[a-z_]+/iy

/** Whether a call writes, as far as its name or its SQL says: a function that a SELECT calls may write unseen. */
export function isWrite({
  model,
  operation,
  args,
}: Pick<PrismaCall, 'model' | 'operation' | 'args'>): boolean {
  if (model !== undefined) return !READS.has(operation)
  const sql = sqlOf(args)
  return sql !== null && isWritingSql(sql)
}

/** Whether a request that has not run yet may write; of raw SQL nobody knows. */
export function mayWrite(request: unknown): boolean {
  const action = (request as Partial<PrismaRequest> | null)?.spec?.action
  return action === undefined || !READS.has(action)
}

/**
 * Whether a statement writes rows and may stand in a transaction. Others may not (VACUUM, CREATE INDEX CONCURRENTLY, procedures that
 * commit), or have to be its first (SET TRANSACTION).
 */
export function isWritingSql(sql: string): boolean {
  const first = firstWordOf(sql)
  if (WRITING.has(first)) return true
  return first === 'with' && (sql.match(/[a-z_]+/gi) ?? []).some((word) => WRITING.has(word.toLowerCase()))
}

/** Whether what a raw method is called with has to stand before any other query of its transaction. */
export function isPrelude(given: readonly unknown[]): boolean {
  const sql = sqlOf(given)
  return sql !== null && PRELUDES.has(firstWordOf(sql))
}

/** Whether a call is SQL that rolls back: to a savepoint, in what goes on. */
export function isRollback({ model, args }: Pick<PrismaCall, 'model' | 'args'>): boolean {
  const sql = model === undefined ? sqlOf(args) : null
  return sql !== null && firstWordOf(sql) === 'rollback'
}

function firstWordOf(sql: string): string {
  BEFORE_WORD.lastIndex = 0
  BEFORE_WORD.exec(sql)
  WORD.lastIndex = BEFORE_WORD.lastIndex
  return WORD.exec(sql)?.[0].toLowerCase() ?? ''
}

/** `$executeRaw` has an object with `sql`, or tagged text; `$executeRawUnsafe` a list that begins with its text. */
function sqlOf(args: unknown): string | null {
  if (typeof args === 'string') return args
  if (typeof args !== 'object' || args === null) return null
  if (Array.isArray(args)) return args.length === 0 ? null : sqlOf(args[0])
  const { sql, strings } = args as { readonly sql?: unknown; readonly strings?: unknown }
  if (typeof sql === 'string') return sql
  return Array.isArray(strings) ? strings.join(' ') : null
}
