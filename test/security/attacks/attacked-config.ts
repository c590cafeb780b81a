/** The config of the attacked service, as text: who is let in is what the token says, and so is what its policies answer. */

/** Stands in every row and field that nobody may see, and in what the application's own functions throw. */
export const CANARY = 'CANARY-7f3a'

/** What `context` answers instead of a session, by token: none of it lets anybody in. */
export const NO_SESSIONS: Readonly<Record<string, string>> = {
  ...{ 'no:false': 'false', 'no:zero': '0', 'no:text': '""', 'no:null': 'null', 'no:undefined': 'undefined' },
  ...{ 'no:object': '({})', 'no:list': '[]', 'no:true': 'true', 'no:null-context': '({ context: null })' },
  ...{ 'no:list-context': '({ context: [] })', 'no:promise': '({ context: Promise.resolve({}) })' },
}

/** What `rows` answers, by token: each constrains nothing, or is no answer, and nobody sees a row by it. */
export const NO_POLICIES: Readonly<Record<string, string>> = {
  ...{ 'rows:and': '({ AND: [] })', 'rows:not': '({ NOT: [] })', 'rows:empty': '({})', 'rows:true': 'true' },
  ...{ 'rows:field': '({ email: {} })', 'rows:not-field': '({ email: { not: {} } })', 'rows:list': '[]' },
  ...{
    'rows:mode': '({ email: { mode: "insensitive" } })',
    'rows:undefined': 'undefined',
    'rows:null': 'null',
  },
  ...{
    'rows:some-or-none':
      '({ OR: [{ posts: { some: { id: { gt: 0 } } } }, { posts: { none: { id: { gt: 0 } } } }] })',
    'rows:undefined-field': '({ email: undefined })',
    'rows:deep': '({ AND: [{ OR: [{ AND: [{}] }] }] })',
  },
  ...{ 'rows:notin': '({ email: { notIn: [] } })', 'rows:unknown': '({ nobody: { equals: 1 } })' },
}

/** The longest a client may stay silent, and a context may take. */
export const PATIENCE_MS = 1_000

/** How long a request may take to come in: whoever runs these beside much else is not to be taken for one that trickles. */
const REQUEST_MS = 5_000

/** How long the policy of teams takes. */
const SLOW_RULE_MS = 200

const entriesOf = (answers: Readonly<Record<string, string>>): string =>
  Object.entries(answers)
    .map(([token, text]) => `[${JSON.stringify(token)}, () => (${text})]`)
    .join(',\n  ')

export const CONFIG = `
import { PrismaPg } from '@prisma/adapter-pg'
import { defineConfig } from 'rowcast'
import { PrismaClient } from './prisma/generated/client/client.js'
import { catalog } from './prisma/generated/rowcast.js'

const sessions = new Map([${entriesOf(NO_SESSIONS)}])
const policies = new Map([${entriesOf(NO_POLICIES)}])
const VISIBLE = ['id', 'email', 'signInCount', 'settings', 'tags', 'isActive', 'createdAt']

const OTHERS = ['Account', 'AuditEvent', 'Membership', 'Session']

export default defineConfig({
  catalog,
  createPrisma: (connectionString) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
  context: ({ headers, connectionParams }) => {
    const token = String(connectionParams?.token ?? (headers.authorization ?? '').replace('Bearer ', ''))
    if (token === 'hang') return new Promise(() => undefined)
    if (token === 'throw') throw new Error('${CANARY} at ' + import.meta.url)
    const answer = sessions.get(token)
    return answer === undefined ? { context: { token }, viewerKey: token } : answer()
  },
  models: {
    User: {
      rows: ({ token }) => (policies.get(token) ?? (() => ({ isActive: true })))(),
      fields: () => VISIBLE,
    },
    Post: { public: true },
    Comment: { public: true },
    // Asked again whenever the viewer's tag is written, and slow to answer.
    Team: {
      rows: ({ token }) => new Promise((resolve) => setTimeout(resolve, ${SLOW_RULE_MS}, { slug: { not: '${CANARY}' + token } })),
      dependsOn: ({ token }) => ({ Tag: { name: token } }),
    },
    Tag: { live: false, followed: true, public: true },
    ...Object.fromEntries(OTHERS.map((name) => [name, { live: false, public: true }])),
  },
  trustedProxyCount: 1,
  limits: {
    connectionsPerAddressMax: 20, connectionInitTimeoutMs: ${PATIENCE_MS}, pingIntervalMs: 2_000, requestTimeoutMs: ${REQUEST_MS},
    closeTimeoutMs: 500,
  },
})
`
