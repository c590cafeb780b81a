/**
 * Stage 1, wire. The dedicated replication connection, and the only importer of the driver in this folder.
 *
 * The driver does what it is good at (DNS, TLS, passwords, the start-up of the session); just before
 * START_REPLICATION is sent we take its socket over and frame the stream ourselves. Before, because bytes
 * the driver's parser has buffered would be lost; ourselves, because its parser costs an object and an
 * event per message.
 */
import type { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import pg from 'pg'
import { RowcastError } from '../errors.ts'
import type { ConnectionTarget } from './connection-target.ts'
import { createFrameReader, encodeCopyDone, encodeQuery, encodeStatusUpdate } from './frames.ts'
import { computeLivenessTimings, isLinkDead, type LivenessTimings } from './liveness.ts'
import { formatLsn, type Lsn, parseLsn } from './lsn.ts'
import { quoteIdentifier, quoteLiteral, quoteReplicationLiteral } from './quote.ts'
import { decodeServerMessage, PostgresError, type ServerMessage } from './server-message.ts'
import { PINNED_SESSION_SETTINGS } from './session-settings.ts'

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

/** What to stream. */
export interface StreamRequest {
  readonly slot: string
  /** Start after this position; `LSN_ZERO` for the slot's own confirmed position, which is also the floor. */
  readonly startLsn: Lsn
  /** pgoutput's options, as named in the manual's "Logical Streaming Replication Parameters". */
  readonly options: Readonly<Record<string, string>>
}

/** Gets what the server sends. A throw ends the stream with that error. */
export interface StreamHandler {
  /** One output-plugin message lies in `bytes[start, end)`; the view stays valid. */
  onWalData(bytes: Buffer, start: number, end: number): void
  /** The server has sent everything up to `walEnd`. */
  onKeepalive(walEnd: Lsn): void
  /** A warning within the stream. */
  onNotice(notice: ServerMessage): void
  /** What may be confirmed now; asked for each status update. */
  confirmedLsn(): Lsn
}

/** Timer functions and clocks; tests bring their own. */
export interface WireClock {
  /** Milliseconds of a clock that never jumps. */
  monotonicMs(): number
  /** Wall clock, milliseconds since 1970; informative only. */
  unixMs(): number
  setInterval(run: () => void, intervalMs: number): { clear(): void }
}

/** The machine's clocks; its timers do not keep the process alive. */
export const systemClock: WireClock = {
  monotonicMs: () => performance.now(),
  unixMs: () => Date.now(),
  setInterval(run, intervalMs) {
    const timer = setInterval(run, intervalMs)
    timer.unref()
    return { clear: () => clearInterval(timer) }
  },
}

/** A connection in replication mode. */
export interface ReplicationConnection {
  /** Asks the server who it is. Only before `startStream`. */
  identify(): Promise<SystemIdentity>
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
  /** Reports a last time, ends the stream and the connection. */
  close(): Promise<void>
}

/** What the driver keeps to itself: the socket under the session. */
interface DriverInternals {
  readonly connection: { readonly stream: Socket }
}

/** Opens a replication connection.
 * @throws the driver's own error when it cannot; `source/` turns it into a RowcastError.
 */
export async function openReplicationConnection(
  target: ConnectionTarget,
  options: { applicationName: string; connectTimeoutMs: number; clock?: WireClock },
): Promise<ReplicationConnection> {
  const config: pg.ClientConfig & { replication: 'database' } = {
    ...target,
    replication: 'database',
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  }
  const client = new pg.Client(config)
  // Without a listener a connection lost between two awaits would end the process; `closed` tells of it.
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query(sessionSettingsSql())
    const timeout = await client.query<{ wal_sender_timeout: string }>('SHOW wal_sender_timeout')
    const walSenderTimeoutMs = parseIntervalSetting(timeout.rows[0]?.wal_sender_timeout ?? '0')
    return createConnection(client, computeLivenessTimings(walSenderTimeoutMs), options.clock ?? systemClock)
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
}

function sessionSettingsSql(): string {
  return Object.entries(PINNED_SESSION_SETTINGS)
    .map(([name, value]) => `SET ${quoteIdentifier(name)} = ${quoteLiteral(value)}`)
    .join('; ')
}

/** Parses a time setting as SHOW prints it: `1min`, `60s`, `500ms`, `0`. */
export function parseIntervalSetting(text: string): number {
  const match = /^(\d+)\s*(ms|s|min|h|d)?$/.exec(text.trim())
  if (match === null) return 0
  const unitMs = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] ?? 'ms'] ?? 1
  return Number(match[1]) * unitMs
}

function createConnection(
  client: pg.Client,
  timings: LivenessTimings,
  clock: WireClock,
): ReplicationConnection {
  const socket = (client as unknown as DriverInternals).connection.stream
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

  socket.on('error', (error) => {
    failure ??= error
  })
  socket.on('close', () => {
    statusTimer?.clear()
    resolveClosed(
      isClosing ? null : (failure ?? connectionLost('The server closed the replication connection.')),
    )
  })

  function fail(error: Error): void {
    failure ??= error
    socket.destroy()
  }

  function sendStatus(isReplyWanted = false): void {
    if (handler === null || !socket.writable) return
    socket.write(encodeStatusUpdate(handler.confirmedLsn(), clock.unixMs(), isReplyWanted))
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

  /** Wires frames to the handler; every failure in there ends this connection, never the process. */
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
    // Only 'data': what the socket listens to on itself ('end', 'close') keeps it working.
    socket.removeAllListeners('data')
    socket.on('data', (chunk: Buffer) => {
      lastHeardMs = clock.monotonicMs()
      try {
        frames.push(chunk)
        if (isReplyDue) sendStatus()
        isReplyDue = false
        // A refused START_REPLICATION leaves the session open; this connection is for one stream only.
        if (failure !== null) socket.destroy()
      } catch (error) {
        fail(error instanceof Error ? error : new RowcastError('BUG', 'A stream handler threw no Error.'))
      }
    })
  }

  return {
    closed,
    sendStatus: () => sendStatus(),
    async identify() {
      const result = await client.query<{ systemid: string; timeline: number; xlogpos: string }>(
        'IDENTIFY_SYSTEM',
      )
      const row = result.rows[0]
      if (row === undefined) throw new RowcastError('BUG', 'IDENTIFY_SYSTEM returned no row.')
      return { systemId: row.systemid, timeline: Number(row.timeline), flushedLsn: parseLsn(row.xlogpos) }
    },
    async startStream(request, stream) {
      handler = stream
      const started = new Promise<'started'>((resolve) => takeOver(stream, () => resolve('started')))
      socket.write(encodeQuery(startReplicationSql(request)))
      const reason = await Promise.race([started, closed])
      if (reason !== 'started')
        throw reason ?? connectionLost('The connection was closed before the stream began.')
      statusTimer = clock.setInterval(onStatusTimer, timings.statusIntervalMs)
    },
    pause() {
      isPaused = true
      socket.pause()
    },
    resume() {
      isPaused = false
      lastHeardMs = clock.monotonicMs()
      socket.resume()
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
        socket.removeAllListeners('data')
        socket.resume()
        const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS)
        await closed
        clearTimeout(timer)
      }
      await closed
    },
  }
}

/** How long a polite end may take before the socket is destroyed. */
const CLOSE_TIMEOUT_MS = 1_000

function connectionLost(happened: string): RowcastError {
  return new RowcastError('WIRE_CONNECTION_LOST', happened)
}

/** START_REPLICATION SLOT … LOGICAL … (options): every name and value quoted. */
function startReplicationSql(request: StreamRequest): string {
  const options = Object.entries(request.options)
    .map(([name, value]) => `${quoteIdentifier(name)} ${quoteReplicationLiteral(value)}`)
    .join(', ')
  return `START_REPLICATION SLOT ${quoteIdentifier(request.slot)} LOGICAL ${formatLsn(request.startLsn)} (${options})`
}
