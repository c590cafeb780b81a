/** Several servers in one address: which is taken, and what is said where none is. A failover between two is in failover.pg.test.ts. */
import { createServer } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { checkReplicates, probeReplication } from '../../src/source/db/replication-probe.ts'
import { withDatabaseSession } from '../../src/source/db/sql.ts'
import { openReplicationConnection } from '../../src/wire/connection.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

let database: TestDatabase
let server = ''
let closed = ''
beforeAll(async () => {
  database = await openDatabase()
  server = /@([^/]*)/.exec(database.url)?.[1] ?? ''
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  closed = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  await new Promise((resolve) => listener.close(resolve))
})
afterAll(() => database?.[Symbol.asyncDispose]())

const addressOf = (servers: readonly string[], more = '') =>
  parseConnectionTarget(`${database.url.replace(/@[^/]*/, `@${servers.join(',')}`)}${more}`)
const ask = (target: ReturnType<typeof addressOf>) =>
  withDatabaseSession(target, (sql) => sql.query('SELECT 1 AS one'))

it('takes the first that lets us in, and begins with it the next time, for changes as for questions', async () => {
  const target = addressOf([closed, server])
  expect(await ask(target)).toEqual([{ one: 1 }])
  expect(target.choice?.inOrder().map(({ host, port }) => `${host}:${port}`)).toEqual([server, closed])
  await checkReplicates(target)
  await checkReplicates(addressOf([closed, closed, server], '?target_session_attrs=any'))
})

it('asks the server of an open stream and no other, also while that lets nobody in', async () => {
  await using proxy = await openTcpProxy(Number(server.split(':')[1]))
  const target = addressOf([`127.0.0.1:${proxy.port}`, server], '?target_session_attrs=any')
  const connection = await openReplicationConnection(target, { applicationName: 'rowcast test' })
  proxy.refuse(true)
  const lost = { message: expect.stringContaining(`127.0.0.1:${proxy.port}`) }
  await expect(ask(target)).rejects.toMatchObject(lost)
  await expect(ask(target)).rejects.toMatchObject(lost)
  proxy.refuse(false)
  expect(await ask(target)).toEqual([{ one: 1 }])
  proxy.refuse(true)
  await connection.close()
  expect(await ask(target)).toEqual([{ one: 1 }])
  expect(target.choice?.inOrder()[0]?.port).toBe(Number(server.split(':')[1]))
})

it('names all of them where none is there', async () => {
  const refused = {
    code: 'SOURCE_CONNECTION_REFUSED',
    message: expect.stringContaining(`${closed},${closed}`),
  }
  await expect(ask(addressOf([closed, closed]))).rejects.toMatchObject(refused)
  expect(await probeReplication(addressOf([closed, closed]))).toMatchObject(refused)
})

it('gives the word of a server that refuses where no other takes us', async () => {
  const target = { ...addressOf([closed, server, closed]), database: 'no_such_database' }
  await expect(ask(target)).rejects.toMatchObject({ code: 'SOURCE_DATABASE_MISSING' })
  await expect(checkReplicates(target)).rejects.toMatchObject({ code: 'SOURCE_DATABASE_MISSING' })
})

it('passes over one whose sessions are read-only, where that is asked for', async () => {
  await database.query(`ALTER DATABASE "${database.name}" SET default_transaction_read_only = on`)
  const refused = { code: 'SOURCE_STANDBY_SERVER', message: expect.stringContaining(`${server} answered`) }
  const wanted = addressOf([closed, server], '?target_session_attrs=read-write')
  await expect(ask(wanted)).rejects.toMatchObject(refused)
  await expect(checkReplicates(wanted)).rejects.toMatchObject(refused)
  expect(await ask(addressOf([closed, server]))).toEqual([{ one: 1 }])
})
