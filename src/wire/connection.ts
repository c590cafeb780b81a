/**
 * Stage 1, wire. The dedicated replication connection, by way of the driver.
 *
 * The driver does what it is good at (DNS, TLS, passwords, the start-up of the session); just before
 * START_REPLICATION is sent we take its socket over and frame the stream ourselves. Before, because bytes
 * the driver's parser has buffered would be lost; ourselves, because its parser costs an object and an
 * event per message.
 */
import { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import type pg from 'pg'
import { RowcastError } from '../errors.ts'
import { contain } from '../guard.ts'
import { answerTimeout, withAnswerDeadline } from './answer-deadline.ts'
import { systemClock, type WireClock } from './clock.ts'
import type { DirectSocket } from './direct-socket.ts'
import { driverSocket } from './driver-socket.ts'
import { type DriverTarget, type WaitBounds, waitBoundsOf } from './driver-target.ts'
import { createFrameReader, encodeCopyDone, encodeQuery, encodeStatusUpdate } from './frames.ts'
import { isLinkDead, type LivenessTimings } from './liveness.ts'
import { LSN_ZERO, type Lsn, parseLsn } from './lsn.ts'
import { type PreparedSession, prepareSession } from './prepare-session.ts'
import type {
  QueryOptions,
  ReplicationConnection,
  StreamHandler,
  SystemIdentity,
} from './replication-connection.ts'
import { ReplicationSessions } from './replication-sessions.ts'
import { decodeServerMessage, PostgresError } from './server-message.ts'
import { connectToWanted } from './server-search.ts'
import { formatStartReplication, type StreamRequest } from './start-replication.ts'

const TAG_COPY_BOTH = 0x57 // 'W'
const TAG_ERROR = 0x45 // 'E'
const TAG_NOTICE = 0x4e // 'N'
const TAG_COPY_DONE = 0x63 // 'c'

/** Opens a replication connection.
 * @throws the driver's own error when it cannot; `source/` turns it into a RowcastError.
 */
export async function openReplicationConnection(
  target: DriverTarget,
  options: WaitBounds & { applicationName: string; clock?: WireClock },
): Promise<ReplicationConnection> {
  const { answerTimeoutMs, end } = waitBoundsOf(target, options)
  if (end.aborted !== null) throw connectionLost('Nobody wants the connection any more.')
  const sessions = new ReplicationSessions(options.applicationName, answerTimeoutMs)
  // Until it is a stream; what a stream has confirmed it says before it ends.
  const stopListening = end.onAbort(() => sessions.destroy())
  let letGo = (): void => {}
  try {
    const { client, direct } = await connectToWanted(target, {
      answerTimeoutMs,
      isOver: () => end.aborted !== null,
      connect: (server) => sessions.connect(server),
      onTaken(server) {
        letGo = target.choice?.hold(server) ?? letGo
      },
    })
    const session = await prepareSession(client, answerTimeoutMs)
    const clock = options.clock ?? systemClock
    const connection = new Connection(client, direct, { ...session, answerTimeoutMs }, clock)
    connection.closed.then(letGo, letGo)
    return connection
  } catch (error) {
    letGo()
    throw error
  } finally {
    stopListening()
  }
}

interface ConnectionSession extends PreparedSession {
  readonly answerTimeoutMs: number
}

class Connection implements ReplicationConnection {
  readonly closed: Promise<Error | null>
  readonly serverPid: number
  readonly #client: pg.Client
  readonly #direct: DirectSocket
  readonly #socket: Socket
  readonly #timings: LivenessTimings
  readonly #answerTimeoutMs: number
  readonly #clock: WireClock
  /** The last flushed position that this connection reported. */
  #reportedLsn = LSN_ZERO
  #handler: StreamHandler | null = null
  #statusTimer: { clear(): void } | null = null
  #lastHeardMs: number
  #isPaused = false
  #isClosing = false
  #failure: Error | null = null

  constructor(client: pg.Client, direct: DirectSocket, session: ConnectionSession, clock: WireClock) {
    this.#client = client
    this.#direct = direct
    this.#socket = driverSocket(client)
    this.#timings = session.timings
    this.#answerTimeoutMs = session.answerTimeoutMs
    this.#clock = clock
    this.#lastHeardMs = clock.monotonicMs()
    this.serverPid = session.serverPid
    let resolve: (reason: Error | null) => void = () => {}
    this.closed = new Promise((settle) => {
      resolve = settle
    })
    const onError = (error: Error): void => {
      this.#failure ??= error
    }
    const onClose = (): void => {
      this.#statusTimer?.clear()
      resolve(this.#endOf())
    }
    this.#socket.on('error', contain(onError, resolve))
    this.#socket.on('close', contain(onClose, resolve))
  }

  /** Under TLS the driver reads from a socket of its own, and whoever makes the sockets may have another. */
  get #isDirect(): boolean {
    return this.#socket === this.#direct.socket
  }

  get #flow(): { pause(): unknown; resume(): unknown } {
    return this.#isDirect ? this.#direct : this.#socket
  }

  #endOf(): Error | null {
    if (this.#isClosing) return null
    return this.#failure ?? connectionLost('The server closed the replication connection.')
  }

  abort(reason: Error): void {
    this.#failure ??= reason
    this.#socket.destroy()
  }

  /** Bound: what reads the catalog takes the function alone. */
  readonly query = async <Row extends object>(text: string, { isPatient = false }: QueryOptions = {}) => {
    const deadlineMs = isPatient ? null : this.#answerTimeoutMs
    const { rows } = await withAnswerDeadline(this.#client, deadlineMs, () => this.#client.query<Row>(text))
    return rows
  }

  async identify(): Promise<SystemIdentity> {
    const [row] = await this.query<{ systemid: string; timeline: number; xlogpos: string }>('IDENTIFY_SYSTEM')
    if (row === undefined) throw new RowcastError('BUG', 'IDENTIFY_SYSTEM returned no row.')
    return { systemId: row.systemid, timeline: Number(row.timeline), flushedLsn: parseLsn(row.xlogpos) }
  }

  async startStream(request: StreamRequest, handler: StreamHandler): Promise<void> {
    const { statusIntervalMs } = this.#timings
    const answerTimeoutMs = this.#answerTimeoutMs
    this.#handler = handler
    const fail = (error: Error): void => this.abort(error)
    const started = new Promise<'started'>((resolve) =>
      this.#takeOver(handler, () => {
        handler.onStarted?.()
        resolve('started')
      }),
    )
    this.#socket.write(encodeQuery(formatStartReplication(request)))
    const giveUp = contain(() => fail(answerTimeout(answerTimeoutMs)), fail)
    const deadline = setTimeout(giveUp, answerTimeoutMs)
    const reason = await Promise.race([started, this.closed])
    clearTimeout(deadline)
    if (reason !== 'started')
      throw reason ?? connectionLost('The connection was closed before the stream began.')
    this.#statusTimer = this.#clock.setInterval(
      contain(() => this.#onStatusTimer(), fail),
      statusIntervalMs,
    )
    // Its answer shows at once how far behind the stream begins.
    this.#sendStatus(true)
  }

  sendStatus(): void {
    this.#sendStatus(false)
  }

  pause(): void {
    this.#isPaused = true
    this.#flow.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#lastHeardMs = this.#clock.monotonicMs()
    this.#flow.resume()
  }

  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true
      this.#statusTimer?.clear()
      const fail = (error: Error): void => this.abort(error)
      // What cannot be said politely is not waited for: whoever closes it counts on its end.
      contain(() => this.#sayGoodbye(), fail)()
      const destroy = contain(() => void this.#socket.destroy(), fail)
      const timer = setTimeout(destroy, CLOSE_TIMEOUT_MS)
      await this.closed
      clearTimeout(timer)
    }
    await this.closed
  }

  #sayGoodbye(): void {
    if (this.#handler === null) this.#client.end().catch(() => {})
    else if (this.#socket.writable) {
      this.#sendStatus(false)
      this.#socket.end(encodeCopyDone())
    }
    // The server may still have megabytes to send; nobody is interested any more.
    this.#divert(() => {})
    this.#flow.resume()
  }

  /**
   * The flushed position is sent only when it is news, and taken back at once, which leaves the slot where it is. While a walsender has
   * one, it can be taken for a synchronous standby (synchronous_standby_names = '*'), and commits wait until all they wrote is flushed here;
   * and one that is asked to shut down waits until the flushed position, or without one the written position, is all it has sent.
   * Source: ProcessStandbyReplyMessage and WalSndDone in walsender.c, SyncRepGetCandidateStandbys in syncrep.c.
   */
  #sendStatus(isReplyWanted: boolean): void {
    if (this.#handler === null || !this.#socket.writable) return
    const confirmed = this.#handler.confirmedLsn()
    const written = this.#handler.writtenLsn?.() ?? confirmed
    const isNews = confirmed !== this.#reportedLsn
    this.#reportedLsn = confirmed
    const encode = (flushed: Lsn, isAsking: boolean) =>
      encodeStatusUpdate(written, flushed, this.#clock.unixMs(), isAsking)
    const unflushed = encode(LSN_ZERO, isReplyWanted)
    // In one piece: the server reads both before it does anything else.
    this.#socket.write(isNews ? Buffer.concat([encode(confirmed, false), unflushed]) : unflushed)
  }

  #onStatusTimer(): void {
    if (this.#isPaused) this.#lastHeardMs = this.#clock.monotonicMs()
    const silentMs = this.#clock.monotonicMs() - this.#lastHeardMs
    if (isLinkDead(this.#timings, silentMs)) {
      this.abort(connectionLost(`The server has been silent for ${Math.round(silentMs)} ms.`))
      return
    }
    this.#sendStatus(silentMs >= this.#timings.askAfterMs)
  }

  /** Gives what arrives from now on to `take`, which may use the bytes during the call only. */
  #divert(take: (bytes: Buffer) => void): void {
    // Only 'data': what the socket listens to on itself ('end', 'close') keeps it working.
    this.#socket.removeAllListeners('data')
    if (this.#isDirect) this.#direct.accept = take
    else this.#socket.on('data', take)
  }

  /** Wires frames to the handler. */
  #takeOver(stream: StreamHandler, onStarted: () => void): void {
    let isReplyDue = false
    const frames = createFrameReader({
      onWalData: (bytes, start, end) => stream.onWalData(bytes, start, end),
      onKeepalive(walEnd, isReplyRequested) {
        stream.onKeepalive(walEnd)
        isReplyDue ||= isReplyRequested
      },
      onProtocolMessage: (tag, bytes, start, end) => {
        if (tag === TAG_COPY_BOTH) onStarted()
        else if (tag === TAG_ERROR)
          this.#failure ??= new PostgresError(decodeServerMessage(bytes, start, end))
        else if (tag === TAG_NOTICE) stream.onNotice(decodeServerMessage(bytes, start, end))
        else if (tag === TAG_COPY_DONE) this.#socket.end()
      },
    })
    const take = (chunk: Buffer): void => {
      this.#lastHeardMs = this.#clock.monotonicMs()
      frames.push(chunk)
      if (isReplyDue) this.#sendStatus(false)
      isReplyDue = false
      // A refused START_REPLICATION leaves the session open; this connection is for one stream only.
      if (this.#failure !== null) this.#socket.destroy()
    }
    // Whatever a handler throws ends this connection, never the process.
    this.#divert(contain(take, (error) => this.abort(error)))
  }
}

/** How long a polite end may take before the socket is destroyed. */
const CLOSE_TIMEOUT_MS = 1_000

const connectionLost = (happened: string) => new RowcastError('WIRE_CONNECTION_LOST', happened)
