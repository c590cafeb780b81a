/** `await using live = await openLiveRowcast(database)`: a rowcast that streams, stopped at the end. */
import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog, type ModelName, type RowcastModels } from '../../prisma/generated/rowcast.ts'
import type { Change } from '../../src/changes/change.ts'
import { createRowcast, type Rowcast, type RowcastOptions } from '../../src/rowcast.ts'
import type { TestDatabase } from './database.ts'

/** A rowcast over the sample schema, and the application's Prisma Client beside it. */
export interface LiveRowcast extends AsyncDisposable {
  readonly rowcast: Rowcast<RowcastModels>
  readonly prisma: PrismaClient
}

/** Options beside the ones the test support sets. */
export type LiveRowcastOptions = Partial<RowcastOptions<RowcastModels>> & {
  /** @default every model of the sample schema */
  readonly models?: readonly ModelName[] | undefined
  /** Models and join tables that are followed besides. @default none */
  readonly followed?: readonly (ModelName | `_${string}`)[] | undefined
  /** Options of the application's pool. */
  readonly pool?: { readonly max: number } | undefined
}

/** Slot names are cluster-wide: each database gets one of its own. */
export function slotOf(database: TestDatabase): string {
  return `slot_${database.name}`
}

/** Creates, registers, enables and starts a rowcast; resolves once changes flow. */
export async function openLiveRowcast(
  database: TestDatabase,
  options: LiveRowcastOptions = {},
): Promise<LiveRowcast> {
  const { models, followed = [], pool, ...rest } = options
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url, ...pool }) })
  const rowcast = createRowcast({ prisma, catalog, slot: slotOf(database), ...rest })
  for (const model of models ?? (Object.keys(catalog.models) as ModelName[])) rowcast.register(model)
  for (const name of followed) rowcast.follow(name as ModelName)
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  return {
    rowcast,
    prisma,
    async [Symbol.asyncDispose]() {
      await rowcast.stop()
      await prisma.$disconnect()
    },
  }
}

/** Takes the next `count` changes; the test's own time limit bounds the wait. */
export async function takeChanges<C extends Change<RowcastModels, ModelName>>(
  changes: AsyncIterator<C>,
  count: number,
): Promise<C[]> {
  const taken: C[] = []
  while (taken.length < count) {
    const result = await changes.next()
    if (result.done) throw new Error(`The subscription ended after ${taken.length} of ${count} changes.`)
    taken.push(result.value)
  }
  return taken
}
