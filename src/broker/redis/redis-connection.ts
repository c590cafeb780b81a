/**
 * Beside the bus, broker. One connection to Redis (or Valkey), and the only importer of its client. It does not
 * reconnect: whoever uses it has to look at what the server still has, first.
 */
import { Buffer } from 'node:buffer'
import { RowcastError } from '../../errors.ts'
import { ANSWER_TIMEOUT_MS } from '../../wire/driver-target.ts'

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
  readonly place: string
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
  const { createClient, RESP_TYPES } = await import('@redis/client')
  const place = describeRedis(options.url)
  const { answerTimeoutMs = ANSWER_TIMEOUT_MS, signal } = options
  const base = createClient({
    url: options.url,
    name: options.name,
    RESP: 2,
    disableOfflineQueue: true,
    disableClientInfo: true,
    socket: { reconnectStrategy: false, connectTimeout: answerTimeoutMs },
    // The watchdog below looks after all commands at once; a timer for each would cost more than the command.
    commandOptions: { timeout: 0 },
  })
  const client = base.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
  let isOpen = false
  let hasGivenUp = false
  let unanswered = 0
  let lastHeardMs = 0
  const watchdog = setInterval(() => {
    if (unanswered > 0 && performance.now() - lastHeardMs > answerTimeoutMs) destroy()
  }, watchIntervalMs(answerTimeoutMs))
  watchdog.unref()

  function onEnd(): void {
    clearInterval(watchdog)
    signal?.removeEventListener('abort', onAbort)
    if (!isOpen) return
    isOpen = false
    options.onEnd?.()
  }

  function destroy(): void {
    hasGivenUp = true
    onEnd()
    if (base.isOpen) base.destroy()
  }

  function onAbort(): void {
    onFailed(new Error('It is not wanted any more.'))
    destroy()
  }

  let onFailed: (error: Error) => void = () => {}
  // A client that is ended while it connects says nothing any more: neither yes nor no.
  const failed = new Promise<never>((_resolve, reject) => {
    onFailed = reject
  })
  const timer = setTimeout(() => onFailed(new Error('It took too long.')), answerTimeoutMs)
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  // Without a listener the loss of the connection would end the process.
  base.on('error', (error: Error) => {
    onFailed(error)
    destroy()
  })
  base.on('end', onEnd)
  // A socket that was on its way when it was ended comes all the same.
  base.on('connect', () => {
    if (hasGivenUp) base.destroy()
  })
  try {
    await Promise.race([base.connect(), failed])
  } catch (error) {
    destroy()
    throw describeRefusal(error, place) ?? unreachable(place, error)
  } finally {
    clearTimeout(timer)
    failed.catch(() => {})
  }
  isOpen = true

  return {
    place,
    get isOpen() {
      return isOpen
    },
    destroy,
    async send(args) {
      if (!isOpen) throw lost(place)
      if (unanswered === 0) lastHeardMs = performance.now()
      unanswered += 1
      try {
        return await client.sendCommand<RedisReply>([...args])
      } catch (error) {
        const refusal = describeRefusal(error, place)
        if (refusal !== null) throw refusal
        destroy()
        throw lost(place)
      } finally {
        unanswered -= 1
        lastHeardMs = performance.now()
      }
    },
  }
}

/** How often it is looked whether answers are late. */
const watchIntervalMs = (answerTimeoutMs: number) => Math.min(1_000, Math.max(20, answerTimeoutMs / 4))

/** How long a command that waits at the server may wait there: it is answered long before its answer is late. */
export const waitAtServerMs = (answerTimeoutMs: number) =>
  Math.max(1, Math.min(1_000, Math.floor(answerTimeoutMs / 2)))

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

/** Redis' words for "not now": the server starts, or follows another one. */
const PASSING: ReadonlySet<string> = new Set([
  'LOADING',
  'READONLY',
  'MASTERDOWN',
  'TRYAGAIN',
  'BUSY',
  'UNBLOCKED',
])

const PASSING_HINT =
  'Nothing if it passes: a server that starts, or that follows another one, takes nothing for a while. Else give the address of the one that may be written to.'
const WRONG_TYPE_HINT =
  'Another program has written to a key of rowcast’s. Give rowcast a `broker.prefix` or a Redis of its own, and delete that key: the stream begins again from the slot.'

/** The first word of a refusal, which its protocol gives as its code; null when it is none. */
export function wordOf(error: unknown): string | null {
  return error instanceof Error ? (/^([A-Z]{2,})(\s|$)/.exec(error.message)?.[1] ?? null) : null
}

/** The error of an answer that is a refusal; null when it is none. Of its text only the first word is repeated. */
export function describeRefusal(error: unknown, place: string): RowcastError | null {
  const word = wordOf(error)
  if (word === null) return null
  const details = { reply: word }
  if (word === 'OOM') {
    return new RowcastError('BROKER_OUT_OF_MEMORY', `Redis at ${place} takes no more: its memory is full.`, {
      details,
    })
  }
  const hint = PASSING.has(word) ? PASSING_HINT : word === 'WRONGTYPE' ? WRONG_TYPE_HINT : undefined
  return new RowcastError('BROKER_REFUSED', `Redis at ${place} refused a command (${word}).`, {
    details,
    hint,
  })
}

function unreachable(place: string, error: unknown): RowcastError {
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
  return new RowcastError('BROKER_UNREACHABLE', `No connection to Redis at ${place}${code}.`)
}

function lost(place: string): RowcastError {
  return new RowcastError('BROKER_LOST', `The connection to Redis at ${place} is gone.`)
}
