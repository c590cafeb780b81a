/** A standby beside its primary: which of them is taken where the address lets both do, and what `doctor` says of each. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Finding } from '../../src/cli/doctor/examination.ts'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { withDatabaseSession } from '../../src/source/db/sql.ts'
import { openReplicationConnection } from '../../src/wire/connection.ts'
import { openCliFolder } from '../cli/run-cli.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openPostgres, type TestPostgres } from '../support/postgres.ts'
import { openCopy } from '../support/standby.ts'

let primary: TestPostgres
let standby: TestPostgres
let database: TestDatabase

beforeAll(async () => {
  primary = await openPostgres()
  const { cluster } = primary
  standby = await openCopy(cluster, {
    primary_conninfo: `host=127.0.0.1 port=${cluster.port} user=postgres password=${cluster.target().password}`,
    hot_standby_feedback: true,
  })
  database = await openDatabase({ migrate: true, serverUrl: cluster.connectionString() })
}, 180_000)
afterAll(async () => {
  for (const part of [database, standby, primary]) await part?.[Symbol.asyncDispose]()
})

/** An address of both, the standby first. */
const both = (more: string) =>
  `${database.url.replace(/@[^/]*/, `@127.0.0.1:${standby.cluster.port},127.0.0.1:${primary.cluster.port}`)}${more}`

it('`any` is a primary where one is there, whichever comes first, and a standby only where none is', async () => {
  const target = parseConnectionTarget(both('?target_session_attrs=any'))
  const isStandby = async () => {
    const [row] = await withDatabaseSession(target, (sql) =>
      sql.query<{ is: boolean }>('SELECT pg_is_in_recovery() AS is'),
    )
    return row?.is
  }
  await expect.poll(isStandby).toBe(false)
  const connection = await openReplicationConnection(target, { applicationName: 'rowcast test' })
  expect(await connection.query('SELECT pg_is_in_recovery() AS is')).toEqual([{ is: false }])
  await connection.close()
  await primary.cluster.stop('fast')
  expect(await isStandby()).toBe(true)
  await primary.cluster.start()
  expect(await isStandby()).toBe(false)
})

it('`doctor` looks at each host of the address', async () => {
  const url = both('').replace(`:${primary.cluster.port}/`, `:${primary.cluster.port},127.0.0.1:1/`)
  await using folder = await openCliFolder({ DATABASE_URL: url }, 'models: { Tag: {} }')
  const { stdout } = await folder.run(['doctor', '--json'])
  const { findings } = JSON.parse(stdout) as { findings: readonly Finding[] }
  const found = (code: string) => findings.filter((each) => each.code === code).map(({ why }) => why)
  expect(found('HOST_UNREACHABLE')).toEqual([
    expect.stringMatching(/^127\.0\.0\.1:1 does not let rowcast in/),
  ])
  expect(found('STANDBY_LACKS_SLOT')).toEqual([
    expect.stringContaining(`:${standby.cluster.port} is a standby`),
  ])
})
