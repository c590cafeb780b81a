/**
 * The examples, as a stranger would copy them, with the packed tarball: each compiles, runs, and shows what happens.
 * Runs after `npm run build`; the registry must be reachable.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createClient } from 'graphql-ws'
import { expect, it } from 'vitest'
import WebSocket from 'ws'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { createPackedProject, type PackedProject, ROOT } from '../support/packed-project.ts'
import { subscribeSse } from '../support/sse-client.ts'

/** Copies an example and does what its README says, up to `npm start`. */
async function prepare(name: string): Promise<PackedProject & { readonly database: TestDatabase }> {
  const database = await openDatabase()
  const from = `examples/${name}`
  // What `prisma migrate deploy` runs.
  const migration = 'prisma/migrations/20260101000000_shop/migration.sql'
  await database.query(await readFile(join(ROOT, from, migration), 'utf8'))
  const project = await createPackedProject({
    from,
    env: {
      ...{ DATABASE_URL: database.url, PORT: '0', NODE_ENV: 'production' },
      BETTER_AUTH_SECRET: 'QmPz7xK2vL9wR4tY8uN3sD6fG1hJ5kB0',
    },
  })
  await project.run('npm', ['run', 'generate'])
  return {
    ...project,
    database,
    async [Symbol.asyncDispose]() {
      await project[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** What `npm start` runs, without npm in between, which ends before it. */
async function start({ folder, start }: PackedProject) {
  const { scripts } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    scripts: { start: string }
  }
  const [command = '', ...args] = scripts.start.split(' ')
  return start(join(folder, 'node_modules/.bin', command), args)
}

/** Also as a bundler resolves modules. */
async function checkTypes(project: PackedProject): Promise<void> {
  for (const more of [[], ['--module', 'preserve', '--moduleResolution', 'bundler']]) {
    const { stdout } = await project
      .run('npx', ['tsc', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', ...more])
      .catch((error: { stdout: string }) => error)
    expect(stdout).toBe('')
  }
}

async function checkNothingIsLeft({ database }: { readonly database: TestDatabase }): Promise<void> {
  expect(await database.query('SELECT FROM pg_publication')).toEqual([])
  const left = `SELECT slot_name FROM pg_replication_slots WHERE database = current_database()
    UNION ALL SELECT relname FROM pg_class WHERE relreplident = 'f'`
  expect(await database.query(left)).toEqual([])
}

const ADD_ADA = `INSERT INTO "Customer" (email, name) VALUES ('ada@example.com', 'Ada')`
const ADD_ORDER = 'INSERT INTO "Order" ("customerId", total) VALUES (1, 12.5)'

it('serve: a config and no server; a stranger hears of what is shipped, staff of everything', async () => {
  await using project = await prepare('serve')
  const { database } = project
  await checkTypes(project)
  {
    await using server = await start(project)
    const { url } = JSON.parse(await server.said('Listening.')) as { url: string }
    await expect.poll(async () => (await fetch(`${url}/health/ready`)).status, { timeout: 60_000 }).toBe(200)
    const readme = await readFile(join(ROOT, 'examples/serve/README.md'), 'utf8')
    const { query: document } = JSON.parse(/ -d '(.+)'/.exec(readme)?.[1] ?? '') as { query: string }
    const stranger = await subscribeSse(url, document)
    const staff = await subscribeSse(url, document, {}, 'POST', { 'x-staff': 'yes' })
    await database.query(ADD_ADA)
    await database.query(ADD_ORDER)
    await database.query(`UPDATE "Order" SET status = 'SHIPPED'`)
    const reported = (
      action: string,
      transition: string | null,
      status: string,
      customer: object | null,
    ) => ({
      data: { orderChanged: { action, transition, new: { id: '1', status, customer } } },
    })
    const ada = { name: 'Ada' }
    expect(await staff.next()).toEqual(reported('INSERT', null, 'OPEN', ada))
    expect(await staff.next()).toEqual(reported('UPDATE', null, 'SHIPPED', ada))
    expect(await stranger.next()).toEqual(reported('UPDATE', 'ENTERED', 'SHIPPED', null))
    stranger.unsubscribe()
    staff.unsubscribe()
  }
  await project.run('npx', ['rowcast', 'disable', '--yes'])
  await checkNothingIsLeft(project)
})

it('pothos: own object types for old and new, over WebSocket and SSE', async () => {
  await using project = await prepare('pothos')
  const { database } = project
  await checkTypes(project)
  await using server = await start(project)
  const [url = ''] = /http:\S+(?=\/graphql)/.exec(await server.said('GraphiQL, with live orders')) ?? []
  const readme = await readFile(join(ROOT, 'examples/pothos/README.md'), 'utf8')
  const query = /```graphql\n([^`]+)```/.exec(readme)?.[1] ?? ''
  const events = await subscribeSse(url, query)
  const client = createClient({ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket })
  const messages = client.iterate({ query })
  const first = messages.next()
  await database.query(ADD_ADA)
  // Nobody says when a subscription has begun: until it has, orders come and go.
  const begun = new AbortController()
  const firstEvent = events.next()
  const seen = Promise.all([first, firstEvent]).finally(() => begun.abort())
  while (!begun.signal.aborted) {
    await database.query(ADD_ORDER)
    await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, 100))])
  }
  const inserted = {
    ...{ action: 'INSERT', old: null },
    new: { id: expect.any(String), total: '12.50', isPaid: false, customer: { name: 'Ada' } },
  }
  expect((await first).value.data).toEqual({ orderChanged: inserted })
  expect(await firstEvent).toEqual({ data: { orderChanged: inserted } })
  await database.query(`UPDATE "Order" SET status = 'PAID' WHERE id = 1`)
  const paid = { action: 'UPDATE', old: { isPaid: false }, new: { isPaid: true, id: '1' } }
  for (;;) {
    const { value } = await messages.next()
    if (value.data?.orderChanged.action === 'INSERT') continue
    expect(value.data?.orderChanged).toMatchObject(paid)
    break
  }
  events.unsubscribe()
  await client.dispose()
})

it('better-auth: signing up lets in, signing out closes the stream', async () => {
  await using project = await prepare('better-auth')
  await checkTypes(project)
  await using server = await start(project)
  const [auth = ''] = /http:\S+/.exec(await server.said('Better Auth: ')) ?? []
  const [url = ''] = /http:\S+(?=\/graphql)/.exec(await server.said('Live GraphQL: ')) ?? []
  const headers = { 'content-type': 'application/json', origin: 'http://localhost:4000' }
  const body = { name: 'Ada', email: 'ada@example.com', password: 'correct horse battery' }
  const answer = await fetch(`${auth}/sign-up/email`, {
    ...{ method: 'POST', headers, body: JSON.stringify(body) },
  })
  const { token } = (await answer.json()) as { token: string }
  const bearer = { authorization: `Bearer ${token}` }
  const document = 'subscription { userChanged { action new { name } } }'
  expect((await subscribeSse(url, document)).status).toBe(401)
  const events = await subscribeSse(url, document, {}, 'POST', bearer)
  expect(events.status).toBe(200)
  const rename = () =>
    fetch(`${auth}/update-user`, {
      ...{ method: 'POST', headers: { ...headers, ...bearer }, body: '{"name":"Ada L."}' },
    })
  const first = events.next()
  let isSeen = false
  const seen = first.finally(() => {
    isSeen = true
  })
  // Nobody says when a subscription has begun.
  while (!isSeen) {
    await rename()
    await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, 200))])
  }
  expect(await first).toMatchObject({ data: { userChanged: { new: { name: 'Ada L.' } } } })
  await fetch(`${auth}/sign-out`, { method: 'POST', headers: { ...headers, ...bearer }, body: '{}' })
  for (;;) {
    const { errors } = await events.next()
    if (errors === undefined) continue
    expect(errors).toMatchObject([{ extensions: { code: 'SESSION_REVOKED' } }])
    break
  }
})

/** Mistakes that must not compile. */
const MISTAKES = `import { createRowcast } from 'rowcast'
import { catalog } from './generated/rowcast.ts'

const rowcast = createRowcast({ connectionString: '', catalog })
// @ts-expect-error no such model
rowcast.register('Ordre')
// @ts-expect-error no such model
rowcast.subscribe('Ordre')
// @ts-expect-error no such action
rowcast.subscribe('Order', { action: 'UPSERT' })
// @ts-expect-error no such field
rowcast.subscribe('Order', { where: { custmer: 'Ada' } })
// @ts-expect-error no such value
rowcast.subscribe('Order', { where: { status: 'LOST' } })
// @ts-expect-error no such field
rowcast.subscribe('Order', { changed: ['totl'] })
for await (const change of rowcast.subscribe('Order', { action: 'DELETE' })) {
  change.new satisfies null
  // @ts-expect-error a deleted row has no new one
  change.new.total
}
for await (const change of rowcast.subscribe('Order')) {
  if (change.action === 'INSERT') change.old satisfies null
  if (change.action === 'DELETE') change.new satisfies null
  // @ts-expect-error it may be a deletion
  change.new.total
}
`

it('worker: no GraphQL, typed, and goes on where it was', async () => {
  await using project = await prepare('worker')
  const { database } = project
  await writeFile(join(project.folder, 'mistakes.ts'), MISTAKES)
  await checkTypes(project)
  {
    await using worker = await start(project)
    await worker.said('goes on after earliest')
    await database.query(ADD_ADA)
    for (let n = 0; n < 3; n += 1) await database.query(ADD_ORDER)
    await database.query(`UPDATE "Order" SET status = 'PAID' WHERE id < 3`)
    await worker.said('paid: order 2, 12.50')
    expect(worker.lines.filter((line) => /^(paid|deleted)/.test(line))).toEqual([
      'paid: order 1, 12.50',
      'paid: order 2, 12.50',
    ])
  }
  await database.query(`UPDATE "Order" SET status = 'PAID' WHERE id = 3`)
  await database.query('DELETE FROM "Order" WHERE id = 1')
  {
    await using worker = await start(project)
    await worker.said('deleted: order 1 of 12.50')
    expect(worker.lines.filter((line) => /^(paid|deleted)/.test(line))).toEqual([
      'paid: order 3, 12.50',
      'deleted: order 1 of 12.50',
    ])
  }
  // A cursor from long ago: its last 24 characters are LSN and index.
  const place = join(project.folder, 'place.txt')
  await writeFile(
    place,
    (await readFile(place, 'utf8')).replace(/.{24}$/, '1'.padStart(16, '0').padEnd(24, '0')),
  )
  {
    await using worker = await start(project)
    await worker.said('goes on after earliest')
    await worker.said('deleted: order 1 of 12.50')
  }
  expect((await project.run('npm', ['run', 'disable'])).stdout).toContain('DROP PUBLICATION')
  await checkNothingIsLeft(project)
})
