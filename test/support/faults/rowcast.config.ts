/** The service under thrown faults: short intervals, so that its timers do something while they are looked at. */
import { PrismaPg } from '@prisma/adapter-pg'
import { defineConfig } from 'rowcast'
import { PrismaClient } from '../../../prisma/generated/client/client.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'

// biome-ignore lint/style/noDefaultExport: the command line reads it
export default defineConfig({
  catalog,
  createPrisma: (connectionString) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
  context: () => ({ context: {} }),
  metrics: { authorize: () => true },
  models: { Tag: {}, Team: {} },
  watchIntervalMs: 1_000,
})
