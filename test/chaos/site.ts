/** Where the database is: one primary at a time, and what a failover leaves behind. */

import type { PostgresCluster } from '../../src/embedded/postgres-cluster.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { parseLsn } from '../../src/wire/lsn.ts'
import { openPostgres } from '../support/postgres.ts'
import { openCopy } from '../support/standby.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { Timelines } from './timelines.ts'

const DATABASE = 'chaos'
const SETTINGS = { wal_sender_timeout: '10s', max_connections: 60 }

/** One database, wherever it is. */
export interface Site {
  /** The primary of now. */
  readonly cluster: PostgresCluster
  readonly target: ReturnType<PostgresCluster['target']>
  readonly databaseUrl: string
  /** An address that leads to the primary of now. */
  readonly writersUrl: string
  readonly timelines: Timelines
  /**
   * A standby with all that was committed is promoted, and writers are led to it; nothing may be written meanwhile.
   * @returns the old primary, which lives on
   */
  failOver(): Promise<PostgresCluster>
}

/** Starts it. */
export async function openSite(closing: AsyncDisposable[]): Promise<Site> {
  const postgres = await openPostgres({ settings: SETTINGS })
  closing.push(postgres)
  let { cluster } = postgres
  await cluster.createDatabase(DATABASE)
  const writersProxy = await openTcpProxy(cluster.port)
  closing.push(writersProxy)
  const writersUrl = new URL(cluster.connectionString(DATABASE))
  writersUrl.port = String(writersProxy.port)
  const timelines = new Timelines()
  return {
    get cluster() {
      return cluster
    },
    get target() {
      return cluster.target(DATABASE)
    },
    get databaseUrl() {
      return cluster.connectionString(DATABASE)
    },
    ...{ writersUrl: writersUrl.href, timelines },
    async failOver() {
      const old = cluster
      const standby = await openCopy(old, SETTINGS)
      closing.push(standby)
      const [end] = await withSqlClient(standby.cluster.target(), async (sql) => {
        const read = await sql.query<{ lsn: string }>('SELECT pg_last_wal_replay_lsn()::text AS lsn')
        await sql.query('SELECT pg_promote()')
        return read
      })
      timelines.fork(2, parseLsn(end?.lsn ?? '0/0'))
      cluster = standby.cluster
      writersProxy.retarget(cluster.port)
      writersProxy.cut()
      return old
    },
  }
}
