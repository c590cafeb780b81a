// Better Auth as it was before rowcast, and the plugin that makes its models live.
import { PrismaPg } from '@prisma/adapter-pg'
import { betterAuth } from 'better-auth'
import { prismaAdapter } from 'better-auth/adapters/prisma'
import { bearer } from 'better-auth/plugins'
import { createRowcast } from 'rowcast'
import { realtime } from 'rowcast/better-auth'
import { PrismaClient } from '../generated/prisma/client.ts'
import { catalog } from '../generated/rowcast.ts'

const connectionString = process.env['DATABASE_URL'] ?? ''
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString }) })

// New: the stream of changes.
export const rowcast = createRowcast({ prisma, connectionString, catalog, slot: 'better_auth' })

export const auth = betterAuth({
  baseURL: process.env['BETTER_AUTH_URL'] ?? 'http://localhost:4000',
  database: prismaAdapter(prisma, { provider: 'postgresql' }),
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  plugins: [bearer(), realtime({ rowcast, models: ['user', 'session'] })], // new: realtime
})
