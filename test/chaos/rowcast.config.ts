/**
 * The service under chaos: three models of the sample, with `--sets` one more that others decide about; either enough
 * retained that no cursor is ever too old, or by the slot nothing at all.
 */
import { PrismaPg } from '@prisma/adapter-pg'
import { defineConfig } from 'rowcast'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'

const retainsNothing = process.env['ROWCAST_CHAOS_RETAIN'] === 'nothing'
const hasSets = process.env['ROWCAST_CHAOS_SETS'] === 'yes'

/** Who asks for the comments of a team's members, and of nobody else. */
interface ChaosContext {
  readonly viewer: string | null
}

const setModels = {
  Comment: {
    rows: ({ viewer }: ChaosContext) =>
      viewer === null ? 'all' : { author: { memberships: { some: { teamId: viewer } } } },
  },
  User: { live: false, followed: true },
  Membership: { live: false, followed: true },
}

// biome-ignore lint/style/noDefaultExport: the command line reads it
export default defineConfig({
  catalog,
  createPrisma: (connectionString) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
  public: true,
  slot: 'rowcast',
  models: { Tag: {}, Team: {}, Post: {}, ...(hasSets ? setModels : {}) },
  context: (source) => {
    const viewer = source.kind === 'websocket' ? source.connectionParams['viewer'] : null
    return { context: { viewer: typeof viewer === 'string' ? viewer : null } satisfies ChaosContext }
  },
  retain: retainsNothing ? { bytes: 0, minutes: 0 } : { bytes: 1024 * 1024 * 1024, minutes: 60 },
  watchIntervalMs: 1_000,
  // Old and new row of a heavy change.
  limits: { payloadBytesMax: 16 * 1024 * 1024 },
})
