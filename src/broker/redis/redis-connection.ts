/**
 * Beside the bus, broker. One connection to Redis (or Valkey), and the only importer of its client. It does not
 * reconnect: whoever uses it has to look at what the server still has, first.
 */
import { Buffer } from 'node:buffer'
import { RowcastError } from '../../errors.ts'
import { contain } from '../../guard.ts'
import { ANSWER_TIMEOUT_MS } from '../../wire/driver-target.ts'
import { tlsFaultOf } from '../../wire/tls-faults.ts'

/** What Redis answers; texts come as bytes, errors within an answer as Error. */
export type RedisReply = Buffer | string | number | bigint | null | Error | readonly RedisReply[]

/** An open connection. */
export interface RedisConnection {
  /**
   * Sends a command; commands of one turn leave together, answers come in their order.
   * @throws BROKER_LOST, BROKER_OUT_OF_MEMORY, BROKER_REFUSED
   */
  send(args: readonly (string | Buffer)[]): Promise<RedisReply>
  readonly isOpen: boolean
  /** Host and port. */
  readonly address: string
  /** Ends it at once; what was sent may or may not have arrived. */
  destroy(): void
}

/** How to connect. */
export interface RedisConnectionOptions {
  readonly url: string
  /** What `CLIENT LIST` shows. */
  readonly name: string
  /**
   * How long the server may take to let us in, and for each answer: one that is later is none, and the connection is ended.
   * @default 10_000 // 10 s
   */
  readonly answerTimeoutMs?: number | undefined
  /** Ends it, also while it is being opened. */
  readonly signal?: AbortSignal | undefined
  /** Called once when it ends, whoever ended it. */
  readonly onEnd?: (() => void) | undefined
}

/** Opens one. @throws BROKER_UNREACHABLE, BROKER_REFUSED */
export async function openRedisConnection(options: RedisConnectionOptions): Promise<RedisConnection> {
  // By names: `npm run build` reads here what to bundle of the package.
  const { createClient, RESP_TYPES } = await import('@redis/client')
  const connection = new DriverConnection(createDriver({ createClient, RESP_TYPES }, options), options)
  await connection.open()
  return connection
}

/** The driver's client, and the same client with texts as bytes. */
function createDriver(
  { createClient, RESP_TYPES }: Pick<typeof import('@redis/client'), 'createClient' | 'RESP_TYPES'>,
  options: RedisConnectionOptions,
) {
  const base = createClient({
    url: options.url,
    name: options.name,
    RESP: 2,
    disableOfflineQueue: true,
    disableClientInfo: true,
    socket: { reconnectStrategy: false, connectTimeout: options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS },
    // The watchdog looks after all commands at once; a timer for each would cost more than the command.
    commandOptions: { timeout: 0 },
  })
  return { base, client: base.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }) }
}

class DriverConnection implements RedisConnection {
  readonly address: string
  readonly #driver: ReturnType<typeof createDriver>
  readonly #options: RedisConnectionOptions
  readonly #answerTimeoutMs: number
  readonly #watchdog: NodeJS.Timeout
  /** What a listener or a timer of ours throws ends the connection, never the process. */
  readonly #fail = (): void => this.destroy()
  readonly #onAbort = contain(() => this.#giveUp(new Error('It is not wanted any more.')), this.#fail)
  /** Rejects what waits for the connection to open. */
  #onFailed: (error: unknown) => void = () => {}
  #isOpen = false
  #hasGivenUp = false
  #unanswered = 0
  #lastHeardMs = 0

  constructor(driver: ReturnType<typeof createDriver>, options: RedisConnectionOptions) {
    this.address = describeRedis(options.url)
    this.#driver = driver
    this.#options = options
    this.#answerTimeoutMs = options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS
    const watch = contain(() => this.#watch(), this.#fail)
    this.#watchdog = setInterval(watch, watchIntervalMs(this.#answerTimeoutMs))
    this.#watchdog.unref()
    const giveUp = contain((error: Error) => this.#giveUp(error), this.#fail)
    const end = contain(() => this.#end(), this.#fail)
    // A socket that was on its way when it was ended comes all the same.
    const endUnwanted = contain(() => {
      if (this.#hasGivenUp) driver.base.destroy()
    }, this.#fail)
    // Without a listener the loss of the connection would end the process.
    driver.base.on('error', giveUp)
    driver.base.on('end', end)
    driver.base.on('connect', endUnwanted)
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** @throws BROKER_UNREACHABLE, BROKER_REFUSED */
  async open(): Promise<void> {
    const { signal } = this.#options
    // A client that is ended while it connects says nothing any more: neither yes nor no.
    const failed = new Promise<never>((_resolve, reject) => {
      this.#onFailed = reject
    })
    const giveUp = contain(() => this.#onFailed(new Error('It took too long.')), this.#onFailed)
    const timer = setTimeout(giveUp, this.#answerTimeoutMs)
    signal?.addEventListener('abort', this.#onAbort)
    if (signal?.aborted) this.#onAbort()
    try {
      await Promise.race([this.#driver.base.connect(), failed])
    } catch (error) {
      this.destroy()
      throw describeRefusal(error, this.address) ?? unreachable(this.address, error)
    } finally {
      clearTimeout(timer)
      failed.catch(() => {})
    }
    this.#isOpen = true
  }

  async send(args: readonly (string | Buffer)[]): Promise<RedisReply> {
    if (!this.#isOpen) throw lost(this.address)
    if (this.#unanswered === 0) this.#lastHeardMs = performance.now()
    this.#unanswered += 1
    try {
      return await this.#driver.client.sendCommand<RedisReply>([...args])
    } catch (error) {
      const refusal = describeRefusal(error, this.address)
      if (refusal !== null) throw refusal
      this.destroy()
      throw lost(this.address)
    } finally {
      this.#unanswered -= 1
      this.#lastHeardMs = performance.now()
    }
  }

  destroy(): void {
    this.#hasGivenUp = true
    this.#end()
    if (this.#driver.base.isOpen) this.#driver.base.destroy()
  }

  /** An answer that is late is none. */
  #watch(): void {
    const silentMs = performance.now() - this.#lastHeardMs
    if (this.#unanswered > 0 && silentMs > this.#answerTimeoutMs) this.destroy()
  }

  #giveUp(error: Error): void {
    this.#onFailed(error)
    this.destroy()
  }

  #end(): void {
    clearInterval(this.#watchdog)
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#options.onEnd?.()
  }
}

/** How often it is looked whether answers are late. */
const watchIntervalMs = (answerTimeoutMs: number) => Math.min(1_000, Math.max(20, answerTimeoutMs / 4))

/** How long a command that waits at the server may wait there: it is answered long before its answer is late. */
export const waitAtServerMs = (answerTimeoutMs: number) =>
  Math.max(1, Math.min(1_000, Math.floor(answerTimeoutMs / 2)))

/**
 * Watches keys from now on, and none that was watched before. Where MULTI alone is refused, what follows it would run at once, whoever
 * has written to the keys: an empty transaction is tried first. EXEC ends the watch before.
 */
export async function watchKeys(connection: RedisConnection, names: readonly string[]): Promise<void> {
  const opened = connection.send(['MULTI'])
  const ended = connection.send(['EXEC'])
  const watching = connection.send(['WATCH', ...names])
  // That MULTI was refused says more than that there is nothing to end.
  for (const each of [ended, watching]) each.catch(() => {})
  await opened
  await Promise.all([ended, watching])
}

/** Sends commands as one transaction: all of them, or none. Source: Redis documentation, "Transactions". */
export async function sendTransaction(
  connection: RedisConnection,
  commands: readonly (readonly (string | Buffer)[])[],
): Promise<RedisReply> {
  let refusal: unknown = null
  const onRefused = (error: unknown) => {
    refusal ??= error
  }
  for (const command of [['MULTI'], ...commands]) connection.send(command).catch(onRefused)
  return connection.send(['EXEC']).catch((error: unknown) => {
    // EXEC says only that a command before it was refused.
    throw refusal ?? error
  })
}

/** Host and port, without user and password. */
export function describeRedis(url: string): string {
  const { hostname, port } = new URL(url)
  return `${hostname || '127.0.0.1'}:${port || '6379'}`
}

const PASSING_HINT =
  'Nothing if it passes: a server that starts, or that follows another one, takes nothing for a while. Else give the address of the one that may be written to.'
const TROUBLED_HINT =
  "Look at Redis' own log: it takes no writes while it cannot save to its disk (MISCONF), or while it has fewer replicas than it must (NOREPLICAS)."
const CLUSTER_HINT =
  'The address is of a Redis Cluster, which is not spoken: give that of a Redis of its own, or of the primary behind Sentinel.'
const FOREIGN_HINT =
  'Another program has written to a key of rowcast’s. Give rowcast a `broker.prefix` or a Redis of its own, and delete that key: the stream begins again from the slot.'
const AUTHORITY_HINT =
  'Name the file of its authority in the environment variable NODE_EXTRA_CA_CERTS, which Node.js reads as it starts.'
const UNKNOWN_HINT =
  'A Redis without a password refuses one, and Redis older than 6.2 lacks commands. Else another program has added an entry to one of rowcast’s streams, at the last id that there is: give rowcast a `broker.prefix` or a Redis of its own, and delete the keys of the slot.'

/** What to do about a refusal, by its first word; of any other, as of NOAUTH, WRONGPASS and NOPERM, the error table says it. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ...['LOADING', 'READONLY', 'MASTERDOWN', 'TRYAGAIN', 'BUSY', 'UNBLOCKED'].map(
    (word) => [word, PASSING_HINT] as const,
  ),
  ...['MISCONF', 'NOREPLICAS'].map((word) => [word, TROUBLED_HINT] as const),
  ...['MOVED', 'ASK', 'CROSSSLOT', 'CLUSTERDOWN'].map((word) => [word, CLUSTER_HINT] as const),
  ['WRONGTYPE', FOREIGN_HINT],
  ['ERR', UNKNOWN_HINT],
])

/** The first word of a refusal, which its protocol gives as its code; null when it is none. */
export function wordOf(error: unknown): string | null {
  return error instanceof Error ? (/^([A-Z]{2,})(\s|$)/.exec(error.message)?.[1] ?? null) : null
}

/** The error of an answer that is a refusal; null when it is none. Of its text only the first word is repeated. */
export function describeRefusal(error: unknown, address: string): RowcastError | null {
  const word = wordOf(error)
  if (word === null) return null
  const details = { reply: word }
  if (word === 'OOM') {
    return new RowcastError(
      'BROKER_OUT_OF_MEMORY',
      `Redis at ${address} takes no more: its memory is full.`,
      {
        details,
      },
    )
  }
  const hint = HINTS.get(word)
  return new RowcastError('BROKER_REFUSED', `Redis at ${address} refused a command (${word}).`, {
    details,
    hint,
  })
}

function unreachable(address: string, error: unknown): RowcastError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : null
  const why = code === null ? '' : ` (${code})`
  const fault = code === null ? null : tlsFaultOf(code, 'REDIS_URL')
  if (fault === null)
    return new RowcastError('BROKER_UNREACHABLE', `No connection to Redis at ${address}${why}.`)
  const { happened, hint = AUTHORITY_HINT } = fault
  return new RowcastError('BROKER_UNREACHABLE', `Redis at ${address} ${happened}${why}.`, { hint })
}

function lost(address: string): RowcastError {
  return new RowcastError('BROKER_LOST', `The connection to Redis at ${address} is gone.`)
}
