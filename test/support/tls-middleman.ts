/** Who stands between a client and PostgreSQL, ends TLS with a certificate of his own, and speaks TLS to the server himself. */
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createSecureContext, connect as secure, TLSSocket } from 'node:tls'

/** SSLRequest. Source: PostgreSQL manual, "Message Formats". */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

/** A middleman on loopback. */
export interface TlsMiddleman extends AsyncDisposable {
  readonly port: number
}

/** Opens one before `127.0.0.1:targetPort`. */
export async function openTlsMiddleman(
  targetPort: number,
  { key, certificate }: { readonly key: string; readonly certificate: string },
): Promise<TlsMiddleman> {
  const secureContext = createSecureContext({ key: readFileSync(key), cert: readFileSync(certificate) })
  const sockets = new Set<Socket>()
  const keep = (socket: Socket, other: () => Socket | null): void => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      sockets.delete(socket)
      other()?.destroy()
    })
  }
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1', () => upstream.write(SSL_REQUEST))
    keep(client, () => upstream)
    keep(upstream, () => client)
    upstream.once('data', () => {
      const toServer = secure({ socket: upstream, rejectUnauthorized: false })
      client.write('S')
      const toClient = new TLSSocket(client, { isServer: true, secureContext })
      keep(toServer, () => toClient)
      keep(toClient, () => toServer)
      toClient.pipe(toServer).pipe(toClient)
    })
    client.once('data', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
