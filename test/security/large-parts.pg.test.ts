/**
 * The service as a process with a small heap, in production mode: a transaction of small rows under a popular post, whose subscriber asks
 * each for thousands of related rows, is not the end of it, and who listens beside it hears on.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { createDeferred } from '../support/deferred.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { createWsClient } from '../support/ws-client.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SERVE = [
  ...['--max-old-space-size=160', '--import', 'tsx', '--conditions=rowcast-source', 'src/cli/main.ts'],
  ...['serve', '--config', 'rowcast.config.ts', '--host', '127.0.0.1', '--port', '0'],
]
const CHANGES = 220
const NET = 120_000

interface Part {
  readonly changes: { readonly isLast: boolean; readonly changes: readonly { readonly new?: unknown }[] }
}

let database: TestDatabase
beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  await database.query(`INSERT INTO users (email) VALUES ('ada@example.com')`)
  await database.query(`INSERT INTO "Post" ("authorId", title) SELECT id, 'popular' FROM users`)
  await database.query(
    `INSERT INTO "Comment" ("postId", body) SELECT id, 'c' FROM "Post", generate_series(1, 200)`,
  )
  await database.query(
    `INSERT INTO "Comment" ("postId", "parentId", body)
     SELECT "postId", id, 'r' FROM "Comment", generate_series(1, 20)`,
  )
})
afterAll(() => database[Symbol.asyncDispose]())

/** Resolves once it listens. */
async function openProcess() {
  const child = spawn(process.execPath, SERVE, {
    cwd: ROOT,
    env: {
      ...{ ...process.env, NODE_ENV: 'production', DATABASE_URL: database.url },
      ROWCAST_SLOT: slotOf(database),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const onExit = () => void child.kill('SIGKILL')
  process.on('exit', onExit)
  const listening = createDeferred<string>()
  let said = ''
  const note = (text: string) => {
    said = `${said}${text}`.slice(-8_000)
    const url = /"url":"(http[^"]+)"/.exec(said)?.[1]
    if (url !== undefined) listening.resolve(url)
  }
  child.stdout.setEncoding('utf8').on('data', note)
  child.stderr.setEncoding('utf8').on('data', note)
  const ended = once(child, 'exit').then(() => listening.reject(new Error(said)))
  return {
    url: await listening.promise,
    get isRunning() {
      return child.exitCode === null && child.signalCode === null
    },
    async [Symbol.asyncDispose]() {
      process.off('exit', onExit)
      child.kill('SIGTERM')
      await ended
    },
  }
}

it('a subscriber whose every change asks for thousands of rows gets them in parts', {
  timeout: 600_000,
}, async () => {
  await using server = await openProcess()
  const client = createWsClient(server.url)
  const beside = createWsClient(server.url)
  const parts = client.subscribe<Part>(
    `subscription { changes(of: { comment: {}, tag: {} }) { isLast changes {
      ... on CommentInserted { new { post { comments(take: 200) { replies(take: 20) { id } } } } }
      ... on TagInserted { tag: new { name } }
    } } }`,
  )
  const tags = beside.subscribe<{ tagChanged: { new: { name: string } } }>(
    'subscription { tagChanged(action: INSERT) { new { name } } }',
  )
  const isHeard = async () => {
    await database.query(`INSERT INTO "Tag" (name) VALUES (gen_random_uuid()::text)`)
    return parts.length > 0 && tags.length > 0
  }
  await expect.poll(isHeard, { timeout: NET }).toBe(true)
  await database.query(
    `INSERT INTO "Comment" ("postId", body) SELECT "Post".id, 'new' FROM "Post", generate_series(1, ${CHANGES})`,
  )
  let changes = 0
  let isWritten = false
  while (changes < CHANGES) {
    const { changes: part } = await parts.nextData(NET)
    changes += part.changes.filter((change) => change.new !== undefined).length
    if (changes >= CHANGES / 2 && !isWritten) {
      isWritten = true
      await database.query(`INSERT INTO "Tag" (name) VALUES ('meanwhile')`)
    }
    expect(part.isLast || changes < CHANGES).toBe(true)
  }
  expect(changes).toBe(CHANGES)
  let name = ''
  while (name !== 'meanwhile') name = (await tags.nextData(NET)).tagChanged.new.name
  expect(server.isRunning).toBe(true)
  await Promise.all([client.close(), beside.close()])
})
