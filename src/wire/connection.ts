/**
 * Stage 1, wire. The dedicated replication connection, and the only importer of the driver in this folder.
 *
 * The driver does what it is good at (DNS, TLS, passwords, the start-up of the session); just before
 * START_REPLICATION is sent we take its socket over and frame the stream ourselves. Before, because bytes
 * the driver's parser has buffered would be lost; ourselves, because its parser costs an object and an
 * event per message.
 */
import type { Buffer } from 'node:buffer'
import pg from 'pg'
import { RowcastError } from '../errors.ts'
import { contain } from '../guard.ts'
import { answerTimeout, withAnswerDeadline } from './answer-deadline.ts'
import { systemClock, type WireClock } from './clock.ts'
import { createDirectSocket, type DirectSocket } from './direct-socket.ts'
import { driverSocket, isEndedByServer, serverPidOf } from './driver-socket.ts'
import { type DriverTarget, type WaitBounds, waitBoundsOf } from './driver-target.ts'
import { createFrameReader, encodeCopyDone, encodeQuery, encodeStatusUpdate } from './frames.ts'
import { isLinkDead, type LivenessTimings } from './liveness.ts'
import { LSN_ZERO, type Lsn, parseLsn } from './lsn.ts'
import { prepareSession } from './prepare-session.ts'
import { decodeServerMessage, PostgresError, type ServerMessage } from './server-message.ts'
import { formatStartReplication, type StreamRequest } from './start-replication.ts'

const TAG_COPY_BOTH = 0x57 // 'W'
const TAG_ERROR = 0x45 // 'E'
const TAG_NOTICE = 0x4e // 'N'
const TAG_COPY_DONE = 0x63 // 'c'

/** Which database cluster this is. Source: manual, "IDENTIFY_SYSTEM". */
export interface SystemIdentity {
  readonly systemId: string
  readonly timeline: number
  /** Current WAL flush position. */
  readonly flushedLsn: Lsn
}

/** Gets what the server sends. A throw ends the stream with that error. */
export interface StreamHandler {
  /** The server has begun; called before anything else of the stream. */
  onStarted?(): void
  /** One output-plugin message lies in `bytes[start, end)`, valid during the call only. */
  onWalData(bytes: Buffer, start: number, end: number): void
  /** The server has sent everything up to `walEnd`. */
  onKeepalive(walEnd: Lsn): void
  /** A warning within the stream. */
  onNotice(notice: ServerMessage): void
  /** What may be confirmed now, so that PostgreSQL forgets it; asked for each status update. */
  confirmedLsn(): Lsn
  /** What has been dealt with, at or after the confirmed position. @default confirmedLsn */
  writtenLsn?(): Lsn
}

/** How a query waits. */
export interface QueryOptions {
  /** Waits for as long as it takes: for transactions of others, that may be long. @default false */
  readonly isPatient?: boolean | undefined
}

/** A connection in replication mode. */
export interface ReplicationConnection {
  /** Process id of the walsender. */
  readonly serverPid: number
  /** Asks the server who it is. Only before `startStream`. */
  identify(): Promise<SystemIdentity>
  /** Runs SQL without parameters, or a replication command. Only before `startStream`. @throws WIRE_ANSWER_TIMEOUT, PostgresError */
  query<Row extends object>(text: string, options?: QueryOptions): Promise<readonly Row[]>
  /**
   * Starts streaming. Resolves once the server has switched to copy mode: from then on frames flow.
   * @throws PostgresError with the server's SQLSTATE when it refuses.
   */
  startStream(request: StreamRequest, handler: StreamHandler): Promise<void>
  /** Resolves with the reason when the stream is over: an error, or null after `close()`. */
  readonly closed: Promise<Error | null>
  /** Reports the confirmed position now. */
  sendStatus(): void
  /** Stops (and resumes) reading; reports go on meanwhile, so the server keeps the connection. */
  pause(): void
  resume(): void
  /** Ends the connection at once; `closed` resolves with the reason. */
  abort(reason: Error): void
  /** Reports a last time, ends the stream and the connection. */
  close(): Promise<void>
}

/** Opens a replication connection.
 * @throws the driver's own error when it cannot; `source/` turns it into a RowcastError.
 */
export async function openReplicationConnection(
  target: DriverTarget,
  options: WaitBounds & { applicationName: string; clock?: WireClock },
): Promise<ReplicationConnection> {
  const { answerTimeoutMs, end } = waitBoundsOf(target, options)
  if (end.aborted !== null) throw connectionLost('Nobody wants the connection any more.')
  const direct = createDirectSocket()
  const config: pg.ClientConfig & { replication: 'database' } = {
    ...target,
    stream: () => direct.socket,
    replication: 'database',
    application_name: options.applicationName,
    connectionTimeoutMillis: answerTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  }
  const client = new pg.Client(config)
  // Without a listener a connection lost between two awaits would end the process; `closed` reports it.
  client.on('error', () => {})
  // Until it is a stream; what a stream has confirmed it says before it ends.
  const stopListening = end.onAbort(() => driverSocket(client).destroy())
  try {
    await client.connect().catch((error: unknown) => {
      throw isEndedByServer(client, error)
        ? connectionLost('The server ended the session before it began.')
        : error
    })
    const timings = await prepareSession(client, answerTimeoutMs)
    return createConnection(client, direct, { ...timings, answerTimeoutMs }, options.clock ?? systemClock)
  } finally {
    stopListening()
  }
}

function createConnection(
  client: pg.Client,
  direct: DirectSocket,
  timings: LivenessTimings & { readonly answerTimeoutMs: number },
  clock: WireClock,
): ReplicationConnection {
  const socket = driverSocket(client)
  /** Under TLS the driver reads from a socket of its own. */
  const isDirect = socket === direct.socket
  const flow: { pause(): unknown; resume(): unknown } = isDirect ? direct : socket
  /** The last flushed position that this connection reported. */
  let reportedLsn = LSN_ZERO
  let handler: StreamHandler | null = null
  let statusTimer: { clear(): void } | null = null
  let lastHeardMs = clock.monotonicMs()
  let isPaused = false
  let isClosing = false
  let failure: Error | null = null
  let resolveClosed: (reason: Error | null) => void = () => {}
  const closed = new Promise<Error | null>((resolve) => {
    resolveClosed = resolve
  })

  const endOf = () =>
    isClosing ? null : (failure ?? connectionLost('The server closed the replication connection.'))
  const onError = (error: Error): void => {
    failure ??= error
  }
  const onClose = (): void => {
    statusTimer?.clear()
    resolveClosed(endOf())
  }
  socket.on('error', contain(onError, resolveClosed))
  socket.on('close', contain(onClose, resolveClosed))

  function ask<Row extends object>(text: string, deadlineMs: number | null = timings.answerTimeoutMs) {
    return withAnswerDeadline(client, deadlineMs, () => client.query<Row>(text))
  }

  function fail(error: Error): void {
    failure ??= error
    socket.destroy()
  }

  /**
   * The flushed position is sent only when it is news. A walsender that is asked to shut down waits until the
   * flushed position, or without one the written position, is all it has sent: a confirmed position that is
   * kept back would keep PostgreSQL from stopping. Source: WalSndDone in walsender.c.
   */
  function sendStatus(isReplyWanted = false): void {
    if (handler === null || !socket.writable) return
    const confirmed = handler.confirmedLsn()
    const written = handler.writtenLsn?.() ?? confirmed
    const flushed = confirmed === reportedLsn && written !== confirmed ? LSN_ZERO : confirmed
    reportedLsn = confirmed
    socket.write(encodeStatusUpdate(written, flushed, clock.unixMs(), isReplyWanted))
  }

  function onStatusTimer(): void {
    if (isPaused) lastHeardMs = clock.monotonicMs()
    const silentMs = clock.monotonicMs() - lastHeardMs
    if (isLinkDead(timings, silentMs)) {
      fail(connectionLost(`The server has been silent for ${Math.round(silentMs)} ms.`))
      return
    }
    sendStatus(silentMs >= timings.askAfterMs)
  }

  /** Gives what arrives from now on to `take`, which may use the bytes during the call only. */
  function divert(take: (bytes: Buffer) => void): void {
    // Only 'data': what the socket listens to on itself ('end', 'close') keeps it working.
    socket.removeAllListeners('data')
    if (isDirect) direct.take = take
    else socket.on('data', take)
  }

  /** Wires frames to the handler. */
  function takeOver(stream: StreamHandler, onStarted: () => void): void {
    let isReplyDue = false
    const frames = createFrameReader({
      onWalData: (bytes, start, end) => stream.onWalData(bytes, start, end),
      onKeepalive(walEnd, isReplyRequested) {
        stream.onKeepalive(walEnd)
        isReplyDue ||= isReplyRequested
      },
      onProtocolMessage(tag, bytes, start, end) {
        if (tag === TAG_COPY_BOTH) onStarted()
        else if (tag === TAG_ERROR) failure ??= new PostgresError(decodeServerMessage(bytes, start, end))
        else if (tag === TAG_NOTICE) stream.onNotice(decodeServerMessage(bytes, start, end))
        else if (tag === TAG_COPY_DONE) socket.end()
      },
    })
    const take = (chunk: Buffer): void => {
      lastHeardMs = clock.monotonicMs()
      frames.push(chunk)
      if (isReplyDue) sendStatus()
      isReplyDue = false
      // A refused START_REPLICATION leaves the session open; this connection is for one stream only.
      if (failure !== null) socket.destroy()
    }
    // Whatever a handler throws ends this connection, never the process.
    divert(contain(take, fail))
  }

  return {
    closed,
    serverPid: serverPidOf(client),
    sendStatus: () => sendStatus(),
    abort: fail,
    async query<Row extends object>(text: string, { isPatient = false }: QueryOptions = {}) {
      return (await ask<Row>(text, isPatient ? null : timings.answerTimeoutMs)).rows
    },
    async identify() {
      const result = await ask<{ systemid: string; timeline: number; xlogpos: string }>('IDENTIFY_SYSTEM')
      const row = result.rows[0]
      if (row === undefined) throw new RowcastError('BUG', 'IDENTIFY_SYSTEM returned no row.')
      return { systemId: row.systemid, timeline: Number(row.timeline), flushedLsn: parseLsn(row.xlogpos) }
    },
    async startStream(request, stream) {
      handler = stream
      const started = new Promise<'started'>((resolve) =>
        takeOver(stream, () => {
          stream.onStarted?.()
          resolve('started')
        }),
      )
      socket.write(encodeQuery(formatStartReplication(request)))
      const giveUp = () => fail(answerTimeout(timings.answerTimeoutMs))
      const deadline = setTimeout(contain(giveUp, fail), timings.answerTimeoutMs)
      const reason = await Promise.race([started, closed])
      clearTimeout(deadline)
      if (reason !== 'started')
        throw reason ?? connectionLost('The connection was closed before the stream began.')
      statusTimer = clock.setInterval(contain(onStatusTimer, fail), timings.statusIntervalMs)
      // Its answer shows at once how far behind the stream begins.
      sendStatus(true)
    },
    pause() {
      isPaused = true
      flow.pause()
    },
    resume() {
      isPaused = false
      lastHeardMs = clock.monotonicMs()
      flow.resume()
    },
    async close() {
      if (!isClosing) {
        isClosing = true
        statusTimer?.clear()
        if (handler === null) client.end().catch(() => {})
        else if (socket.writable) {
          sendStatus()
          socket.end(encodeCopyDone())
        }
        // The server may still have megabytes to send; nobody is interested any more.
        divert(() => {})
        flow.resume()
        const timer = setTimeout(
          contain(() => void socket.destroy(), fail),
          CLOSE_TIMEOUT_MS,
        )
        await closed
        clearTimeout(timer)
      }
      await closed
    },
  }
}

/** How long a polite end may take before the socket is destroyed. */
const CLOSE_TIMEOUT_MS = 1_000

const connectionLost = (happened: string) => new RowcastError('WIRE_CONNECTION_LOST', happened)
