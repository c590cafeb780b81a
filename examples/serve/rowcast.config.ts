import { PrismaPg } from '@prisma/adapter-pg'
import { defineConfig } from 'rowcast'
import { PrismaClient } from './generated/prisma/client.ts'
import { catalog } from './generated/rowcast.ts'

export default defineConfig({
  catalog,
  createPrisma: (connectionString) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
  // Who is it? Here whoever says so; with you, whoever has a token: docs/security.md.
  context: ({ headers }) => ({ context: { isStaff: headers['x-staff'] === 'yes' } }),
  models: {
    // Staff see every order, everybody else the ones that are on their way.
    Order: { rows: (viewer) => (Reflect.get(viewer, 'isStaff') === true ? 'all' : { status: 'SHIPPED' }) },
    // In the schema behind an order, for staff only, and not live.
    Customer: { live: false, rows: (viewer) => (Reflect.get(viewer, 'isStaff') === true ? 'all' : 'none') },
  },
})
