/**
 * The ways to a real PostgreSQL: TLS with an authority of its own, certificates of clients, SCRAM bound to the channel, IPv6, a Unix socket. Each
 * carries set-up, stream and resume; what is not as asked for ends with its code and hint, and comes back by itself where it can.
 */
import { chmodSync, chownSync, copyFileSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { toRowcastError } from '../../src/source/db/sqlstate.ts'
import { openReplicationConnection } from '../../src/wire/connection.ts'
import { buildRowcast, TABLES, watchOf } from '../scenarios/scenario.ts'
import { createAuthority, hasOpenssl, type TestAuthority } from '../support/certificates.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openFolder, openPostgres, type TestPostgres } from '../support/postgres.ts'
import { openTlsMiddleman } from '../support/tls-middleman.ts'

const PASSWORD = 'pä ss\u00a0wort%/@'
const HBA = `local all all scram-sha-256
host all postgres 127.0.0.1/32 scram-sha-256
hostssl all certified all cert
hostssl all clear all password
hostssl all hashed all md5
hostssl all trusted all trust
host all bound all scram-sha-256
`
const ROLES = ['bound', 'certified', 'clear', 'hashed', 'trusted']

let postgres: TestPostgres
let database: TestDatabase
let authority: TestAuthority
const parts: AsyncDisposable[] = []

/** Ends with the file, the newest first. */
function keep<Part extends AsyncDisposable>(part: Part): Part {
  parts.unshift(part)
  return part
}

/** The server has these files from its next look at its settings on. */
async function present(name: string): Promise<void> {
  const { uid, gid } = statSync(postgres.cluster.dataFolder)
  for (const ending of ['pem', 'key'] as const) {
    const path = authority.file(`server-now.${ending}`)
    copyFileSync(authority.file(`${name}.${ending}`), path)
    chownSync(path, uid, gid)
    chmodSync(path, 0o600)
  }
  await database.query('SELECT pg_reload_conf()')
}

/** An address of the server; `%` and others of the password are encoded. */
function addressOf(
  user: string,
  parameters: Readonly<Record<string, string>>,
  host = 'localhost',
  port = postgres.cluster.port,
): string {
  const query = new URLSearchParams(parameters).toString()
  return `postgresql://${user}:${encodeURIComponent(PASSWORD)}@${host}:${port}/${database.name}?${query}`
}

const VERIFIED = () => ({ sslmode: 'verify-full', sslrootcert: authority.root })
const certificateOf = (name: string) => ({
  sslcert: authority.file(`${name}.pem`),
  sslkey: authority.file(`${name}.key`),
})

/** What a replication connection and plain SQL alike end with; null: both are had. */
async function failureAt(address: string) {
  const target = { ...parseConnectionTarget(address), waits: { answerTimeoutMs: 10_000 } }
  const [sql, stream] = await Promise.all([
    withSqlClient(target, (each) => each.query('SELECT')).then(
      () => null,
      (error: unknown) => toRowcastError(error, target),
    ),
    openReplicationConnection(target, { applicationName: 'test' }).then(
      async (connection) => {
        await connection.close()
        return null
      },
      (error: unknown) => toRowcastError(error, target),
    ),
  ])
  expect(stream?.code).toBe(sql?.code)
  for (const failure of [sql, stream])
    expect(JSON.stringify([failure?.message, failure])).not.toContain('wort')
  return stream
}

const hasParts = hasOpenssl()

beforeAll(async () => {
  if (!hasParts) return
  const folder = keep(await openFolder(0o777))
  authority = createAuthority(folder.path)
  const file = (name: string) => authority.file(name)
  postgres = keep(
    await openPostgres({
      settings: {
        listen_addresses: '127.0.0.1,::1',
        unix_socket_directories: folder.path,
        ssl_cert_file: file('server-now.pem'),
        ssl_key_file: file('server-now.key'),
        ssl_ca_file: authority.root,
        ssl_crl_file: file('crl.pem'),
        wal_sender_timeout: '5s',
      },
    }),
  )
  const names = 'DNS:localhost,IP:::1'
  authority.issue('server', { commonName: 'localhost', names })
  authority.issue('expired', { commonName: 'localhost', names, end: '20210101000000Z' })
  authority.issue('future', { commonName: 'localhost', names, start: '20980101000000Z' })
  authority.issue('revoked-server', { commonName: 'localhost', names })
  authority.issue('middleman', { commonName: 'localhost', names })
  authority.issue('certified', { commonName: 'certified' })
  authority.issue('other-user', { commonName: 'somebody' })
  authority.issue('old-user', { commonName: 'certified', end: '20210101000000Z' })
  authority.issue('revoked-user', { commonName: 'certified' })
  authority.revoke('revoked-server', 'revoked-user')
  database = keep(await openDatabase({ serverUrl: postgres.cluster.connectionString() }))
  writeFileSync(join(postgres.cluster.dataFolder, 'pg_hba.conf'), HBA)
  for (const role of ROLES) {
    await database.query(`SET password_encryption = '${role === 'hashed' ? 'md5' : 'scram-sha-256'}'`)
    await database.query(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${PASSWORD}'`)
  }
  await database.query('ALTER SYSTEM SET ssl = on')
  await present('server')
  await database.query(TABLES)
  await vi.waitUntil(async () => (await failureAt(addressOf('bound', VERIFIED()))) === null, 20_000)
}, 120_000)

afterAll(async () => {
  for (const part of parts) await part[Symbol.asyncDispose]()
})

describe.skipIf(!hasParts)('a real server', () => {
  it('is read over TLS of every kind, IPv6 and a Unix socket, each going on where the one before ended', async () => {
    const ways: readonly (readonly [address: string, shown: Record<string, unknown>])[] = [
      [addressOf('bound', VERIFIED()), { ssl: true, dn: null }],
      [addressOf('bound', { ...VERIFIED(), channel_binding: 'require' }), { ssl: true }],
      [
        addressOf('bound', { ...VERIFIED(), channel_binding: 'prefer' }, '[::1]'),
        { ssl: true, address: '::1' },
      ],
      [
        addressOf('certified', { ...VERIFIED(), ...certificateOf('certified') }),
        { ssl: true, dn: '/CN=certified' },
      ],
      [addressOf('bound', { ...VERIFIED(), sslcrl: authority.file('crl.pem') }), { ssl: true }],
      [addressOf('bound', {}, '[::1]'), { ssl: false, address: '::1' }],
      [addressOf('bound', {}, encodeURIComponent(dirname(authority.root))), { ssl: false, address: null }],
    ]
    let cursor: string | undefined
    for (const [index, [connectionString, shown]] of ways.entries()) {
      const rowcast = buildRowcast(database, { options: { connectionString } })
      onTestFinished(() => rowcast.stop())
      await rowcast.enable()
      const insert = () => database.query('INSERT INTO items VALUES ($1)', [index])
      // While nobody reads: it is not lost.
      if (cursor !== undefined) await insert()
      rowcast.start()
      await rowcast.ready()
      const [reader] = await database.query(
        `SELECT ssl, client_dn AS dn, host(client_addr) AS address FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)`,
      )
      expect(reader, connectionString).toMatchObject(shown)
      const watch = watchOf(rowcast, 'Item', cursor)
      if (cursor === undefined) await insert()
      const change = await watch.next()
      expect(change).toMatchObject({ action: 'INSERT', new: { id: index } })
      cursor = change.cursor
      await rowcast.stop()
    }
  }, 60_000)

  it.each([
    [
      'a host that the certificate does not name',
      () => addressOf('bound', VERIFIED(), '127.0.0.1'),
      'SOURCE_TLS_FAILED',
      /of another host/,
    ],
    [
      'an authority that is not known here',
      () => addressOf('bound', { sslmode: 'verify-full' }),
      'SOURCE_TLS_FAILED',
      /not trusted here/,
    ],
    [
      'no certificate of the client',
      () => addressOf('certified', VERIFIED()),
      'SOURCE_AUTHENTICATION_FAILED',
      /28000/,
    ],
    [
      'a certificate of another user',
      () => addressOf('certified', { ...VERIFIED(), ...certificateOf('other-user') }),
      'SOURCE_AUTHENTICATION_FAILED',
      /28000/,
    ],
    [
      'a client’s certificate that has expired',
      () => addressOf('certified', { ...VERIFIED(), ...certificateOf('old-user') }),
      'SOURCE_TLS_FAILED',
      /does not accept the certificate.*EXPIRED/,
    ],
    [
      'a client’s certificate that is revoked',
      () => addressOf('certified', { ...VERIFIED(), ...certificateOf('revoked-user') }),
      'SOURCE_TLS_FAILED',
      /does not accept the certificate.*REVOKED/,
    ],
    [
      'no TLS where only TLS is let in',
      () => addressOf('certified', {}),
      'SOURCE_AUTHENTICATION_FAILED',
      /no encryption/,
    ],
    [
      'a binding without TLS',
      () => addressOf('bound', { channel_binding: 'require' }),
      'SOURCE_CHANNEL_UNBOUND',
      /SCRAM-SHA-256 alone/,
    ],
    [
      'a binding, and the password is asked for',
      () => addressOf('clear', { ...VERIFIED(), channel_binding: 'require' }),
      'SOURCE_CHANNEL_UNBOUND',
      /the password itself/,
    ],
    [
      'a binding, and an MD5 hash is asked for',
      () => addressOf('hashed', { ...VERIFIED(), channel_binding: 'require' }),
      'SOURCE_CHANNEL_UNBOUND',
      /MD5/,
    ],
    [
      'a binding, and everybody is let in',
      () => addressOf('trusted', { ...VERIFIED(), channel_binding: 'require' }),
      'SOURCE_CHANNEL_UNBOUND',
      /without proof/,
    ],
  ] as const)('%s is named', async (_, address, code, words) => {
    const failure = await failureAt(address())
    expect(failure).toMatchObject({ code })
    expect(failure?.happened).toMatch(words)
  })

  it('who ends TLS in between with a certificate of the same authority gets nothing where the channel is to be bound', async () => {
    await using middleman = await openTlsMiddleman(postgres.cluster.port, {
      key: authority.file('middleman.key'),
      certificate: authority.file('middleman.pem'),
    })
    const address = (more: Record<string, string>) =>
      addressOf('bound', { ...VERIFIED(), ...more }, 'localhost', middleman.port)
    expect(await failureAt(address({}))).toBeNull()
    for (const channel_binding of ['require', 'prefer'])
      expect(await failureAt(address({ channel_binding }))).toMatchObject({
        code: 'SOURCE_AUTHENTICATION_FAILED',
      })
  })

  it('a server that asks for the password gets no byte of it where the channel is to be bound', async () => {
    const received: Buffer[] = []
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (bytes) => received.push(bytes))
      // AuthenticationCleartextPassword.
      socket.once('data', () => socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3])))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
    const { port } = server.address() as AddressInfo
    const address = addressOf('bound', { channel_binding: 'require' }, '127.0.0.1', port)
    expect(await failureAt(address)).toMatchObject({ code: 'SOURCE_CHANNEL_UNBOUND' })
    expect(Buffer.concat(received).toString('utf8')).not.toContain('wort')
  })

  it('that shows a bad certificate from some moment on is named, and read on once it has a good one: nothing is lost', async () => {
    const address = addressOf('bound', { ...VERIFIED(), sslcrl: authority.file('crl.pem') })
    const rowcast = buildRowcast(database, { options: { connectionString: address } })
    onTestFinished(() => rowcast.stop())
    await rowcast.enable()
    rowcast.start()
    await rowcast.ready()
    const changes = watchOf(rowcast, 'Item')
    await present('expired')
    await expect.poll(() => failureAt(address)).not.toBeNull()
    await database.query('SELECT pg_terminate_backend(pid) FROM pg_stat_replication')
    await expect.poll(() => rowcast.status().lastError?.code).toBe('SOURCE_TLS_FAILED')
    await database.query(`INSERT INTO items VALUES (-1, 'while it was bad')`)
    const faults = [
      ['expired', /has expired/, /Renew the certificate/],
      ['future', /not valid yet/, /clock of this machine/],
      ['revoked-server', /revoked/, /new certificate/],
    ] as const
    for (const [name, words, hint] of faults) {
      await present(name)
      await expect.poll(async () => (await failureAt(address))?.happened).toMatch(words)
      expect(await failureAt(address)).toMatchObject({
        ...{ code: 'SOURCE_TLS_FAILED', hint: expect.stringMatching(hint) },
      })
    }
    await present('server')
    expect(await changes.next()).toMatchObject({ action: 'INSERT', new: { note: 'while it was bad' } })
  }, 60_000)
})
