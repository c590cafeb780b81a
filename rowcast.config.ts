// The sample as a service: `npm run dev` and `npm start` read this file.
import { PrismaPg } from '@prisma/adapter-pg'
import { defineConfig } from 'rowcast'
import { PrismaClient } from './prisma/generated/client/client.ts'
import { catalog } from './prisma/generated/rowcast.ts'

export default defineConfig({
  catalog,
  createPrisma: (connectionString) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
  models: 'all',
  // The sample's rows are for everybody; yours have policies: docs/security.md. Without either, nothing starts in production.
  public: true,
  dev: {
    exampleSql: "INSERT INTO users (email) VALUES ('new@example.com')",
    seed: async (prisma) => (await import('./prisma/seed.ts')).seed(prisma),
    traffic: async (prisma, signal) => (await import('./prisma/traffic.ts')).runTraffic(prisma, signal),
  },
})
