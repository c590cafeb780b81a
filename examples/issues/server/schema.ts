// An issue tracker: its types, what each person may see of them, and what they may do.
import { AsyncLocalStorage } from 'node:async_hooks'
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import { createRowcast, rowcastMetadata } from 'rowcast'
import { RowcastPlugin } from 'rowcast/pothos'
import type PrismaTypes from '../generated/pothos.ts'
import { getDatamodel } from '../generated/pothos.ts'
import { PrismaClient, type Status } from '../generated/prisma/client.ts'
import { catalog } from '../generated/rowcast.ts'

/** Who asks: who signed in, or nobody. */
export interface AppContext {
  readonly viewer: string
}

// To print the schema no database is asked.
const connectionString = process.env['DATABASE_URL'] ?? 'postgresql://postgres@127.0.0.1:5432/issues'
const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString }) })

/** Whose change it is: each transaction that writes says so, and its changes carry it. */
const request = new AsyncLocalStorage<{ readonly actor: string; readonly mutationId?: string }>()
const db = prisma.$extends(rowcastMetadata(() => request.getStore()))

export const rowcast = createRowcast({
  ...{ prisma, connectionString, catalog },
  slot: process.env['SLOT'] ?? 'issues',
})
for (const model of ['Workspace', 'Member', 'Project', 'Issue', 'Comment', 'View'] as const)
  rowcast.register(model)

// Members of a workspace see what is in it: as long as they are members, and not a moment longer.
const mine = ({ viewer }: AppContext) => ({ members: { some: { personId: viewer } } })
const policies = {
  Workspace: { rows: (context: AppContext) => mine(context) },
  Member: { rows: (context: AppContext) => ({ workspace: mine(context) }) },
  Project: { rows: (context: AppContext) => ({ workspace: mine(context) }) },
  Issue: { rows: (context: AppContext) => ({ workspace: mine(context) }) },
  Comment: { rows: (context: AppContext) => ({ issue: { workspace: mine(context) } }) },
  View: { rows: (context: AppContext) => ({ issue: { workspace: mine(context) } }) },
}

const builder = new SchemaBuilder<{
  PrismaTypes: PrismaTypes
  Context: AppContext
  DefaultFieldNullability: false
}>({
  defaultFieldNullability: false,
  plugins: [PrismaPlugin, RowcastPlugin],
  prisma: { client: prisma, dmmf: getDatamodel() },
  rowcast: {
    feed: rowcast,
    policies: new Map(Object.entries(policies)),
    showMetadata: { shape: { actor: 'String', mutationId: 'String' }, fields: () => ['actor', 'mutationId'] },
  },
})

const STATUS = builder.enumType('Status', { values: ['TODO', 'DOING', 'DONE'] as const })

builder.prismaObject('Person', {
  fields: (t) => ({ id: t.exposeID('id'), name: t.exposeString('name'), color: t.exposeString('color') }),
})
builder.prismaObject('Workspace', {
  fields: (t) => ({ id: t.exposeID('id'), name: t.exposeString('name') }),
})
builder.prismaObject('Member', {
  fields: (t) => ({
    workspaceId: t.exposeInt('workspaceId'),
    personId: t.exposeString('personId'),
    person: t.relation('person'),
  }),
})
builder.prismaObject('Project', {
  fields: (t) => ({ id: t.exposeID('id'), name: t.exposeString('name'), workspace: t.relation('workspace') }),
})
builder.prismaObject('Issue', {
  fields: (t) => ({
    id: t.exposeID('id'),
    title: t.exposeString('title'),
    status: t.expose('status', { type: STATUS }),
    rank: t.exposeFloat('rank'),
    projectId: t.exposeInt('projectId'),
    assignee: t.relation('assignee', { nullable: true }),
    comments: t.relation('comments'),
    views: t.relation('views'),
  }),
})
builder.prismaObject('Comment', {
  fields: (t) => ({
    id: t.exposeID('id'),
    body: t.exposeString('body'),
    issueId: t.exposeInt('issueId'),
    author: t.relation('author'),
  }),
})
builder.prismaObject('View', {
  fields: (t) => ({ personId: t.exposeString('personId'), person: t.relation('person') }),
})

builder.queryType({
  fields: (t) => ({
    people: t.prismaField({
      type: ['Person'],
      resolve: (query) => prisma.person.findMany({ ...query, orderBy: { id: 'asc' } }),
    }),
  }),
})

/** Writes in the name of the viewer. Prisma begins a query only once it is awaited: that has to be in here. */
const write = <Result>({ viewer }: AppContext, work: () => Promise<Result>, mutationId?: string) =>
  request.run(
    { actor: viewer, ...(mutationId === undefined ? {} : { mutationId }) },
    async () => await work(),
  )

/** @throws Error where the viewer may not touch it: it is not there for him */
async function checkMine(context: AppContext, id: number): Promise<void> {
  await prisma.issue.findFirstOrThrow({ where: { id, workspace: mine(context) }, select: { id: true } })
}

builder.mutationType({
  fields: (t) => ({
    moveIssue: t.boolean({
      args: {
        id: t.arg.int({ required: true }),
        status: t.arg({ type: STATUS, required: true }),
        rank: t.arg.float({ required: true }),
        mutationId: t.arg.string({ required: true }),
      },
      async resolve(_root, { id, status, rank, mutationId }, context) {
        await checkMine(context, id)
        const data = { status: status as Status, rank }
        await write(context, () => db.issue.update({ where: { id }, data }), mutationId)
        return true
      },
    }),
    comment: t.boolean({
      args: {
        issueId: t.arg.int({ required: true }),
        body: t.arg.string({ required: true }),
        mutationId: t.arg.string({ required: true }),
      },
      async resolve(_root, { issueId, body, mutationId }, context) {
        await checkMine(context, issueId)
        const data = { issueId, body: body.slice(0, 2_000), authorId: context.viewer }
        await write(context, () => db.comment.create({ data }), mutationId)
        return true
      },
    }),
    see: t.boolean({
      args: { issueId: t.arg.int({ required: true }), mutationId: t.arg.string({ required: true }) },
      async resolve(_root, { issueId, mutationId }, context) {
        await checkMine(context, issueId)
        const key = { issueId, personId: context.viewer }
        const where = { issueId_personId: key }
        await write(context, () => db.view.upsert({ where, create: key, update: {} }), mutationId)
        return true
      },
    }),
    removeMember: t.boolean({
      args: { workspaceId: t.arg.int({ required: true }), personId: t.arg.string({ required: true }) },
      async resolve(_root, { workspaceId, personId }, context) {
        await prisma.workspace.findFirstOrThrow({ where: { id: workspaceId, ...mine(context) } })
        await write(context, () => db.member.deleteMany({ where: { workspaceId, personId } }))
        return true
      },
    }),
    addMember: t.boolean({
      args: { workspaceId: t.arg.int({ required: true }), personId: t.arg.string({ required: true }) },
      async resolve(_root, { workspaceId, personId }, context) {
        await prisma.workspace.findFirstOrThrow({ where: { id: workspaceId, ...mine(context) } })
        const data = [{ workspaceId, personId }]
        await write(context, () => db.member.createMany({ data, skipDuplicates: true }))
        return true
      },
    }),
  }),
})

for (const model of ['Workspace', 'Member', 'Project', 'Issue', 'Comment', 'View'] as const)
  builder.changeSubscription(model)

export const schema = builder.toSchema()
export const disconnect = () => prisma.$disconnect()
