/** Stage 8, server. Binds a port, and says where it can be reached. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describeError } from '../../describe-error.ts'
import { RowcastError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'

/** Where a server can be reached. */
export interface ListenAddress {
  readonly url: string
  readonly port: number
}

/**
 * Connections that wait to be accepted, of which Node.js takes one in each turn of the event loop. Beyond it the system drops the first packet of the
 * next, whose client tries again after seconds; it has a bound of its own, mostly the same.
 */
const BACKLOG = 4_096

/** Hosts that mean every address of the machine. */
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** Whether the host means every address of the machine. */
export function isWildcard(host: string): boolean {
  return WILDCARDS.has(host)
}

/** The address in one text: that of IPv6 stands in brackets. */
export function addressOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Listens; port 0 takes a free one. @throws SERVER_PORT_IN_USE, SERVER_LISTEN_FAILED */
export async function listenOn(
  http: Server,
  host: string,
  port: number,
  logger: Logger,
): Promise<ListenAddress> {
  const address = await listen(http, host, port)
  // Accepting may fail at any time (no descriptor left); without a listener that would end the process.
  http.on('error', (error) => logger.error('A connection could not be accepted.', describeError(error)))
  return { url: addressOf(isWildcard(host) ? 'localhost' : host, address.port), port: address.port }
}

function listen(http: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => reject(toListenError(error, host, port)))
    http.listen({ host, port, backlog: BACKLOG }, () => {
      const address = http.address()
      if (address !== null && typeof address === 'object') resolve(address)
    })
  })
}

function toListenError(error: NodeJS.ErrnoException, host: string, port: number): RowcastError {
  return error.code === 'EADDRINUSE'
    ? new RowcastError('SERVER_PORT_IN_USE', `Port ${port} on ${host} is taken by another program.`, {
        cause: error,
        details: { host, port },
        hint: `Stop it, or choose another port: PORT=${port + 1}, or PORT=0 for any free one.`,
      })
    : new RowcastError(
        'SERVER_LISTEN_FAILED',
        `Cannot listen on ${host}, port ${port}: ${error.code ?? error.name}.`,
        { cause: error, details: { host, port } },
      )
}
