/**
 * Policies that are code, and say what they depend on: who loses a right has lost it at that commit, who is given one has the rows from it on,
 * on every transport.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { type Answer, STREAM_TRANSPORTS, type Stream } from './transports.ts'

const [ADA, BOB, TEAM, OTHER] = ['a', 'b', 'c', 'd'].map(
  (digit) => `00000000-0000-4000-8000-00000000000${digit}`,
) as [string, string, string, string]
const POSTS = `subscription ($after: Cursor, $initial: Boolean) {
  postChanged(after: $after, initial: $initial) { action transition cause cursor key { rowId } old { title } new { title } }
}`

interface Viewer {
  readonly viewer: string
}

let database: TestDatabase
let running: RunningService
/** What happens behind what a policy has read. */
let onAsked: (() => Promise<unknown>) | null = null

async function teamsOf(viewer: string): Promise<readonly string[]> {
  const rows = await database.query(`SELECT team_id FROM team_memberships WHERE user_id = '${viewer}'`)
  const then = onAsked
  onAsked = null
  await then?.()
  return rows.map((row) => String(row['team_id']))
}

const isMember = async ({ viewer }: Viewer) => (await teamsOf(viewer)).length > 0
const dependsOn = ({ viewer }: Viewer) => ({ Membership: { userId: viewer } })

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  running = await openService(database, {
    limits: { connectionInitTimeoutMs: 30_000 },
    config: {
      models: {
        Post: { rows: async ({ viewer }: Viewer) => ({ teamId: { in: await teamsOf(viewer) } }), dependsOn },
        User: { fields: async (c: Viewer) => ((await isMember(c)) ? 'all' : ['id', 'email']), dependsOn },
        Team: { canSubscribe: isMember, dependsOn },
        Tag: { rows: () => 'all', dependsOn: () => ({ Comment: { id: 1 } }) },
        Membership: { live: false, followed: true },
      },
    },
    context: (source) => ({
      context: {
        viewer:
          source.kind === 'websocket'
            ? source.connectionParams['token']
            : source.headers.authorization?.replace('Bearer ', ''),
      },
    }),
  })
  await running.service.rowcast.ready()
  await database.query(
    `INSERT INTO users (id, email) VALUES ('${ADA}', 'ada@x'), ('${BOB}', 'bob@x');
     INSERT INTO "Team" (id, name, slug) VALUES ('${TEAM}', 'team', 'team'), ('${OTHER}', 'other', 'other');
     INSERT INTO "Post" (id, "authorId", title, "teamId") VALUES (1, '${ADA}', 'first', '${TEAM}'), (2, '${ADA}', 'second', '${TEAM}')`,
  )
})
afterAll(async () => {
  await running[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})
beforeEach(async () => {
  onAsked = null
  await database.query(
    `DELETE FROM team_memberships; UPDATE "Post" SET title = 'before';
     INSERT INTO team_memberships (user_id, team_id) VALUES ('${ADA}', '${TEAM}'), ('${BOB}', '${TEAM}')`,
  )
})

const codeOf = ({ closed, errors }: Answer) => closed?.reason ?? errors[0]?.extensions?.['code']
const REMOVE_ADA = `DELETE FROM team_memberships WHERE user_id = '${ADA}'`
const ADD_ADA = `INSERT INTO team_memberships (user_id, team_id) VALUES ('${ADA}', '${TEAM}')`

interface PostEvent {
  readonly action: string
  readonly transition: string | null
  readonly cause: string | null
  readonly cursor: string
  readonly key: { readonly rowId: string } | null
  readonly old: { readonly title: string } | null
  readonly new: { readonly title: string } | null
}

/** The next event, in short: `UPDATE STAYED - before>after`. */
async function nextOf(stream: Stream): Promise<string> {
  const { action, transition, cause, old, new: now } = await eventOf(stream)
  return `${action} ${transition} ${cause ?? '-'} ${old?.title ?? ''}>${now?.title ?? ''}`
}

async function eventOf(stream: Stream): Promise<PostEvent> {
  const answer = await stream.next()
  expect(answer.errors).toEqual([])
  return (answer.data as { postChanged: PostEvent }).postChanged
}

async function next(stream: Stream, count: number): Promise<readonly string[]> {
  const events: string[] = []
  while (events.length < count) events.push(await nextOf(stream))
  return events
}

describe.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'over %s',
  (_, transport) => {
    const open = (token: string, query = POSTS, variables = {}) =>
      transport.open(running.url, query, { token, variables })
    /** Begun: it has given its first rows. */
    const begun = async (token: string, rows = 2) => {
      const stream = await open(token, POSTS, { initial: true })
      expect(await next(stream, rows + 1)).toEqual([
        ...Array.from({ length: rows }, () => 'READ ENTERED INITIAL >before'),
        'READY null - >',
      ])
      return stream
    }

    it('a right goes at its commit and comes at its commit, in the same subscription', async () => {
      const [ada, bob] = [await begun(ADA), await begun(BOB)]
      await database.query(
        `BEGIN; UPDATE "Post" SET title = 'with it' WHERE id = 1; ${REMOVE_ADA}; COMMIT;
         UPDATE "Post" SET title = 'after it' WHERE id = 1; UPDATE "Post" SET title = 'after it' WHERE id = 2`,
      )
      expect(await next(bob, 3)).toEqual([
        'UPDATE STAYED - before>with it',
        'UPDATE STAYED - with it>after it',
        'UPDATE STAYED - before>after it',
      ])
      expect(await next(ada, 2)).toEqual(['UPDATE LEFT - before>', 'READ LEFT ACCESS >'])
      await database.query(`${ADD_ADA}; UPDATE "Post" SET title = 'back' WHERE id = 2`)
      expect(await next(ada, 2)).toEqual(['UPDATE ENTERED - >back', 'READ ENTERED ACCESS >after it'])
      // What does not change the answer changes nothing, nor does what is not hers.
      await database.query(`INSERT INTO team_memberships (user_id, team_id) VALUES ('${ADA}', '${OTHER}')`)
      for (const isOwner of [true, false, true])
        await database.query(`UPDATE team_memberships SET is_owner = ${isOwner}`)
      await database.query(`UPDATE "Post" SET title = 'on' WHERE id = 1`)
      expect(await nextOf(ada)).toBe('UPDATE STAYED - after it>on')
      await ada.leave()
      await bob.leave()
    })

    it('who may not subscribe any more, or asks for what is hidden now, has an end', async () => {
      const users = await open(
        ADA,
        'subscription { userChanged(initial: true) { action new { email fullName } } }',
      )
      const teams = await open(ADA, 'subscription { teamChanged(initial: true) { action new { name } } }')
      for (const stream of [users, teams])
        for (const _ of [1, 2, 3]) expect((await stream.next()).errors).toEqual([])
      await database.query(
        `${REMOVE_ADA}; UPDATE users SET email = email || 'x'; UPDATE "Team" SET name = 'x'`,
      )
      expect(codeOf(await users.next())).toBe('FIELD_HIDDEN')
      expect(codeOf(await teams.next())).toBe('FORBIDDEN')
    })

    it('a right that goes while the policy is asked is not given, nor one that was another after a cursor', async () => {
      const bob = await begun(BOB)
      onAsked = async () => {
        onAsked = () => database.query(REMOVE_ADA)
      }
      const ada = await open(ADA)
      expect(await ada.ended()).toBe('RESYNC_REQUIRED')
      await database.query(`UPDATE "Post" SET title = 'seen' WHERE id = 1`)
      const { cursor } = await eventOf(bob)
      await database.query(`DELETE FROM team_memberships WHERE user_id = '${BOB}'`)
      const later = await open(BOB, POSTS, { after: cursor })
      const last = await later.next()
      expect(codeOf(last)).toBe('RESYNC_REQUIRED')
      expect(JSON.stringify(last)).not.toMatch(/Membership|member/i)
      await bob.leave()
    })

    it('what nobody follows is depended on by nobody, and whole transactions have no such rights', async () => {
      const answer = await transport.ask(running.url, 'subscription { tagChanged { action } }', {
        token: ADA,
      })
      expect(codeOf(answer)).toMatch(/INTERNAL_SERVER_ERROR|Internal server error/)
      expect(JSON.stringify(answer)).not.toMatch(/Comment/)
    })
  },
)
