/** `rowcast/better-auth` with the real package and PostgreSQL: who signs in is let in, and who is signed out is let go. */
import { printSchema } from 'graphql'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { authSessions } from '../../src/better-auth/realtime.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { subscribeMultipart } from '../support/multipart-client.ts'
import type { ResultQueue } from '../support/result-queue.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'
import { openAuth, openAuthProject, signUp } from './better-auth-project.ts'

type Person = Awaited<ReturnType<typeof signUp>>

const PERSONS = 'subscription { personChanged { action new { id name } } }'

let database: TestDatabase
let project: Awaited<ReturnType<typeof openAuthProject>>
let count = 0

beforeAll(async () => {
  database = await openDatabase()
  project = await openAuthProject(database)
})
afterAll(async () => {
  await project[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

/** Somebody whom no other test knows. */
async function person(): Promise<Person> {
  count += 1
  return signUp(project.auth, `Person${count}`)
}

/** Connects over WebSocket with a token; resolves once the socket is there. */
const connect = ({ token }: Person) => connectWith({ token })

async function connectWith(connectionParams: Record<string, unknown>, headers: Record<string, string> = {}) {
  const socket = createWsClient(project.url, connectionParams, headers)
  onTestFinished(() => socket.close())
  await socket.connected()
  return socket
}

const rename = ({ id }: Person) =>
  database.query(`UPDATE "Person" SET name = name || '!' WHERE id = $1`, [id])

/** Changes rows until whoever waits has seen one: nobody says when a subscription has begun. */
async function until<T>(seen: Promise<T>, act: () => Promise<unknown>): Promise<T> {
  let isSeen = false
  const end = seen.finally(() => {
    isSeen = true
  })
  while (!isSeen) {
    await act()
    await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 100))])
  }
  return end
}

async function resultWithErrors(stream: ResultQueue<object>) {
  for (;;) {
    const result = await stream.next()
    if (result.errors !== undefined) return result
  }
}

interface End {
  readonly how: string
  readonly reason: string
  readonly act: (who: Person) => Promise<unknown>
}

const ENDS: readonly End[] = [
  {
    how: 'signing out elsewhere',
    reason: 'SESSION_REVOKED',
    act: ({ headers }) => project.auth.api.signOut({ headers }),
  },
  {
    how: 'revoking all sessions',
    reason: 'SESSION_REVOKED',
    act: ({ headers }) => project.auth.api.revokeSessions({ headers }),
  },
  {
    how: 'a row that SQL deletes',
    reason: 'SESSION_REVOKED',
    act: ({ id }) => database.query('DELETE FROM "Login" WHERE "personId" = $1', [id]),
  },
  {
    how: 'a user that is deleted',
    reason: 'SESSION_REVOKED',
    act: ({ id }) => database.query('DELETE FROM "Person" WHERE id = $1', [id]),
  },
  {
    how: 'a ban that SQL writes',
    reason: 'SESSION_REVOKED',
    act: ({ id }) => database.query('UPDATE "Person" SET banned = true WHERE id = $1', [id]),
  },
  {
    how: 'a ban by an administrator',
    reason: 'SESSION_REVOKED',
    async act({ id }) {
      const root = await person()
      await database.query(`UPDATE "Person" SET role = 'admin' WHERE id = $1`, [root.id])
      await project.auth.api.banUser({ body: { userId: id }, headers: root.headers })
    },
  },
  {
    how: 'an end that comes',
    reason: 'SESSION_EXPIRED',
    act: ({ id }) =>
      database.query(
        `UPDATE "Login" SET "expiresAt" = (now() AT TIME ZONE 'utc') + interval '1 s' WHERE "personId" = $1`,
        [id],
      ),
  },
  {
    how: 'an end that is brought forward',
    reason: 'SESSION_EXPIRED',
    act: ({ id }) =>
      database.query(`UPDATE "Login" SET "expiresAt" = '2020-01-01' WHERE "personId" = $1`, [id]),
  },
]

describe('what ends a session', () => {
  it.each(ENDS)(
    '$how closes each socket and stream, lets nobody in again, and leaves others alone',
    async ({ act, reason }) => {
      const ada = await person()
      const bob = await person()
      const socket = await connect(ada)
      const { cookie } = ada
      const byCookie = createWsClient(project.url, {}, { cookie })
      await byCookie.connected()
      const streams = [
        await subscribeSse(project.url, PERSONS, {}, 'POST', { cookie }),
        await subscribeMultipart(project.url, PERSONS, {}, { cookie }),
      ]
      const others = (await connect(bob)).subscribe(PERSONS)
      await act(ada)
      for (const each of [socket, byCookie]) expect(await each.closed()).toEqual({ code: 4403, reason })
      // What took the session away may be a change that its viewer sees.
      for (const stream of streams) {
        const last = await resultWithErrors(stream)
        expect(last).toMatchObject({ errors: [{ extensions: { code: reason } }] })
      }
      const again = createWsClient(project.url, { token: ada.token })
      await expect(again.connected()).rejects.toMatchObject({ code: 4403 })
      const { personChanged } = await until(others.nextData(), () => rename(bob))
      expect(personChanged).toMatchObject({ action: 'UPDATE', new: { id: bob.id } })
    },
  )

  it('a table that is truncated ends all', async () => {
    const sockets = [await connect(await person()), await connect(await person())]
    await database.query('TRUNCATE "Login"')
    for (const socket of sockets) expect(await socket.closed()).toMatchObject({ reason: 'SESSION_REVOKED' })
  })
})

describe('who is let in', () => {
  it('by cookie or bearer token, on every transport, to rows of their own', async () => {
    const ada = await person()
    const bob = await person()
    const bearer = { authorization: `Bearer ${ada.token}` }
    const { url } = project
    const streams = [
      await subscribeSse(url, PERSONS, {}, 'POST', { cookie: ada.cookie }),
      await subscribeSse(url, PERSONS, {}, 'POST', bearer),
      await subscribeMultipart(url, PERSONS, {}, bearer),
      await subscribeMultipart(url, PERSONS, {}, { cookie: ada.cookie }),
      (await connect(ada)).subscribe(PERSONS),
      (await connectWith({ authorization: `Bearer ${ada.token}` })).subscribe(PERSONS),
      (await connectWith({}, { cookie: ada.cookie })).subscribe(PERSONS),
      // What a page says counts before the cookie that its browser sends.
      (await connectWith({ token: ada.token }, { cookie: bob.cookie })).subscribe(PERSONS),
    ]
    const query = '{"query":"{ hello }"}'
    for (const headers of [bearer, { cookie: ada.cookie }]) {
      const answer = await fetch(`${url}/graphql`, {
        ...{ method: 'POST', body: query, headers: { ...headers, 'content-type': 'application/json' } },
      })
      expect(await answer.json()).toEqual({ data: { hello: null } })
    }
    const seen = Promise.all(streams.map((stream) => stream.nextData()))
    const all = await until(seen, async () => {
      await rename(bob)
      await rename(ada)
    })
    // The first that each hears of is their own, although another's came before it.
    for (const data of all) expect(data).toMatchObject({ personChanged: { new: { id: ada.id } } })
  })

  it.each([
    ['nothing', {}],
    ['a token that nobody has', { token: 'nobody' }],
    ['a token that is no text', { authorization: { toString: 'x' } }],
    ['a token that no header can hold', { token: 'a\r\nb' }],
  ])('nobody with %s', async (_, connectionParams) => {
    const socket = createWsClient(project.url, connectionParams)
    await expect(socket.connected()).rejects.toMatchObject({ code: 4403 })
  })
})

it('keeps secrets out, whatever the Prisma schema calls them', () => {
  const sdl = printSchema(project.schema)
  const fields = [...sdl.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name)
  expect(fields).toEqual(expect.arrayContaining(['mail', 'ipAddress', 'scope', 'providerId']))
  const secret = ['sid', 'token', 'password', 'accessToken', 'refreshToken', 'idToken', 'value']
  expect(fields.filter((name) => name !== undefined && secret.includes(name))).toEqual([])
})

it('members of an organization see it, and each other, from the commit that makes them one to the one that ends it', async () => {
  const { auth } = project
  const ada = await person()
  const bob = await person()
  const made = await auth.api.createOrganization({
    ...{ body: { name: 'Analysts', slug: `analysts-${count}` }, headers: ada.headers },
  })
  const organizationId = made?.id ?? ''
  const socket = await connect(bob)
  const organizations = socket.subscribe('subscription { organizationChanged { action new { name } } }')
  const note = () =>
    database.query(`UPDATE "Organization" SET name = name || '.' WHERE id = $1`, [organizationId])
  const first = organizations.nextData()
  for (let index = 0; index < 5; index += 1) await note()
  await auth.api.addMember({ body: { userId: bob.id, organizationId, role: 'member' } })
  // What happened before is not seen; the first is the organization as it is when it comes into sight, or its next change.
  const { organizationChanged } = await until(first, note)
  expect(organizationChanged).toMatchObject({ new: { name: expect.stringMatching(/^Analysts\.{5,}$/) } })
  const { members } = await auth.api.listMembers({ query: { organizationId }, headers: ada.headers })
  expect(members).toHaveLength(2)
  const memberId = members.find(({ userId }) => userId === bob.id)?.id ?? ''
  await auth.api.removeMember({ body: { memberIdOrEmail: memberId, organizationId }, headers: ada.headers })
  for (let index = 0; index < 5; index += 1) await note()
  // What he hears of next is an organization that he is in: nothing of the one that he left, but that he left it.
  const own = await auth.api.createOrganization({
    ...{ body: { name: 'Own', slug: `own-of-${bob.id}` }, headers: bob.headers },
  })
  const noteOwn = () =>
    database.query(`UPDATE "Organization" SET name = name || '.' WHERE id = $1`, [own?.id ?? ''])
  const seen: string[] = []
  await until(
    (async () => {
      while (!seen.at(-1)?.startsWith('Own')) {
        const { organizationChanged: change } = await organizations.nextData()
        const { action, new: row } = change as { action: string; new: { name: string } | null }
        seen.push(row?.name ?? action)
      }
    })(),
    noteOwn,
  )
  const last = seen.filter((name) => name.startsWith('Analysts'))
  const [{ name = '' } = {}] = await database.query<{ name: string }>(
    'SELECT name FROM "Organization" WHERE id = $1',
    [organizationId],
  )
  // Five more dots came after he had left.
  for (const each of last) expect(each.length).toBeLessThanOrEqual(name.length - 5)
})

it('says how far the set-up is, by `auth.api` and not over HTTP', async () => {
  const { auth } = project
  const status = await auth.api.realtimeStatus()
  expect(status).toMatchObject({
    isLive: true,
    models: { user: 'Person', session: 'Login', member: 'Member' },
  })
  expect(await auth.api.realtimeEnable()).toEqual([])
  const paths = Object.values(auth.api).map((endpoint) => String(Object(endpoint).path))
  expect(paths.filter((path) => /realtime|rowcast/i.test(path))).toEqual([])
})

describe('what does not fit', () => {
  it.each([
    [['usr'], /Better Auth has no model "usr"/],
    [['verification'], /has no user of its own/],
    [['member'], /`models` lacks `organization`/],
    [{ user: { omit: ['mial'] } }, /CATALOG_BAD_POLICY|no field "mial"/],
  ])('%j is refused when Better Auth starts', async (models, message) => {
    const { auth } = await openAuth(database, models)
    await expect(auth.$context).rejects.toThrow(message)
  })

  it('a model that the application registers itself: its options would be replaced', async () => {
    const { auth, rowcast } = await openAuth(database)
    rowcast.register('Person', { omit: ['mail'] })
    await expect(auth.$context).rejects.toThrow(/Person is registered already/)
  })

  it('a registration behind it: the rows of others would be shown', async () => {
    const { auth, rowcast } = await openAuth(database)
    await auth.$context
    expect(() => rowcast.register('Person', {})).toThrow('CATALOG_REGISTERED_TWICE')
  })

  it('an auth without the plugin', () => {
    const auth = {
      options: { plugins: [] },
      $context: Promise.resolve(),
      api: { getSession: async () => null },
    }
    expect(() => authSessions(auth)).toThrow(/BETTER_AUTH_MODEL|no plugin of rowcast/)
  })
})

describe('somebody who has signed in and wants what is another’s', () => {
  /** A request of Ada's page to Better Auth, at the server of rowcast. */
  const post = (who: Person, path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`${project.url}/api/auth/${path}`, {
      method: 'POST',
      headers: {
        ...{ cookie: who.cookie, origin: 'http://localhost:3000', 'content-type': 'application/json' },
        ...headers,
      },
      body: JSON.stringify(body),
    })

  it('is nobody with a cookie that was forged, in parts or whole', async () => {
    const ada = await person()
    const bob = await person()
    const [name = '', value = ''] = ada.cookie.split('=', 2)
    const [, bobs = ''] = bob.cookie.split('=', 2)
    const [token = '', signature = ''] = decodeURIComponent(value).split('.')
    const [bobToken = '', bobSignature = ''] = decodeURIComponent(bobs).split('.')
    const cookieOf = (text: string) => `${name}=${encodeURIComponent(text)}`
    const data = Buffer.from(
      JSON.stringify({
        session: { session: { id: 'x', userId: bob.id, token: bobToken }, user: { id: bob.id } },
        expiresAt: Date.now() + 1e9,
      }),
    ).toString('base64')
    for (const cookie of [
      cookieOf(token),
      cookieOf(`${bobToken}.`),
      cookieOf(`${bobToken}.${signature}`),
      cookieOf(`${bobToken}.${'A'.repeat(bobSignature.length)}`),
      cookieOf(`${bob.id}.${bobSignature}`),
      cookieOf('undefined.undefined'),
      cookieOf(`${bobToken}\0.${bobSignature}`),
      `${name.replace('session_token', 'session_data')}=${data}`,
      `better-auth.session_data=${data}; user=${bob.id}`,
      'x'.repeat(4_000),
    ]) {
      const { status } = await fetch(`${project.url}/graphql`, {
        method: 'POST',
        headers: { cookie, 'content-type': 'application/json' },
        body: '{"query":"{ hello }"}',
      })
      expect(status, cookie).toBe(401)
    }
  })

  it.each([
    ['a cookie', ({ cookie }: Person) => ({ cookie, headers: { cookie }, Cookie: cookie })],
    ['who they say they are', ({ id }: Person) => ({ user: { id }, session: { userId: id }, userId: id })],
    ['an id for a token', ({ id }: Person) => ({ token: id })],
    ['a token in a list', ({ token }: Person) => ({ token: [token] })],
    ['another scheme', ({ token }: Person) => ({ authorization: `Basic ${token}` })],
    ['a token that is signed by nobody', ({ token }: Person) => ({ token: `${token}.c2lnbmF0dXJl` })],
  ])('is nobody by %s in connectionParams', async (_, params) => {
    const socket = createWsClient(project.url, params(await person()))
    await expect(socket.connected()).rejects.toMatchObject({ code: 4403 })
  })

  it('sees rows of their own, whatever they name in filters and arguments, and hears of no change of others', async () => {
    const ada = await person()
    const bob = await person()
    await project.auth.api.createOrganization({
      ...{ body: { name: 'Own', slug: `own-${count}` }, headers: bob.headers },
    })
    const streams = [
      `personChanged(initial: true, where: { id: { equals: "${bob.id}" } }) { new { id } old { id } key { rowId } }`,
      `personChanged(initial: true, where: { OR: [{ id: { not: { equals: "x" } } }, { logins: { some: { personId: { equals: "${bob.id}" } } } }] }) { new { id } old { id } }`,
      `loginChanged(initial: true, where: { personId: { equals: "${bob.id}" } }) { new { id ipAddress } }`,
      `accountChanged(initial: true, where: { userId: { not: { equals: "${ada.id}" } } }) { new { id providerId } }`,
      'memberChanged(initial: true) { new { id userId } }',
      'organizationChanged(initial: true) { new { id name } }',
    ]
    const socket = await connect(ada)
    const opened = streams.map((field) =>
      socket.subscribe<Record<string, object>>(`subscription { ${field} }`),
    )
    const own = socket.subscribe<Record<string, object>>(PERSONS)
    await until(own.nextData(), () => rename(ada))
    // All of these are Bob's; Ada's next change is what she hears of next.
    await rename(bob)
    await post(bob, 'sign-in/email', { email: 'nobody@example.com', password: 'wrong' })
    await database.query(`UPDATE "Member" SET role = 'owner' WHERE "userId" = $1`, [bob.id])
    await database.query(`UPDATE "Login" SET "ipAddress" = '::1' WHERE "personId" = $1`, [bob.id])
    await project.auth.api.signOut({ headers: bob.headers })
    await rename(ada)
    expect(await own.nextData()).toMatchObject({ personChanged: { new: { id: ada.id } } })
    for (const stream of opened) {
      const seen: unknown[] = []
      while (stream.length > 0) seen.push(await stream.next())
      expect(JSON.stringify(seen)).not.toContain(bob.id)
      expect(JSON.stringify(seen)).not.toMatch(/Own|ipAddress":"/)
    }
  })

  it('changes nothing of another by Better Auth’s endpoints, beside which the other’s socket goes on', async () => {
    const ada = await person()
    const bob = await person()
    const organization = await project.auth.api.createOrganization({
      ...{ body: { name: 'Own', slug: `theirs-${count}` }, headers: bob.headers },
    })
    const organizationId = organization?.id ?? ''
    const own = (await connect(bob)).subscribe<Record<string, object>>(PERSONS)
    await until(own.nextData(), () => rename(bob))
    const answers = [
      await post(ada, 'update-user', {
        id: bob.id,
        userId: bob.id,
        name: 'taken',
        role: 'admin',
        banned: true,
      }),
      await post(ada, 'revoke-session', { token: bob.token }),
      await post(ada, 'admin/ban-user', { userId: bob.id }),
      await post(ada, 'admin/impersonate-user', { userId: bob.id }),
      await post(ada, 'admin/revoke-user-sessions', { userId: bob.id }),
      await post(ada, 'admin/set-role', { userId: ada.id, role: 'admin' }),
      await post(ada, 'organization/set-active', { organizationId }),
      await post(ada, 'organization/update', { organizationId, data: { name: 'taken' } }),
      await post(ada, 'organization/remove-member', { organizationId, memberIdOrEmail: bob.id }),
      await post(
        bob,
        '../../graphql',
        { query: '{ hello }' },
        { origin: 'https://evil.example', 'content-type': 'text/plain' },
      ),
      await fetch(`${project.url}/api/auth/realtime-enable`, { method: 'POST' }),
      await fetch(`${project.url}/api/auth/realtime-status`),
    ]
    for (const answer of answers) {
      const text = await answer.text()
      expect(text).not.toMatch(/node_modules|\.[cm]?[jt]s:\d|Prisma|SELECT/)
      expect(text).not.toContain(bob.token)
    }
    const [row] = await database.query('SELECT name, role, banned FROM "Person" WHERE id = $1', [bob.id])
    expect(row).toMatchObject({ name: expect.stringMatching(/^Person/), role: 'user', banned: false })
    expect(await database.query('SELECT role FROM "Person" WHERE id = $1', [ada.id])).toEqual([
      { role: 'user' },
    ])
    expect(await database.query('SELECT name FROM "Organization" WHERE id = $1', [organizationId])).toEqual([
      { name: 'Own' },
    ])
    await rename(bob)
    expect(await own.nextData()).toMatchObject({ personChanged: { new: { id: bob.id } } })
  })

  it('is the other for as long as an administrator is, and not a moment longer', async () => {
    const root = await person()
    const bob = await person()
    await database.query(`UPDATE "Person" SET role = 'admin' WHERE id = $1`, [root.id])
    const { session } = await project.auth.api.impersonateUser({
      ...{ body: { userId: bob.id }, headers: root.headers },
    })
    const socket = await connect({ ...root, token: session.token })
    const seen = socket.subscribe<Record<string, object>>(PERSONS)
    const first = await until(seen.nextData(), async () => {
      await rename(root)
      await rename(bob)
    })
    expect(first).toMatchObject({ personChanged: { new: { id: bob.id } } })
    await database.query('DELETE FROM "Login" WHERE "impersonatedBy" = $1', [root.id])
    expect(await socket.closed()).toEqual({ code: 4403, reason: 'SESSION_REVOKED' })
  })
})
