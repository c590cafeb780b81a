/** Two databases behind one schema and one service: queries, subscriptions and cursors of each, one that is down, and the stop. */
import { PrismaPg } from '@prisma/adapter-pg'
import { expect, it, onTestFinished } from 'vitest'
import { PrismaClient } from '../prisma/generated/client/client.ts'
import { catalog } from '../prisma/generated/rowcast.ts'
import { type Environment, resolveConfig } from '../src/config/resolve-config.ts'
import { silentLogger } from '../src/logger.ts'
import { createService } from '../src/service.ts'
import { postGraphql } from './server/server-fixture.ts'
import { openDatabase, type TestDatabase } from './support/database.ts'
import { slotOf } from './support/live-rowcast.ts'
import { generateSchemaProject } from './support/schema-project.ts'
import { createWsClient } from './support/ws-client.ts'

/** It has a model and an enum that the sample has, too, and one that it has not. */
const BILLING = `
enum Role {
  PAYER
  AUDITOR
}
model User {
  id       Int       @id
  role     Role      @default(PAYER)
  invoices Invoice[]
}
model Invoice {
  id     Int    @id
  cents  BigInt
  userId Int
  user   User   @relation(fields: [userId], references: [id])
}`
const TABLES = `
CREATE TYPE "Role" AS ENUM ('PAYER', 'AUDITOR');
CREATE TABLE "User" (id int PRIMARY KEY, role "Role" NOT NULL DEFAULT 'PAYER');
CREATE TABLE "Invoice" (id int PRIMARY KEY, cents bigint NOT NULL, "userId" int NOT NULL REFERENCES "User");`
const NAMES = { User: 'Payer', Role: 'PayerRole' }

async function openPair(
  options: {
    readonly billingUrl?: string
    readonly billing?: object
    readonly sessions?: object
    readonly limits?: object
    /** Another process has the slot of the second one. */
    readonly isBillingRead?: boolean
  } = {},
) {
  const billing = await generateSchemaProject('billing', { text: BILLING })
  const [main, other] = await Promise.all([openDatabase({ migrate: true }), openDatabase()])
  onTestFinished(() => main[Symbol.asyncDispose]())
  onTestFinished(() => other[Symbol.asyncDispose]())
  await other.query(TABLES)
  const serve = async (config: Parameters<typeof resolveConfig>[0], env: Environment) => {
    const service = await createService(resolveConfig(config, env), { logger: silentLogger })
    onTestFinished(() => service.stop())
    return { service, ...(await service.start()) }
  }
  let payersAfter = ''
  if (options.isBillingRead === true) {
    const alone = await serve({ ...billing, port: 0, slot: slotOf(other) }, { DATABASE_URL: other.url })
    payersAfter = await alone.service.rowcast.changeCursor()
  }
  const file = {
    port: 0,
    sessions: options.sessions,
    limits: { queryTimeoutMs: 60_000, ...options.limits },
    sources: {
      main: {
        catalog,
        createPrisma: (connectionString: string) =>
          new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
        models: { User: {}, Post: {} },
        slot: slotOf(main),
      },
      billing: { ...billing, names: NAMES, slot: slotOf(other), ...options.billing },
    },
  }
  const env: Environment = {
    MAIN_DATABASE_URL: main.url,
    BILLING_DATABASE_URL: options.billingUrl ?? other.url,
  }
  return { ...(await serve(file, env)), main, billing: other, payersAfter }
}

const addUser = (database: TestDatabase, email: string) =>
  database.query(`INSERT INTO users (email) VALUES ('${email}')`)

it('serves the models of two databases, those of one name renamed, with queries, relations, first rows and changes', async () => {
  const { service, url, main, billing } = await openPair()
  for (const { rowcast } of service.sources.values()) await rowcast.ready()
  await billing.query(`INSERT INTO "User" VALUES (7, 'AUDITOR'); INSERT INTO "Invoice" VALUES (1, 4200, 7)`)
  await addUser(main, 'ada@x')
  const query = '{ users { email role } payers { id role invoices { cents user { id } } } }'
  expect(await postGraphql(url, query)).toMatchObject({
    body: {
      data: {
        users: [{ email: 'ada@x', role: 'MEMBER' }],
        payers: [{ id: '7', role: 'AUDITOR', invoices: [{ cents: '4200', user: { id: '7' } }] }],
      },
    },
  })

  const client = createWsClient(url)
  const users = client.subscribe('subscription { userChanged { action new { email } } }')
  const payers = client.subscribe(
    'subscription { payerChanged(initial: true) { __typename action old { rowId role } new { id role invoices { cents } } } }',
  )
  expect(await payers.nextData()).toMatchObject({
    payerChanged: { action: 'READ', new: { id: '7', role: 'AUDITOR', invoices: [{ cents: '4200' }] } },
  })
  expect(await payers.nextData()).toMatchObject({ payerChanged: { action: 'READY' } })
  await expect.poll(() => service.rowcast.status().subscriptions.get('User')).toBe(1)
  await billing.query(`UPDATE "User" SET role = 'PAYER'`)
  expect(await payers.nextData()).toMatchObject({
    payerChanged: {
      __typename: 'PayerUpdated',
      old: { rowId: '7', role: 'AUDITOR' },
      new: { id: '7', role: 'PAYER' },
    },
  })
  await addUser(main, 'bob@x')
  expect(await users.nextData()).toEqual({ userChanged: { action: 'INSERT', new: { email: 'bob@x' } } })

  const page = await (await fetch(new URL('/metrics', url))).text()
  expect(page).toContain('rowcast_ready{source="main"} 1')
  expect(page).toContain('rowcast_changes_total{source="billing",model="Payer",action="UPDATE"} 1')
  expect(page).toContain('rowcast_deliveries_total{source="main",model="User",action="INSERT"} 1')
  expect(page.match(/^rowcast_resident_memory_bytes/gm)).toHaveLength(1)
})

it('holds policies that follow relations within the database of the model, renamed or not', async () => {
  const rows = () => ({ user: { is: { role: 'AUDITOR' } } })
  const { service, url, billing } = await openPair({ billing: { models: { User: {}, Invoice: { rows } } } })
  for (const { rowcast } of service.sources.values()) await rowcast.ready()
  await billing.query(`INSERT INTO "User" VALUES (1, 'PAYER'), (7, 'AUDITOR')`)
  await billing.query(`INSERT INTO "Invoice" VALUES (1, 10, 1), (2, 20, 7)`)
  const seen = { body: { data: { invoices: [{ id: '2' }] } } }
  expect(await postGraphql(url, '{ invoices { id } }')).toMatchObject(seen)
  const document = 'subscription { invoiceChanged(initial: true) { action new { id } } }'
  const invoices = createWsClient(url).subscribe(document)
  expect(await invoices.nextData()).toMatchObject({ invoiceChanged: { action: 'READ', new: { id: '2' } } })
  expect(await invoices.nextData()).toMatchObject({ invoiceChanged: { action: 'READY' } })
  await billing.query(`INSERT INTO "Invoice" VALUES (3, 30, 1), (4, 40, 7)`)
  expect(await invoices.nextData()).toMatchObject({ invoiceChanged: { action: 'INSERT', new: { id: '4' } } })
  await billing.query(`UPDATE "User" SET role = 'AUDITOR' WHERE id = 1`)
  const moved = [await invoices.nextData(), await invoices.nextData()].map(
    ({ invoiceChanged }) => invoiceChanged,
  )
  expect(moved).toMatchObject([{ new: { id: '1' } }, { new: { id: '3' } }])
})

it('sends away who waits for a database that another process reads, and nobody who waits for the other', async () => {
  const { service, url, main, payersAfter } = await openPair({
    ...{ isBillingRead: true, limits: { drainTimeoutMs: 300 } },
    billing: { standbyPatienceMs: 300 },
  })
  const code = 'SERVER_STANDING_BY'
  await service.sources.get('main')?.rowcast.ready()
  const stateOf = () => service.sources.get('billing')?.rowcast.status().state
  await expect.poll(stateOf, { timeout: 20_000 }).toBe('standby')
  const query = 'subscription ($after: Cursor) { payerChanged(after: $after) { cursor } }'
  const plain = createWsClient(url)
  const users = plain.subscribe('subscription { userChanged { new { email } } }')
  const waiting = plain.subscribe(query, { after: payersAfter })
  // Its socket has more to do: it is not closed.
  expect(await waiting.ended()).toMatchObject({ kind: 'errors', errors: [{ extensions: { code } }] })
  await addUser(main, 'ada@x')
  expect(await users.nextData()).toEqual({ userChanged: { new: { email: 'ada@x' } } })
  // A client that goes on by itself loses nothing with its socket.
  const resuming = createWsClient(url, { rowcast: { resumes: true } })
  resuming.subscribe('subscription { userChanged { cursor } }')
  resuming.subscribe(query, { after: payersAfter })
  expect(await resuming.closed()).toEqual({ code: 1013, reason: code })
})

it('gives a cursor of each database, which says nothing to the other', async () => {
  const { service, url, main, billing } = await openPair()
  for (const { rowcast } of service.sources.values()) await rowcast.ready()
  const cursorOf = async (source: string) => {
    const { body } = await postGraphql(url, `{ changeCursor(source: ${source}) }`)
    return (body as { readonly data: { readonly changeCursor: string } }).data.changeCursor
  }
  const client = createWsClient(url)
  const payers = (after: string) =>
    client.subscribe('subscription ($after: Cursor) { payerChanged(after: $after) { new { id } } }', {
      after,
    })
  const cursor = await cursorOf('billing')
  await billing.query(`INSERT INTO "User" VALUES (1), (2)`)
  await addUser(main, 'ada@x')
  const resumed = payers(cursor)
  expect(await resumed.nextData()).toEqual({ payerChanged: { new: { id: '1' } } })
  expect(await resumed.nextData()).toEqual({ payerChanged: { new: { id: '2' } } })
  expect(await postGraphql(url, '{ changeCursor }')).toMatchObject({
    body: { errors: [{ message: expect.stringContaining('"ChangeSource!" is required') }] },
  })
  // As of another server: the two of the test share one, whose WAL is one order.
  const foreign = `01${'f'.repeat(16)}${(await cursorOf('main')).slice(18)}`
  expect(await payers(foreign).ended()).toMatchObject({
    errors: [{ extensions: { code: 'RESYNC_REQUIRED', reason: 'it is from another database' } }],
  })
})

it('serves one database while the other is down, says so, and stops', async () => {
  const { service, url, main } = await openPair({ billingUrl: 'postgresql://nobody@127.0.0.1:1/none' })
  await service.sources.get('main')?.rowcast.ready()
  const client = createWsClient(url)
  const users = client.subscribe('subscription { userChanged { new { email } } }')
  await expect.poll(() => service.rowcast.status().subscriptions.get('User')).toBe(1)
  await addUser(main, 'ada@x')
  expect(await users.nextData()).toEqual({ userChanged: { new: { email: 'ada@x' } } })
  expect(await postGraphql(url, '{ users { email } }')).toMatchObject({
    body: { data: { users: [{ email: 'ada@x' }] } },
  })
  const health = await fetch(new URL('/health/ready', url))
  expect(health.status).toBe(503)
  expect(await health.json()).toMatchObject({
    sources: { main: { isReady: true, error: null }, billing: { isReady: false } },
  })
  const closed = client.closed()
  await service.stop()
  expect(await closed).toMatchObject({ code: 1012 })
  const slots = await main.query(
    `SELECT 1 FROM pg_replication_slots WHERE active AND slot_name = '${slotOf(main)}'`,
  )
  expect(slots).toEqual([])
})

it('ends sessions that are rows of one of them, which the other does not have', async () => {
  const sessions = { model: 'Invoice', of: () => ({ id: 1 }) }
  const { service, url, billing } = await openPair({ billing: { models: { User: {} } }, sessions })
  for (const { rowcast } of service.sources.values()) await rowcast.ready()
  await billing.query(`INSERT INTO "User" VALUES (7, 'PAYER'); INSERT INTO "Invoice" VALUES (1, 10, 7)`)
  const client = createWsClient(url)
  expect(await client.subscribe('{ users { email } }').nextData()).toEqual({ users: [] })
  await billing.query('DELETE FROM "Invoice"')
  expect((await client.closed()).reason).toBe('SESSION_REVOKED')
})
