/** A Redis whose TLS is not as asked for: the error names the matter, and says what to do about it. Real handshakes. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer as createPlainServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { expect, it, onTestFinished } from 'vitest'
import { openRedisConnection } from '../../../src/broker/redis/redis-connection.ts'
import { createAuthority, hasOpenssl } from '../../support/certificates.ts'

/** What a connection to the port of a server fails with. */
async function failureAt(server: ReturnType<typeof createPlainServer>) {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  return openRedisConnection({ url: `rediss://:hunter2@localhost:${port}`, name: 'test' }).then(
    () => null,
    (error: unknown) => error,
  )
}

it.skipIf(!hasOpenssl())('names what is wrong with the certificate', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rowcast-redis-tls-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const authority = createAuthority(folder)
  authority.issue('redis', { commonName: 'redis.example.com', names: 'DNS:redis.example.com' })
  const [key, cert] = ['key', 'pem'].map((ending) => readFileSync(authority.file(`redis.${ending}`)))
  expect(await failureAt(createServer({ key, cert }))).toMatchObject({
    code: 'BROKER_UNREACHABLE',
    happened: expect.stringMatching(
      /^Redis at localhost:\d+ shows a certificate that is not trusted here \(UNABLE_TO/,
    ),
    hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
  })
})

it('names a server that speaks no TLS', async () => {
  const server = createPlainServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('-ERR unknown command\r\n'))
  })
  expect(await failureAt(server)).toMatchObject({
    code: 'BROKER_UNREACHABLE',
    hint: expect.stringContaining('redis://'),
  })
})
