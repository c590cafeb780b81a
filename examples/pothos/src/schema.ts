// A Pothos schema as it was before rowcast, and the lines that make it live.
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import { createRowcast } from 'rowcast'
import { RowcastPlugin } from 'rowcast/pothos'
import type PrismaTypes from '../generated/pothos.ts'
import { getDatamodel } from '../generated/pothos.ts'
import { PrismaClient } from '../generated/prisma/client.ts'
import { catalog } from '../generated/rowcast.ts'

const connectionString = process.env['DATABASE_URL'] ?? ''
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString }) })

// New: the stream of changes of one model.
export const rowcast = createRowcast({ prisma, connectionString, catalog, slot: 'pothos' }).register('Order')

const builder = new SchemaBuilder<{ PrismaTypes: PrismaTypes }>({
  plugins: [PrismaPlugin, RowcastPlugin], // new: RowcastPlugin
  prisma: { client: prisma, dmmf: getDatamodel() },
  rowcast: { feed: rowcast }, // new
})

builder.prismaObject('Customer', {
  fields: (t) => ({ id: t.exposeID('id'), name: t.exposeString('name', { nullable: true }) }),
})

builder.prismaObject('Order', {
  fields: (t) => ({
    id: t.exposeID('id'),
    customer: t.relation('customer'),
    total: t.string({ resolve: (order) => order.total.toFixed(2) }),
    isPaid: t.boolean({ resolve: (order) => order.status !== 'OPEN' }),
  }),
})

builder.queryType({
  fields: (t) => ({
    orders: t.prismaField({
      type: ['Order'],
      resolve: (query) => prisma.order.findMany({ ...query, orderBy: { id: 'asc' } }),
    }),
  }),
})

// New: orderChanged(action:, where:, after:, …), with the Order above for `new`, and a copy of it, OrderOld, for `old`.
builder.changeSubscription('Order', { description: 'Every change of an order.' })

export const schema = builder.toSchema()
