/**
 * Stage 8, server. Who is let in and for how long: opens the session of a connection, and ends the connections
 * whose session has expired or was revoked. One timer a connection, one interval for all checks.
 */
import { RowcastError } from '../../errors.ts'
import type { Guard } from '../../guard.ts'
import type { SessionRow } from '../../sets/session-rows.ts'
import type { ErrorMask } from '../errors/mask-error.ts'
import { createCallGate } from './call-gate.ts'
import type { ContextSource, Session } from './context.ts'
import { createSessionOpener, type SessionOpenerOptions } from './open-session.ts'

/** Keeps sessions. */
export interface SessionKeeper {
  /** @throws UNAUTHENTICATED, SESSION_EXPIRED, CONTEXT_TIMEOUT, and what the user's function throws */
  open(source: ContextSource, isWanted?: () => boolean): Promise<Session>
  /** Calls `onEnd` once when the session is over. Returns what ends the watch. */
  watch(session: Session, onEnd: (why: RowcastError) => void): () => void
  /**
   * Asks every watched session after this call, also one that is being asked; resolves once all have answered. One that is being opened is asked
   * as it is watched: what let it in may be from before.
   */
  revalidate(): Promise<void>
  close(): void
}

/** What a keeper needs. */
export interface SessionKeeperOptions extends SessionOpenerOptions {
  readonly errorMask: ErrorMask
  readonly guard: Guard
  /** @default 60_000 // 1 min */
  readonly revalidateIntervalMs: number
}

interface Watched {
  readonly revalidate: NonNullable<Session['revalidate']>
  readonly end: (why: RowcastError) => void
  /** The check under way, or waiting for its turn, if any. */
  checking: Promise<void> | null
  /** Whether it has been asked by the check under way: its answer may be from before whatever has happened since. */
  isAsked: boolean
}

/** The longest delay that setTimeout keeps; longer ones it would run at once. */
const DELAY_MAX_MS = 2_147_483_647

const WATCHING_NOTHING = (): void => undefined

/** Sessions that are asked again and again whether they still hold. */
function createSessionChecks(options: SessionKeeperOptions) {
  const { errorMask, guard } = options
  const checked = new Set<Watched>()
  const gate = createCallGate({
    guard,
    callsMax: options.contextCallsMax,
    // A check that hangs must not keep a revoked session alive, nor those that are to be asked after it.
    timeoutMs: options.revalidateIntervalMs,
    placeHeldMaxMs: Math.min(options.connectionInitTimeoutMs, options.revalidateIntervalMs),
    // Each of them is one of a connection that is open, and none may end because others take long.
    isWaitingFree: true,
    waitingMax: Number.POSITIVE_INFINITY,
  })
  let interval: NodeJS.Timeout | null = null
  let rounds = 0

  async function check(watched: Watched): Promise<void> {
    try {
      const ask = () => {
        // Its connection may have ended while it waited for its turn.
        if (!checked.has(watched)) return true
        watched.isAsked = true
        return watched.revalidate()
      }
      if ((await gate.run(ask, notInTime)) === true) return
      watched.end(new RowcastError('SESSION_REVOKED', 'The session was revoked.'))
    } catch (error) {
      errorMask.mask(error)
      watched.end(new RowcastError('SESSION_REVOKED', 'The session could not be checked.'))
    } finally {
      watched.checking = null
      watched.isAsked = false
    }
  }

  const startCheck = (watched: Watched): Promise<void> => {
    watched.checking ??= check(watched)
    return watched.checking
  }

  /** Asks after this call: what was asked before it may be answered with what held then. */
  async function askFromNowOn(watched: Watched): Promise<void> {
    if (watched.isAsked) await watched.checking
    if (checked.has(watched)) await startCheck(watched)
  }

  function checkAll(): void {
    for (const watched of [...checked]) {
      if (watched.checking === null) guard.run('check a session', () => startCheck(watched))
    }
  }

  return {
    /** How often all have been asked from then on. */
    get rounds(): number {
      return rounds
    },
    /** @param since `rounds` as its session began to be opened */
    add(watched: Watched, since: number): void {
      checked.add(watched)
      if (since < rounds) guard.run('check a session', () => startCheck(watched))
      const checkGuarded = guard.wrap('check sessions', checkAll)
      interval ??= setInterval(checkGuarded, options.revalidateIntervalMs).unref()
    },
    remove(watched: Watched): void {
      checked.delete(watched)
    },
    runAll() {
      rounds += 1
      return Promise.all([...checked].map(askFromNowOn))
    },
    stop(): void {
      if (interval !== null) clearInterval(interval)
    },
  }
}

/** Creates a keeper. */
export function createSessionKeeper(options: SessionKeeperOptions): SessionKeeper {
  const { guard } = options
  const openSession = createSessionOpener(options)
  const checks = createSessionChecks(options)
  const rows = new WeakMap<Session, SessionRow>()
  const openedSince = new WeakMap<Session, number>()
  return {
    async open(source, isWanted) {
      const since = checks.rounds
      const { session, row } = await openSession(source, isWanted)
      if (session.revalidate !== undefined) openedSince.set(session, since)
      if (row !== null) rows.set(session, row)
      if (expiryOf(session) <= Date.now()) throw expired()
      return session
    },
    watch(session, onEnd) {
      const { revalidate } = session
      const row = rows.get(session)
      if (!hasEnd(session) && row === undefined) return WATCHING_NOTHING
      let isOver = false
      let stopWatch = WATCHING_NOTHING
      const stop = (): void => {
        if (isOver) return
        isOver = true
        stopTimer()
        stopRow()
        if (watched !== null) checks.remove(watched)
        guard.run('end the watch of a session', () => stopWatch())
      }
      const end = (why: RowcastError): void => {
        if (isOver) return
        stop()
        onEnd(withoutCursor(why))
      }
      const expire = guard.wrap('end a session', () => end(expired()))
      const stopTimer = startTimerUntil(expiryOf(session), expire)
      const stopRow = (row && options.sessions?.watch(row, end)) ?? WATCHING_NOTHING
      const watched: Watched | null =
        revalidate === undefined
          ? null
          : { revalidate: () => revalidate.call(session), end, checking: null, isAsked: false }
      if (watched !== null) checks.add(watched, openedSince.get(session) ?? checks.rounds)
      stopWatch = startWatch(session, end, options)
      // It may have ended the session before it said how it is stopped.
      if (isOver) guard.run('end the watch of a session', () => stopWatch())
      return stop
    },
    async revalidate() {
      await checks.runAll()
    },
    close: () => checks.stop(),
  }
}

/** Whoever watches a session may name where its own changes go on: a client that went on there would miss what it has not got yet. */
function withoutCursor(why: RowcastError): RowcastError {
  const { code, happened, hint, cause, details } = why
  if (!('cursor' in details)) return why
  const { cursor: _, ...others } = details
  return new RowcastError(code, happened, { hint, cause, details: others })
}

/** Many thousands of sessions have none: nothing is kept for them. */
function hasEnd({ revalidate, expiresAt, watch }: Session): boolean {
  return revalidate !== undefined || expiresAt !== undefined || watch !== undefined
}

/** A watch that fails leaves nobody who would end the connection: it ends. */
function startWatch(
  session: Session,
  end: (why: RowcastError) => void,
  { errorMask, guard }: Pick<SessionKeeperOptions, 'errorMask' | 'guard'>,
): () => void {
  // Never at once: whoever watches must have the end of the watch in hand first.
  const endSoon = (why = new RowcastError('SESSION_REVOKED', 'The session was revoked.')): void =>
    queueMicrotask(guard.wrap('end a session', () => end(why)))
  try {
    return session.watch?.(endSoon) ?? WATCHING_NOTHING
  } catch (error) {
    errorMask.mask(error)
    endSoon(new RowcastError('SESSION_REVOKED', 'The session could not be watched.'))
    return WATCHING_NOTHING
  }
}

function notInTime(): RowcastError {
  return new RowcastError('SESSION_REVOKED', 'The session could not be checked in time.')
}

function expired(): RowcastError {
  return new RowcastError('SESSION_EXPIRED', 'The session has expired.')
}

/** Milliseconds since 1970; Infinity when it does not expire. A date that is none counts as passed. */
function expiryOf({ expiresAt }: Session): number {
  if (expiresAt === undefined) return Number.POSITIVE_INFINITY
  const expiresAtMs = Number(expiresAt)
  return Number.isNaN(expiresAtMs) ? 0 : expiresAtMs
}

/** Calls back at a time, however far. Returns what stops it. */
function startTimerUntil(timeMs: number, onTime: () => void): () => void {
  if (timeMs === Number.POSITIVE_INFINITY) return () => undefined
  let timer: NodeJS.Timeout
  const arm = (): void => {
    const leftMs = timeMs - Date.now()
    if (leftMs <= 0) onTime()
    else timer = setTimeout(arm, Math.min(leftMs, DELAY_MAX_MS)).unref()
  }
  // Never at once: whoever watches must have the end of the watch in hand first.
  timer = setTimeout(arm, Math.min(Math.max(timeMs - Date.now(), 0), DELAY_MAX_MS)).unref()
  return () => clearTimeout(timer)
}
