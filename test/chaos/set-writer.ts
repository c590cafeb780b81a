/** Writes what decides who is in a set: comments, whose posts the ledger's writers change, and memberships that come and go. */
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Random } from './random.ts'
import type { Query } from './second-decoder.ts'
import { SET_TEAMS, SET_USERS } from './set-views.ts'

/** What it needs. */
export interface SetWriterOptions {
  readonly connectionString: string
  readonly random: Random
  readonly pauseMaxMs: number
  /** Something was refused that nothing explains. */
  readonly onTrouble: (words: string) => void
}

/** One writer; what it committed, the WAL says. */
export interface SetWriter {
  start(): void
  /** Resolves once no transaction is open. */
  pause(): Promise<void>
  resume(): void
  stop(): Promise<void>
  /** Commits a comment that is in every set, whatever it takes: under a post that nobody changes. @returns its id */
  probe(postId: number): Promise<string>
  /** Transactions that committed, and rows of memberships that they came to. */
  readonly counts: { transactions: number; memberships: number }
}

/** How much longer it pauses than the writers of the ledger: most of its transactions move rows of several sets. */
const PAUSES = 4
/** Comments there are, more or less. */
const COMMENTS = 200
const PROBE_BODY = 'probe'

/** The users and who belongs to which team at first; once the second decoder reads. */
export async function prepareSets(query: Query): Promise<void> {
  await query(
    `INSERT INTO users (id, email) SELECT id, id || '@example.com' FROM unnest($1::uuid[]) AS given (id)`,
    [SET_USERS],
  )
  await query(
    'INSERT INTO team_memberships (user_id, team_id) SELECT $1::uuid, team FROM unnest($2::uuid[]) AS given (team)',
    [SET_USERS[0], SET_TEAMS.slice(0, 2)],
  )
}

/** Creates it; it connects as often as it takes. */
export function createSetWriter(options: SetWriterOptions): SetWriter {
  const { random } = options
  const counts = { transactions: 0, memberships: 0 }
  let client: pg.Client | null = null
  let isStopping = false
  let isPaused = false
  let resume = () => {}
  let resumed = Promise.resolve()
  let loop = Promise.resolve()
  let busy: Promise<unknown> = Promise.resolve()

  /** Null: it was refused, or nobody knows. */
  async function transact<T>(write: (client: pg.Client) => Promise<T>, end = 'COMMIT'): Promise<T | null> {
    try {
      client ??= await connect(options.connectionString)
      await client.query('BEGIN')
      const result = await write(client)
      await client.query(end)
      return end === 'COMMIT' ? result : null
    } catch (error) {
      if (error instanceof pg.DatabaseError && !PASSING.has(error.code?.slice(0, 2) ?? ''))
        options.onTrouble(`The writer of sets was refused: ${error.code} ${error.message}`)
      await client?.end().catch(() => {})
      client = null
      await delay(50)
      return null
    }
  }

  async function writeOne(): Promise<void> {
    const steps = random.integer(1, 4)
    const write = async (connected: pg.Client) => {
      let memberships = 0
      for (let step = 0; step < steps; step += 1) {
        const isOfMembers = random.chance(0.4)
        if (isOfMembers) memberships += await writeMembership(connected, random)
        else await writeComment(connected, random)
      }
      return memberships
    }
    const memberships = await transact(write, random.chance(0.1) ? 'ROLLBACK' : 'COMMIT')
    if (memberships === null) return
    counts.transactions += 1
    counts.memberships += memberships
  }

  async function run(): Promise<void> {
    while (!isStopping) {
      if (isPaused) await resumed
      else {
        busy = writeOne()
        await busy
        await delay(random.integer(0, PAUSES * options.pauseMaxMs))
      }
    }
  }

  return {
    counts,
    start() {
      loop = run()
    },
    async pause() {
      // Whoever waits already is woken by the same `resume()`.
      if (!isPaused)
        resumed = new Promise((resolve) => {
          resume = resolve
        })
      isPaused = true
      await busy
    },
    resume() {
      isPaused = false
      resume()
    },
    async stop() {
      isStopping = true
      isPaused = false
      resume()
      await loop
      await client?.end().catch(() => {})
    },
    async probe(postId) {
      for (;;) {
        const found = await transact((connected) =>
          connected.query<{ id: number }>(
            'INSERT INTO "Comment" ("postId", "authorId", body) VALUES ($1, $2, $3) RETURNING id',
            [postId, SET_USERS[0], PROBE_BODY],
          ),
        )
        const [row] = found?.rows ?? []
        if (row !== undefined) return String(row.id)
        if (isStopping) throw new Error('The run has ended.')
      }
    },
  }
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, application_name: 'chaos writer of sets' })
  client.on('error', () => {})
  await client.connect()
  return client
}

/** A server that goes or comes; a post that is gone, a membership that is there; deadlocks; a table that was replaced meanwhile. */
const PASSING: ReadonlySet<string> = new Set(['08', '57', '23', '40', '42', '55', 'XX'])

/** Given, taken away, or moved to another team or user. The first user stays where they are. @returns how many rows */
async function writeMembership(client: pg.Client, random: Random): Promise<number> {
  const user = random.pick(SET_USERS.slice(1))
  const [team, other] = random.shuffle(SET_TEAMS)
  const moved = await client.query(
    random.pick([
      'DELETE FROM team_memberships WHERE user_id = $1 AND team_id = $2 AND $3::uuid IS NOT NULL',
      `UPDATE team_memberships SET team_id = $3 WHERE user_id = $1 AND team_id = $2
         AND NOT EXISTS (SELECT FROM team_memberships WHERE user_id = $1 AND team_id = $3)`,
    ]),
    [user, team, other],
  )
  if ((moved.rowCount ?? 0) > 0) return moved.rowCount ?? 0
  const given = await client.query(
    'INSERT INTO team_memberships (user_id, team_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    [user, team],
  )
  return given.rowCount ?? 0
}

const SOME_POST = 'SELECT id FROM "Post" ORDER BY random() LIMIT 1'
const SOME_COMMENT = `SELECT id FROM "Comment" WHERE body <> '${PROBE_BODY}' ORDER BY random() LIMIT 1`

/** Written, changed, moved to another post or author, or deleted. */
async function writeComment(client: pg.Client, random: Random): Promise<void> {
  const author = random.chance(0.1) ? null : random.pick(SET_USERS)
  const body = `said ${random.integer(0, 9_999)}`
  const [{ rows }, kind] = [
    await client.query<{ count: number }>('SELECT count(*)::int FROM "Comment"'),
    random.integer(0, 9),
  ]
  const isFull = (rows[0]?.count ?? 0) > COMMENTS
  if (kind < 4 && !isFull)
    await client.query(
      `INSERT INTO "Comment" ("postId", "authorId", body) SELECT id, $1, $2 FROM (${SOME_POST}) p`,
      [author, body],
    )
  else if (kind < 5 || isFull) await client.query(`DELETE FROM "Comment" WHERE id = (${SOME_COMMENT})`)
  else if (kind < 7) await client.query(`UPDATE "Comment" SET body = $1 WHERE id = (${SOME_COMMENT})`, [body])
  else if (kind < 8)
    await client.query(`UPDATE "Comment" SET "authorId" = $1 WHERE id = (${SOME_COMMENT})`, [author])
  else
    await client.query(
      `UPDATE "Comment" SET "postId" = coalesce((${SOME_POST}), "postId") WHERE id = (${SOME_COMMENT})`,
    )
}
