/**
 * Sessions of Better Auth that are rows: each open connection ends with the row of its session, or with its user. It reads the change
 * stream, so it does not matter which process, or which SQL statement, took the row away.
 */
import { serverStandingBy } from '../bus/server-stopping.ts'
import { createConsoleLogger } from '../console-logger.ts'
import { isRowcastError, RowcastError } from '../errors.ts'
import { createGuard } from '../guard.ts'
import type { Rowcast } from '../rowcast-api.ts'
import { type AuthModel, authFieldOf } from './auth-models.ts'
import type { AuthViewer } from './better-auth-types.ts'

/** Ends a connection. */
export type EndSession = (why: RowcastError) => void

/** Which models, and what of them matters. */
export interface SessionModels {
  readonly session: AuthModel
  readonly user: AuthModel
}

/** A connection that is open. */
interface OpenConnection {
  /** The names of its session and of its user. */
  readonly rows: readonly string[]
  readonly end: EndSession
  /** In milliseconds since 1970. */
  expiresAtMs: number
  timer: NodeJS.Timeout | undefined
}

/** The longest delay that setTimeout keeps. */
const DELAY_MAX_MS = 2_147_483_647
/** How many ends are remembered for those who are being let in meanwhile. */
const ENDED_MAX = 10_000

/** Watches the sessions of one rowcast. */
export class AuthSessionWatch {
  readonly #rowcast: Rowcast
  readonly #guard = createGuard(createConsoleLogger())
  /** By the names of their rows: what is done for a row takes no longer for the connections of others. */
  readonly #open = new Map<string, Set<OpenConnection>>()
  /** When sessions and users ended, by their names, the oldest first. */
  readonly #ended = new Map<string, number>()
  /** Ends up to here are not remembered: whoever was asked before is asked again. */
  #forgottenAtMs = Number.NEGATIVE_INFINITY
  /** Why whoever was asked before cannot stay. */
  #forgottenFor = revoked
  #models: SessionModels | null = null
  #isReading = false

  constructor(rowcast: Rowcast) {
    this.#rowcast = rowcast
  }

  /** Says which models; before, sessions are not rows that could be watched. */
  follow(models: SessionModels): void {
    this.#models = models
  }

  /**
   * Resolves once ends that commit from now on are noticed, and queries see those before, with the time that `watch` is to be given.
   * @throws NO_STREAM_YET where there is no stream in time, or the database does not answer
   */
  async begin(): Promise<number> {
    // Before it reads: what keeps the reading from going on meanwhile ends whoever is being let in.
    const beganMs = performance.now()
    const models = this.#models
    if (models === null) return beganMs
    if (!this.#isReading) this.#guard.run('watch sessions', () => this.#read(models))
    await this.#rowcast.whenLive()
    // The stream may bring the end of a session before queries see it: what has come is visible behind a cursor for now.
    await this.#rowcast.changeCursor()
    return beganMs
  }

  /** Calls `end` once, and soon, when the session is over. @returns what ends the watch */
  watch(viewer: AuthViewer, beganMs: number, end: EndSession): () => void {
    const rows = [nameOf('session', viewer.session.id), nameOf('user', viewer.user.id)]
    const expiresAtMs = Number(viewer.session.expiresAt)
    const connection: OpenConnection = { rows, end, expiresAtMs, timer: undefined }
    for (const row of rows) this.#open.set(row, (this.#open.get(row) ?? new Set()).add(connection))
    const ends = rows.map((row) => this.#ended.get(row) ?? Number.NEGATIVE_INFINITY)
    const endedMs = Math.max(this.#forgottenAtMs, ...ends)
    if (endedMs >= beganMs)
      this.#end(connection, endedMs > this.#forgottenAtMs ? revoked() : this.#forgottenFor())
    else this.#arm(connection)
    return () => this.#forget(connection)
  }

  /** Reads until the stream cannot go on without a gap; who is let in next has it begin again. */
  async #read(models: SessionModels): Promise<void> {
    this.#isReading = true
    try {
      const names = [models.session.spec.name, models.user.spec.name]
      const changes = this.#rowcast.subscribe(names, { action: ['UPDATE', 'DELETE', 'TRUNCATE'] })
      for await (const change of changes) this.#take(change, models)
    } catch (error) {
      // The orderly stop shows subscribers where to go on; nothing was missed.
      if (error instanceof RowcastError && error.code === 'SERVER_STOPPING') return
      // Where this process stands by, nobody here would notice the end of a session: they go to the one that does.
      this.#endAll(isRowcastError(error, 'SERVER_STANDING_BY') ? sentAway : revoked)
    } finally {
      this.#isReading = false
    }
  }

  #take(change: WatchedChange, { session, user }: SessionModels): void {
    const isSession = change.model === session.spec.name
    const kind = isSession ? 'session' : 'user'
    // A row that has another key now is not the one that somebody was let in by.
    if (change.oldKey != null) this.#endRow(kind, change.oldKey)
    // Without a key nobody knows which row it was.
    if (change.action === 'TRUNCATE' || change.key === null) this.#endAll()
    else if (change.action === 'DELETE') this.#endRow(kind, change.key)
    else if (isSession) this.#renew(change, authFieldOf(session, 'expiresAt'))
    else if (isBannedIn(change, user)) this.#endRow('user', change.key)
  }

  #endRow(kind: 'session' | 'user', key: object | null): void {
    const row = nameOf(kind, fieldOf(key, 'id'))
    this.#remember(row)
    for (const connection of this.#openOf(row)) this.#end(connection, revoked())
  }

  /** Better Auth moves the end of a session that is used. */
  #renew(change: WatchedChange, field: string): void {
    const expiresAt = fieldOf(change.new, field)
    if (!(expiresAt instanceof Date)) return
    for (const connection of this.#openOf(nameOf('session', fieldOf(change.key, 'id')))) {
      connection.expiresAtMs = Number(expiresAt)
      this.#arm(connection)
    }
  }

  #endAll(whyOf = revoked): void {
    this.#forgottenAtMs = performance.now()
    this.#forgottenFor = whyOf
    this.#ended.clear()
    const all = new Set([...this.#open.values()].flatMap((those) => [...those]))
    for (const connection of all) this.#end(connection, whyOf())
  }

  /** A copy, as whoever is ended is forgotten. */
  #openOf(row: string): readonly OpenConnection[] {
    return [...(this.#open.get(row) ?? [])]
  }

  #remember(name: string): void {
    this.#ended.delete(name)
    this.#ended.set(name, performance.now())
    const [oldest] = this.#ended
    if (this.#ended.size <= ENDED_MAX || oldest === undefined) return
    this.#ended.delete(oldest[0])
    this.#forgottenAtMs = Math.max(this.#forgottenAtMs, oldest[1])
    this.#forgottenFor = revoked
  }

  #arm(connection: OpenConnection): void {
    clearTimeout(connection.timer)
    const leftMs = connection.expiresAtMs - Date.now()
    const look = (): void => {
      if (Date.now() < connection.expiresAtMs) this.#arm(connection)
      else this.#end(connection, new RowcastError('SESSION_EXPIRED', 'The session has expired.'))
    }
    const guarded = this.#guard.wrap('end a session', look)
    connection.timer = setTimeout(guarded, Math.min(Math.max(leftMs, 0), DELAY_MAX_MS)).unref()
  }

  #end(connection: OpenConnection, why: RowcastError): void {
    this.#forget(connection)
    connection.end(why)
  }

  #forget(connection: OpenConnection): void {
    clearTimeout(connection.timer)
    for (const row of connection.rows) {
      const those = this.#open.get(row)
      if (those?.delete(connection) && those.size === 0) this.#open.delete(row)
    }
  }
}

/** What is read of a change. */
interface WatchedChange {
  readonly model: string
  readonly action: string
  readonly key: object | null
  /** Where an UPDATE gave it another. */
  readonly oldKey?: object | null | undefined
  readonly new: object | null
}

/** What one of the two is known by here. */
function nameOf(kind: 'session' | 'user', id: unknown): string {
  return `${kind}:${String(id)}`
}

/** Of the admin plugin; without it a column of that name is the application's own. */
function isBannedIn(change: WatchedChange, user: AuthModel): boolean {
  return (
    user.table.fields['banned'] !== undefined && fieldOf(change.new, authFieldOf(user, 'banned')) === true
  )
}

function fieldOf(row: object | null, field: string): unknown {
  return row === null ? undefined : Reflect.get(row, field)
}

/** Without the cursor of who watches: each client goes on after what it has itself, and not all come back at once. */
function sentAway(): RowcastError {
  return serverStandingBy(null)
}

function revoked(): RowcastError {
  return new RowcastError('SESSION_REVOKED', 'The session was revoked.')
}
