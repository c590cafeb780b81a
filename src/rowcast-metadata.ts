/**
 * Beside the spine. `prisma.$extends(rowcastMetadata(() => ({ actor, mutationId })))`: each transaction that writes through the
 * client says whose it is, in one logical message before its first write. A write without a transaction gets one. What goes
 * wrong with it costs the metadata, and never the write.
 */
import { requestsOfPrisma } from './catalog/prisma-runtime.ts'
import { isValueDeeper } from './catalog/values/json-depth.ts'
import { METADATA_BYTES_MAX, METADATA_DEPTH_MAX, METADATA_PREFIX } from './changes/transaction-metadata.ts'
import { createConsoleLogger } from './console-logger.ts'
import { describeError } from './describe-error.ts'
import { createSafeLogger } from './guard.ts'
import type { Logger } from './logger.ts'
import { isThenable } from './metadata-schema.ts'
import {
  isPrelude,
  isWrite,
  mayWrite,
  type PrismaCall,
  type PrismaRequest,
  type PrismaTransaction,
} from './prisma-writes.ts'
import { TransactionMessages, transactionOf, type Work } from './transaction-messages.ts'

/** How metadata is written. */
export interface RowcastMetadataOptions {
  /** Where is logged why a transaction has none. @default warnings, on the console */
  readonly logger?: Logger | undefined
}

type Nothing = Record<never, never>

/** What a client that is extended so has beside: nothing. */
export interface MetadataExtension {
  readonly $extends: { readonly extArgs: Record<'result' | 'model' | 'query' | 'client', Nothing> }
}

/** What the extension needs of a client. */
interface Client {
  $extends(extension: object): unknown
  $transaction(work: (tx: Client) => Promise<unknown>, options?: object): Promise<unknown>
  $executeRawUnsafe(sql: string, ...values: readonly unknown[]): PrismaRequest
  $queryRawUnsafe(sql: string, ...values: readonly unknown[]): PrismaRequest
}

type Transact = (this: object, work: unknown, options?: object) => Promise<unknown>

/** A write that had no transaction had no deadline: the one that it gets has none either. The longest that a timer takes. */
const NO_DEADLINE = { maxWait: 2_147_483_647, timeout: 2_147_483_647 }

const EMIT_SQL = 'SELECT pg_catalog.pg_logical_emit_message(true, $1::text, $2::text)'
/** Without the right the statement would fail, and the application's transaction with it. */
const MAY_EMIT_SQL = `SELECT coalesce(bool_or(has_function_privilege(oid, 'EXECUTE')), false) AS may,
  pg_catalog.pg_is_in_recovery() AS standby FROM pg_catalog.pg_proc
  WHERE proname = 'pg_logical_emit_message' AND pronamespace = 'pg_catalog'::regnamespace AND proargtypes[2] = 'text'::regtype`

/**
 * The extension. `read` is called once for each transaction that writes, with all that are nested in it, when it first does; null or
 * undefined: it says nothing.
 * What it gives becomes JSON, of at most 8,192 bytes. docs/metadata.md says what it costs.
 */
export function rowcastMetadata(
  read: () => object | null | undefined,
  { logger = createConsoleLogger() }: RowcastMetadataOptions = {},
): (client: unknown) => MetadataExtension {
  return (client) => extend(client as Client, new MetadataWriter(read, createSafeLogger(logger)))
}

function extend(client: Client, writer: MetadataWriter): MetadataExtension {
  if (requestsOfPrisma(client) === undefined) return writer.giveUp(client)
  const transact = client.$transaction as Transact
  return client.$extends({
    name: 'rowcastMetadata',
    client: {
      ...rawMethods(client, writer.preludes),
      // A list's members run one after the other, so the message has to be one of them.
      async $transaction(this: object, work: unknown, options?: object): Promise<unknown> {
        const outer = await transactionOf(this)
        const run = (all: unknown) => transact.call(this, all, options)
        if (typeof work === 'function') return writer.nested.transact(outer, work as Work, run)
        // Within a transaction its members are calls of that.
        return Array.isArray(work) && outer === undefined ? writer.transactAll(client, work, run) : run(work)
      },
    },
    query: {
      $allOperations: (call: PrismaCall) => {
        const transaction = call.__internalParams?.transaction
        if (transaction?.kind === 'itx') return writer.runWithin(client, transaction, call)
        return transaction !== undefined || !isWrite(call)
          ? call.query(call.args)
          : writer.writeAlone(client, call)
      },
    },
  }) as MetadataExtension
}

const RAW_METHODS = ['$executeRaw', '$executeRawUnsafe', '$queryRaw', '$queryRawUnsafe'] as const

type RawMethod = (this: object, ...given: readonly unknown[]) => object

/** Requests of raw SQL do not say what they are: those that have to come first in a list are noted as they are made. */
function rawMethods(client: Client, preludes: WeakSet<object>): Record<string, RawMethod> {
  const noting = (name: (typeof RAW_METHODS)[number]): RawMethod => {
    const make = Reflect.get(client, name) as RawMethod
    return function (...given) {
      const request: object = Reflect.apply(make, this, given)
      if (isPrelude(given)) preludes.add(request)
      return request
    }
  }
  return Object.fromEntries(RAW_METHODS.map((name) => [name, noting(name)]))
}

/** Writes messages; one for each extended client. */
class MetadataWriter {
  /** What stands in transactions that are written call by call. */
  readonly nested = new TransactionMessages()
  /** Requests that have to stand before the message. */
  readonly preludes = new WeakSet<object>()
  readonly #read: () => object | null | undefined
  readonly #logger: Logger
  /** Whether the role may write messages, once PostgreSQL has said so. */
  #mayEmit: boolean | null = null

  constructor(read: () => object | null | undefined, logger: Logger) {
    this.#read = read
    this.#logger = logger
  }

  /** Of a client that is made otherwise than those we know. */
  giveUp(client: Client): MetadataExtension {
    this.#logger.warn('Transactions have no metadata: this Prisma Client is none of version 6 or 7.')
    return client.$extends({ name: 'rowcastMetadata' }) as MetadataExtension
  }

  /** A write without a transaction: the message and the write become one. */
  async writeAlone(client: Client, { args, query, __internalParams }: PrismaCall): Promise<unknown> {
    const text = this.#mayEmit === false ? null : this.#text()
    if (text === null) return query(args)
    let isWriting = false
    try {
      return await client.$transaction(async (tx) => {
        const transaction = await transactionOf(tx)
        if (transaction === undefined)
          throw new TypeError('The Prisma Client does not say which transaction it is in.')
        await this.#emit(client, transaction, text)
        isWriting = true
        return query(args, { ...__internalParams, transaction })
      }, NO_DEADLINE)
    } catch (error) {
      if (isWriting) throw error
      this.#skip('could not be written', error)
      return query(args)
    }
  }

  /** A call within `$transaction(async (tx) => …)`. */
  runWithin(client: Client, transaction: PrismaTransaction, call: PrismaCall): PromiseLike<unknown> {
    return this.nested.run(transaction, call, {
      text: () => (this.#mayEmit === false ? null : this.#text()),
      emit: (text) => this.#emit(client, transaction, text),
    })
  }

  /** The members of `$transaction([…])`, and the message before the first that may write. */
  async transactAll(
    client: Client,
    work: readonly unknown[],
    run: (all: readonly unknown[]) => Promise<unknown>,
  ): Promise<unknown> {
    const at = work.findIndex((each) => mayWrite(each) && !this.preludes.has(each as object))
    const text = at < 0 || this.#mayEmit === false ? null : this.#text()
    if (text === null || !(await this.#mayEmitBeside(client))) return run(work)
    const message = client.$executeRawUnsafe(EMIT_SQL, METADATA_PREFIX, text)
    try {
      const results = await run([...work.slice(0, at), message, ...work.slice(at)])
      return (results as readonly unknown[]).filter((_, index) => index !== at)
    } catch (error) {
      throw countedWithout(at, error)
    }
  }

  /** Beside the transaction that needs it, which it must not fail. */
  async #mayEmitBeside(client: Client): Promise<boolean> {
    try {
      return await this.#mayEmitNow((sql) => client.$queryRawUnsafe(sql))
    } catch (error) {
      this.#skip('could not be written', error)
      return false
    }
  }

  async #emit(client: Client, transaction: PrismaTransaction, text: string): Promise<void> {
    const within = (request: PrismaRequest) => request.requestTransaction(transaction)
    if (!(await this.#mayEmitNow((sql) => within(client.$queryRawUnsafe(sql))))) return
    await within(client.$executeRawUnsafe(EMIT_SQL, METADATA_PREFIX, text))
  }

  /** Asks once, in the transaction that needs it: there may be no other connection. */
  async #mayEmitNow(ask: (sql: string) => PromiseLike<unknown>): Promise<boolean> {
    if (this.#mayEmit !== null) return this.#mayEmit
    const [row] = (await ask(MAY_EMIT_SQL)) as readonly { readonly may: boolean; readonly standby: boolean }[]
    // It refuses messages, and may be a primary the next time.
    if (row?.standby === true) return false
    this.#mayEmit = row?.may === true
    if (!this.#mayEmit)
      this.#logger.warn('Transactions have no metadata: the role may not write messages.', {
        hint: 'GRANT EXECUTE ON FUNCTION pg_logical_emit_message to the role that the application connects as.',
      })
    return this.#mayEmit
  }

  /** As JSON in ASCII, so that no encoding of a database changes it; null where there is none. */
  #text(): string | null {
    try {
      const metadata = this.#read()
      if (metadata === null || metadata === undefined) return null
      if (isThenable(metadata)) {
        // Nobody waits for it; what it rejects with must not end the process.
        metadata.then(undefined, () => {})
        return this.#skip('is a promise')
      }
      if (isValueDeeper(metadata, METADATA_DEPTH_MAX)) return this.#skip('is nested too deeply')
      const json: unknown = JSON.stringify(metadata)
      if (typeof json !== 'string' || !json.startsWith('{')) return this.#skip('is no object')
      const text = json.replace(/[^\x20-\x7e]/g, escapeUnit)
      return text.length > METADATA_BYTES_MAX ? this.#skip(`has more than ${METADATA_BYTES_MAX} bytes`) : text
    } catch (error) {
      return this.#skip('could not be had', error)
    }
  }

  #skip(why: string, error?: unknown): null {
    const fields = error === undefined ? {} : describeError(error)
    this.#logger.warn(`A transaction has no metadata: what the application gives ${why}.`, fields)
    return null
  }
}

/** Prisma says of an error which member of the list failed: counted without the message at the index. */
function countedWithout(at: number, error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error
  const index: unknown = Reflect.get(error, 'batchRequestIdx')
  if (typeof index === 'number' && index > at) Reflect.set(error, 'batchRequestIdx', index - 1)
  return error
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
