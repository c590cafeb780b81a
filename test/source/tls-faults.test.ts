/** A server whose TLS is not as asked for: each fault has words and a hint of its own. Real handshakes, certificates made by openssl. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext, TLSSocket } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { toRowcastError } from '../../src/source/db/sqlstate.ts'
import { openReplicationConnection } from '../../src/wire/connection.ts'
import { Swallower } from '../support/swallower.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const folder = mkdtempSync(join(tmpdir(), 'rowcast-tls-'))
const file = (name: string) => join(folder, name)
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })

const hasOpenssl = (() => {
  try {
    openssl('version')
    return true
  } catch {
    process.stdout.write('Skipped: there is no openssl to make certificates with.\n')
    return false
  }
})()

/** A certificate of localhost, signed by itself; `openssl ca` is what takes an end in the past. */
function makeCertificate(name: string, endDate: string, host: string): void {
  const config = `[ca]\ndefault_ca=own\n[own]\ndatabase=index\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256\npolicy=any\nx509_extensions=ext
[any]\ncommonName=supplied\n[ext]\nsubjectAltName=DNS:${host}\nbasicConstraints=CA:TRUE\n`
  writeFileSync(file('ca.cnf'), config)
  writeFileSync(file('index'), '')
  writeFileSync(file('serial'), '01\n')
  openssl(
    'req',
    '-new',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    `/CN=${host}`,
  )
  const dates = ['-startdate', '20200101000000Z', '-enddate', endDate]
  openssl(
    'ca',
    '-batch',
    '-config',
    'ca.cnf',
    '-selfsign',
    '-keyfile',
    `${name}.key`,
    '-in',
    `${name}.csr`,
    '-out',
    `${name}.pem`,
    ...dates,
  )
}

const servers: Server[] = []

/** What begins as PostgreSQL does: SSLRequest is answered with one byte, and after S comes the handshake. */
async function serve(certificate: string | null): Promise<number> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.write(certificate === null ? 'N' : 'S')
      if (certificate === null) return
      const context = {
        key: readFileSync(file(`${certificate}.key`)),
        cert: readFileSync(file(`${certificate}.pem`)),
      }
      const secured = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(context) })
      secured.on('error', () => undefined)
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function connect(certificate: string | null, parameters: string) {
  const port = await serve(certificate)
  const target = parseConnectionTarget(`postgresql://ada:hunter2@localhost:${port}/app?${parameters}`)
  const outcome = await openReplicationConnection(target, { applicationName: 'test' }).then(
    () => null,
    (error: unknown) => toRowcastError(error, target),
  )
  if (outcome === null) throw new Error('It connected.')
  expect(JSON.stringify([outcome.message, outcome])).not.toContain('hunter2')
  return outcome
}

afterAll(() => {
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(!hasOpenssl)('TLS', () => {
  it.each([
    [
      'an authority that nobody has',
      'good',
      'sslmode=verify-full',
      /not trusted here \(DEPTH_ZERO_SELF_SIGNED_CERT/,
      /sslrootcert/,
    ],
    [
      'a certificate of another host',
      'other',
      `sslmode=verify-full&sslrootcert=${file('other.pem')}`,
      /of another host \(ERR_TLS_CERT_ALTNAME_INVALID/,
      /as the certificate names it/,
    ],
    [
      'a certificate that has expired',
      'old',
      `sslmode=verify-full&sslrootcert=${file('old.pem')}`,
      /has expired \(CERT_HAS_EXPIRED/,
      /Renew the certificate/,
    ],
  ])('%s', async (_, certificate, parameters, words, hint) => {
    makeCertificate('good', '20990101000000Z', 'localhost')
    makeCertificate('other', '20990101000000Z', 'db.example.com')
    makeCertificate('old', '20210101000000Z', 'localhost')
    const error = await connect(certificate, parameters)
    expect(error.code).toBe('SOURCE_TLS_FAILED')
    expect(error.happened).toMatch(words)
    expect(error.hint).toMatch(hint)
  })

  it('a server that does not speak it', async () => {
    const error = await connect(null, 'sslmode=verify-full')
    expect(error.code).toBe('SOURCE_CONNECTION_FAILED')
    expect(error.happened).toMatch(/does not support SSL/)
    expect(error.hint).toMatch(/sslmode in DATABASE_URL.*not speak TLS/)
  })

  it('a handshake that falls silent, from any byte on, is given up in time', async () => {
    const port = await serve('good')
    const swallower = new Swallower()
    await using proxy = await openTcpProxy(port, { intercept: swallower.intercept })
    const address = `postgresql://ada:hunter2@localhost:${proxy.port}/app?sslmode=verify-full&sslrootcert=${file('good.pem')}`
    const attempt = () => {
      const target = { ...parseConnectionTarget(address), waits: { answerTimeoutMs: 200 } }
      return openReplicationConnection(target, { applicationName: 'test' }).then(
        () => 'connected',
        (error: unknown) => toRowcastError(error, target).code,
      )
    }
    // Once as it is, to see how long it is: behind the handshake this server says nothing.
    expect(await attempt()).toBe('WIRE_ANSWER_TIMEOUT')
    const length = Math.max(...swallower.brought.values())
    expect(length).toBeGreaterThan(500)
    const afterBytes = [0, 1, 2, 6, ...Array.from({ length: 20 }, (_, n) => Math.floor((length * n) / 20))]
    for (const after of afterBytes) {
      swallower.silence = { from: 0, to: Number.POSITIVE_INFINITY, afterBytes: after }
      expect(await attempt(), `after ${after} bytes`).toBe('WIRE_ANSWER_TIMEOUT')
    }
  })
})
