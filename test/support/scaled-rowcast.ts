/** Taps and gateways over a test's Redis, in this process; processes of their own are started by the chaos suite. */
import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog, type RowcastModels } from '../../prisma/generated/rowcast.ts'
import type { Role } from '../../src/broker/broker-options.ts'
import { createRowcast, type Rowcast, type RowcastOptions } from '../../src/rowcast.ts'
import type { TestDatabase } from './database.ts'
import { slotOf } from './live-rowcast.ts'

/** One process' rowcast. */
export interface ScaledRowcast extends AsyncDisposable {
  readonly rowcast: Rowcast<RowcastModels>
  readonly prisma: PrismaClient
}

/** Options beside the ones that are set here. */
export type ScaledOptions = Partial<RowcastOptions<RowcastModels>> & {
  /** Address of the broker. */
  readonly redisUrl: string
  /** How each model is registered. */
  readonly register?: ((rowcast: Rowcast<RowcastModels>) => void) | undefined
}

/** Creates and starts one in a role; does not wait for anything. */
export function startRole(database: TestDatabase, role: Role, options: ScaledOptions): ScaledRowcast {
  const { redisUrl, register, ...rest } = options
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
  const rowcast = createRowcast({
    ...{ prisma, catalog, role, slot: slotOf(database), broker: redisUrl },
    enableOnStart: role !== 'gateway',
    ...rest,
  })
  if (register === undefined) for (const model of ['User', 'Post', 'Tag'] as const) rowcast.register(model)
  else register(rowcast)
  rowcast.start()
  return {
    rowcast,
    prisma,
    async [Symbol.asyncDispose]() {
      await rowcast.stop()
      await prisma.$disconnect()
    },
  }
}

/** Key of the stream that a process writes or reads now. */
export function changesKey(database: TestDatabase, { rowcast }: ScaledRowcast): string {
  const { system, broker } = rowcast.status()
  return `rowcast:${system?.systemId}:{${slotOf(database)}}:${broker?.epoch}:changes`
}

/** The same, and waits until changes flow through it. */
export async function openRole(
  database: TestDatabase,
  role: Role,
  options: ScaledOptions,
): Promise<ScaledRowcast> {
  const started = startRole(database, role, options)
  await started.rowcast.ready()
  return started
}
