/** Stage 1, wire. Sessions of the driver for replication, each with the socket that its stream reads from: one attempt after the other, until one is let in. */
import type pg from 'pg'
import { RowcastError } from '../errors.ts'
import { withAnswerDeadline } from './answer-deadline.ts'
import { createDirectSocket, type DirectSocket } from './direct-socket.ts'
import { createDriverClient } from './driver-client.ts'
import { driverSocket, isEndedByServer } from './driver-socket.ts'
import type { DriverTarget } from './driver-target.ts'

/** One that is let in. Its stream reads from `direct`, but under TLS and where somebody else makes the sockets. */
export interface ReplicationSession {
  readonly client: pg.Client
  readonly direct: DirectSocket
}

/** The attempts of one connection. */
export class ReplicationSessions {
  readonly #applicationName: string
  readonly #answerTimeoutMs: number
  #current: pg.Client | null = null

  constructor(applicationName: string, answerTimeoutMs: number) {
    this.#applicationName = applicationName
    this.#answerTimeoutMs = answerTimeoutMs
  }

  async connect(server: DriverTarget): Promise<ReplicationSession> {
    const direct = createDirectSocket()
    const client = createDriverClient(this.#configOf(server, direct), server)
    this.#current = client
    // Without a listener a connection lost between two awaits would end the process; `closed` reports it.
    client.on('error', () => {})
    await withAnswerDeadline(client, this.#answerTimeoutMs, () => client.connect()).catch(
      (error: unknown) => {
        throw isEndedByServer(client, error)
          ? new RowcastError('WIRE_CONNECTION_LOST', 'The server ended the session before it began.')
          : error
      },
    )
    return { client, direct }
  }

  /** Ends the attempt that is under way, or the session that it has become. */
  destroy(): void {
    if (this.#current !== null) driverSocket(this.#current).destroy()
  }

  #configOf(server: DriverTarget, direct: DirectSocket): pg.ClientConfig & { replication: 'database' } {
    return {
      ...server,
      stream: server.stream ?? (() => direct.socket),
      replication: 'database',
      application_name: this.#applicationName,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    }
  }
}
