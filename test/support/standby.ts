/** A physical standby of a test's PostgreSQL, made by copying its stopped data folder. */
import { execFile } from 'node:child_process'
import { chown, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  createPostgresCluster,
  type PostgresCluster,
  type PostgresClusterOptions,
} from '../../src/embedded/postgres-cluster.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { ownCluster, type TestPostgres, testPackage } from './postgres.ts'

/** The physical slot that the standby reads. */
const STANDBY_SLOT = 'standby_1'

/**
 * Makes a standby that streams from the primary and synchronises its failover slots (PostgreSQL 17+). The primary
 * is restarted on the way.
 */
export async function openStandby(primary: TestPostgres): Promise<TestPostgres> {
  const { cluster } = primary
  await withSqlClient(cluster.target(), (sql) =>
    sql.query('SELECT pg_create_physical_replication_slot($1, true)', [STANDBY_SLOT]),
  )
  const { password } = cluster.target()
  return openCopy(cluster, {
    primary_conninfo: `host=127.0.0.1 port=${cluster.port} user=postgres password=${password} dbname=postgres application_name=${STANDBY_SLOT}`,
    primary_slot_name: STANDBY_SLOT,
    hot_standby_feedback: true,
    sync_replication_slots: true,
  })
}

/**
 * Makes a standby of all that the server has, its slots included, that follows nobody: ready to be promoted, while the server
 * lives on. That one is restarted on the way.
 */
export async function openCopy(
  cluster: PostgresCluster,
  settings: PostgresClusterOptions['settings'],
): Promise<TestPostgres> {
  return ownCluster(async (dataFolder) => {
    await cluster.stop('fast')
    await promisify(execFile)('cp', ['-a', cluster.dataFolder, dataFolder])
    await cluster.start()
    await writeSignal(dataFolder)
    return createPostgresCluster({ dataFolder, ...testPackage(), settings, isDisposable: true })
  })
}

/** As the owner of the data: PostgreSQL removes the file at the promotion. */
async function writeSignal(dataFolder: string): Promise<void> {
  const { uid, gid } = await stat(dataFolder)
  const path = join(dataFolder, 'standby.signal')
  await writeFile(path, '')
  await chown(path, uid, gid)
}
