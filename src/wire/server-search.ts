/**
 * Stage 1, wire. Several servers in one address are tried one after the other until one is what is wanted, from the one that was last. As libpq does, but that
 * a server that refuses does not end the search: a standby may not have replayed yet whom or what is asked for. Its word counts where no other is found.
 * Source: PostgreSQL manual, `target_session_attrs` of libpq.
 */
import type pg from 'pg'
import { isRowcastError, RowcastError } from '../errors.ts'
import { withAnswerDeadline } from './answer-deadline.ts'
import { driverSocket } from './driver-socket.ts'
import type { DriverTarget } from './driver-target.ts'
import { formatServers, type ServerAddress, type WantedServer } from './server-choice.ts'

/** How to connect to one. */
export interface SearchRequest<Session extends { readonly client: pg.Client }> {
  readonly connect: (server: DriverTarget) => Promise<Session>
  readonly answerTimeoutMs: number
  /** Whether nobody wants the connection any more. */
  readonly isOver: () => boolean
  /** Called before anybody else can search. */
  readonly onTaken?: ((server: ServerAddress) => void) | undefined
}

/**
 * Connects to the one server of the address, or to the first that is wanted of several.
 * @throws what a server refuses with, else SOURCE_STANDBY_SERVER where servers answer and none is wanted, else why the last was not reached
 */
export async function connectToWanted<Session extends { readonly client: pg.Client }>(
  target: DriverTarget,
  { connect, answerTimeoutMs, isOver, onTaken }: SearchRequest<Session>,
): Promise<Session> {
  const { choice } = target
  if (choice === undefined) return connect(target)
  const takeIt = (session: Session, server: ServerAddress): Session => {
    choice.accept(server)
    onTaken?.(server)
    return session
  }
  const found: Search<Session> = { answer: null, unwanted: [], failure: null, standby: null }
  const servers = choice.inOrder()
  for (const server of servers) {
    // The first is asked all the same: it says why not.
    if (isOver() && server !== servers[0]) break
    try {
      const session = await connect({ ...target, ...server, choice: undefined })
      if (await isWanted(session.client, choice.wanted, answerTimeoutMs)) {
        if (found.standby !== null) driverSocket(found.standby.session.client).destroy()
        return takeIt(session, server)
      }
      // Of `any`: a standby has no slot but its own, so that a primary that comes after it in the address would never be asked.
      if (choice.wanted === 'any' && found.standby === null) found.standby = { session, server }
      else {
        driverSocket(session.client).destroy()
        found.unwanted.push(server)
      }
    } catch (error) {
      if (isAnswer(error)) found.answer ??= error
      else found.failure = error
    }
  }
  if (found.standby !== null) return takeIt(found.standby.session, found.standby.server)
  throw failureOf(found, servers, choice.wanted)
}

/** What came of it so far. */
interface Search<Session> {
  /** What a server has refused us with. */
  answer: unknown
  readonly unwanted: ServerAddress[]
  /** Why the last one that did not answer was not reached. */
  failure: unknown
  /** The first that is no primary, where it will do. */
  standby: { readonly session: Session; readonly server: ServerAddress } | null
}

function failureOf(
  { answer, unwanted, failure }: Omit<Search<unknown>, 'standby'>,
  tried: readonly ServerAddress[],
  wanted: WantedServer,
): unknown {
  if (answer !== null) return answer
  return unwanted.length > 0 ? noneWanted(tried, wanted, unwanted) : noneThere(tried, failure)
}

const STATE_SQL = `SELECT pg_catalog.pg_is_in_recovery() AS standby,
  pg_catalog.current_setting('default_transaction_read_only') = 'on' AS readonly`

/** Asked before anything is set: what the session begins with counts. */
async function isWanted(client: pg.Client, wanted: WantedServer, deadlineMs: number): Promise<boolean> {
  try {
    const ask = () => client.query<{ standby: boolean; readonly: boolean }>(STATE_SQL)
    const [row] = (await withAnswerDeadline(client, deadlineMs, ask)).rows
    return row?.standby === false && (wanted !== 'read-write' || !row.readonly)
  } catch (error) {
    driverSocket(client).destroy()
    throw error
  }
}

const STARTING = '57P03'

/** Whether a server has said no, and why. */
function isAnswer(error: unknown): boolean {
  const sqlstate = isRowcastError(error) ? error.details['sqlstate'] : sqlstateOfServer(error)
  return sqlstate !== undefined && sqlstate !== STARTING
}

/** Only what the server sends has a severity. */
function sqlstateOfServer(error: unknown): unknown {
  return error instanceof Error && 'severity' in error && error.severity !== undefined
    ? Reflect.get(error, 'code')
    : undefined
}

/** What knows no address yet is given that of all of them by who catches it. */
function noneThere(servers: readonly ServerAddress[], last: unknown): unknown {
  if (!isRowcastError(last) || last.details['sqlstate'] !== undefined) return last
  return new RowcastError(last.code, `None of ${formatServers(servers)} is there. ${last.happened}`, {
    cause: last,
    hint: last.hint,
  })
}

function noneWanted(
  servers: readonly ServerAddress[],
  wanted: WantedServer,
  unwanted: readonly ServerAddress[],
): RowcastError {
  const what = wanted === 'read-write' ? 'a primary that takes writes' : 'a primary'
  return new RowcastError(
    'SOURCE_STANDBY_SERVER',
    `None of ${formatServers(servers)} is ${what}: ${formatServers(unwanted)} answered.`,
  )
}
