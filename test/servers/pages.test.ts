/** "Add rowcast to …": the program of each page, run as it stands there, with the server that it is about. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, expect, it } from 'vitest'
import WebSocket from 'ws'
import { openDatabase, type TestDatabase } from '../support/database.ts'

const ROOT = join(import.meta.dirname, '../..')
const GENERATED = `${pathToFileURL(ROOT)}/prisma/generated`

let database: TestDatabase
beforeAll(async () => {
  database = await openDatabase({ migrate: true })
})
afterAll(() => database?.[Symbol.asyncDispose]())

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Runs the page's `server.ts`. */
async function runPage(page: string) {
  const text = await readFile(join(ROOT, 'docs', page), 'utf8')
  const program = /```ts\n(\/\/ server\.ts\n[\s\S]*?)```/.exec(text)?.[1] ?? ''
  const port = await freePort()
  // Inside the package, so that 'rowcast' means this one.
  const folder = await mkdtemp(join(ROOT, 'test/generated/page-'))
  await symlink(join(import.meta.dirname, 'node_modules'), join(folder, 'node_modules'))
  await writeFile(
    join(folder, 'server.ts'),
    program
      .replace("'./generated/prisma/client'", `'${GENERATED}/client/client.ts'`)
      .replace("'./generated/rowcast'", `'${GENERATED}/rowcast.ts'`)
      .replace('4000', String(port)),
  )
  // What projects of Nest have.
  const compilerOptions = { target: 'es2023', module: 'nodenext', experimentalDecorators: true }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const tsx = join(ROOT, 'node_modules/tsx/dist/loader.mjs')
  const child = spawn(
    process.execPath,
    ['--import', pathToFileURL(tsx).href, '--conditions=rowcast-source', 'server.ts'],
    {
      cwd: folder,
      env: { ...process.env, DATABASE_URL: database.url, NODE_ENV: 'development' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
    })
  return {
    url: `http://localhost:${port}`,
    ended: ended.then(() => Promise.reject(new Error(`${page} ended: ${output}`))),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true })
    },
  }
}

it.each([
  ['add-to-apollo-server.md', true],
  ['add-to-nestjs.md', true],
  ['add-to-yoga.md', true],
  ['add-to-fastify.md', false],
])('%s', { timeout: 240_000 }, async (page, hasUsers) => {
  await using running = await runPage(page)
  const { url, ended } = running
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 100)),
    shouldRetry: () => true,
  })
  const query = 'subscription { userChanged(action: INSERT) { action old { email } new { id email } } }'
  const first = client.iterate({ query }).next()
  // Nobody says when a subscription has begun: until it has, users come.
  const seen = Promise.race([first, ended])
  let isSeen = false
  seen.then(
    () => {
      isSeen = true
    },
    () => {
      isSeen = true
    },
  )
  for (let n = 0; !isSeen; n += 1) {
    await database.query('INSERT INTO users (email) VALUES ($1)', [`${page}-${n}@example.com`])
    await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, 100))]).catch(() => undefined)
  }
  const { value } = (await seen) as IteratorResult<unknown>
  expect(value).toEqual({
    data: {
      userChanged: {
        ...{ action: 'INSERT', old: null },
        new: { id: expect.any(String), email: expect.stringMatching(page) },
      },
    },
  })
  // What the server had before is there.
  const ask = hasUsers ? '{ users { email } }' : '{ hello }'
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: ask }),
  })
  const { data } = (await response.json()) as { data: { users?: unknown[]; hello?: null } }
  if (hasUsers) expect(data.users).toContainEqual({ email: `${page}-0@example.com` })
  else {
    expect(data).toEqual({ hello: null })
    const users = await (await fetch(`${url}/users`)).json()
    expect(users).toContainEqual({ email: `${page}-0@example.com` })
  }
  await client.dispose()
})
