/** Stage 8, server. Asks the user's function who a client is; anything that is not clearly a session refuses the client. */
import { GraphQLError } from 'graphql'
import { RowcastError } from '../../errors.ts'
import type { Guard } from '../../guard.ts'
import type { Logger } from '../../logger.ts'
import type { SessionRow, SessionRows } from '../../sets/session-rows.ts'
import { createCallGate } from './call-gate.ts'
import type { ContextFunction, ContextSource, Session } from './context.ts'
import { viewerNameOf } from './viewer-name.ts'

export interface SessionOpenerOptions {
  /** @default everybody is let in, with an empty context */
  readonly context?: ContextFunction | undefined
  /** Whose sessions are rows. @default nobody's */
  readonly sessions?: SessionRows | undefined
  readonly logger: Logger
  /** How long the function may take. */
  readonly connectionInitTimeoutMs: number
  /** How often it runs at once. */
  readonly contextCallsMax: number
  readonly guard: Guard
}

/** A client that was let in, and the row that its session is, if any. */
export interface OpenedSession {
  readonly session: Session
  readonly row: SessionRow | null
}

/**
 * Opens a session. @throws UNAUTHENTICATED, SESSION_REVOKED, CONTEXT_TIMEOUT, and what the user's function throws
 * @param isWanted whether the client still waits, asked before the function is called @default always
 */
export type OpenSession = (source: ContextSource, isWanted?: () => boolean) => Promise<OpenedSession>

export function createSessionOpener(options: SessionOpenerOptions): OpenSession {
  const { context = everybody, sessions, logger } = options
  if (context === everybody && sessions === undefined)
    return async () => ({ session: everybody(), row: null })
  const gate = createCallGate({
    guard: options.guard,
    callsMax: options.contextCallsMax,
    timeoutMs: options.connectionInitTimeoutMs,
  })
  let isReported = false
  const warnOfKey = onceOf(() => logger.warn(NAMELESS_KEY, { hint: NAMELESS_KEY_HINT }))
  return async (source, isWanted = () => true) => {
    const whoeverWaits = <Answer>(ask: () => Answer) => {
      const askNow = () => {
        if (!isWanted()) throw clientHasLeft()
        return ask()
      }
      return gate.run(askNow, notInTime)
    }
    const answer: unknown = await whoeverWaits(() => context(source))
    const session = readSession(answer)
    if (session !== null) {
      if (session.viewerKey != null && viewerNameOf(session.viewerKey) === null) warnOfKey()
      const row = sessions && (await whoeverWaits(() => sessions.find(session.context)))
      return { session, row: row ?? null }
    }
    // False, '' and the like refuse on purpose, as in `viewer && { … }`; anything else is a mistake.
    if (answer && !isReported) {
      isReported = true
      logger.error('`context` answered with what is no session: its clients are refused.', {
        hint: 'Answer { context: { … } } for clients that are let in, and null for all others; a viewerKey is a text or a number.',
      })
    }
    throw new RowcastError('UNAUTHENTICATED', 'The server does not know this client.')
  }
}

/** Nobody reads it, and the log is not to have it. */
export function clientHasLeft(): GraphQLError {
  return new GraphQLError('The client has left.')
}

function everybody(): Session {
  return { context: {} }
}

function notInTime(): RowcastError {
  return new RowcastError('CONTEXT_TIMEOUT', 'The server could not find out in time who asks.')
}

const NAMELESS_KEY =
  '`context` answered with a viewerKey that names nobody: bounds per viewer do not hold for it.'
const NAMELESS_KEY_HINT =
  'Answer with null where nobody has logged in, and with a text or number of its own for each viewer.'

function onceOf(call: () => void): () => void {
  let isDone = false
  return () => {
    if (!isDone) call()
    isDone = true
  }
}

/**
 * Only an object with an object `context` lets a client in: no list, no promise that nobody waited for, and nothing whose own
 * properties are not what it holds (a Map, a Request), which would be an empty context. Each part is read once: a getter may
 * answer otherwise the next time. @returns null where it is no session
 */
function readSession(answer: unknown): Session | null {
  if (!isRecord(answer)) return null
  const { context, viewerKey, expiresAt, revalidate, watch } = answer as Partial<Session>
  if (!isContext(context) || !isViewerKey(viewerKey)) return null
  return {
    ...{ context, viewerKey, expiresAt },
    ...{ revalidate: revalidate?.bind(answer), watch: watch?.bind(answer) },
  }
}

/** An object with something in it, or an empty literal: a viewer whose fields are private or inherited would not get through. */
function isContext(value: unknown): value is object {
  if (!isRecord(value) || Object.prototype.toString.call(value) !== '[object Object]') return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Object.keys(value).length > 0
}

/** An object would be a viewer of its own each time, and bound nothing. */
function isViewerKey(key: unknown): key is Session['viewerKey'] {
  return key === undefined || key === null || ['string', 'number', 'bigint'].includes(typeof key)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    typeof Reflect.get(value, 'then') !== 'function'
  )
}
