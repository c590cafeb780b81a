/** `await using running = await openService(database)`: the sample's service on a free port. */
import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog, type RowcastModels } from '../../prisma/generated/rowcast.ts'
import { defineConfig, type ServiceConfig } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { silentLogger } from '../../src/logger.ts'
import type { ServerLimits } from '../../src/server/limits/limits.ts'
import type { ContextFunction } from '../../src/server/session/context.ts'
import { createService, type Service } from '../../src/service.ts'
import type { TestDatabase } from './database.ts'
import { slotOf } from './live-rowcast.ts'

/** A service that ends with the test. */
export interface RunningService extends AsyncDisposable {
  readonly service: Service
  readonly url: string
}

/** Resolves once it listens, live or not. */
export async function openService(
  database: TestDatabase,
  options: {
    readonly graphiqlQuery?: string
    readonly port?: number
    readonly limits?: Partial<ServerLimits>
    readonly context?: ContextFunction
    /** @default the database's */
    readonly databaseUrl?: string
    /** More of the config file. */
    readonly config?: Partial<ServiceConfig<RowcastModels, PrismaClient>>
  } = {},
): Promise<RunningService> {
  const config = defineConfig({
    catalog,
    createPrisma: (connectionString) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
    slot: slotOf(database),
    port: options.port ?? 0,
    limits: options.limits,
    context: options.context,
    ...options.config,
  })
  const service = await createService(
    resolveConfig(config, { DATABASE_URL: options.databaseUrl ?? database.url }),
    {
      logger: silentLogger,
      graphiqlQuery: options.graphiqlQuery,
    },
  )
  const { url } = await service.start()
  return { service, url, [Symbol.asyncDispose]: () => service.stop() }
}
