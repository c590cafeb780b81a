/** `rowcast dev` as a person runs it: a process of its own, read by its output, stopped by a signal. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'

const ROOT = join(import.meta.dirname, '../..')

interface Run {
  readonly child: ChildProcess
  /** Everything printed so far, both streams. */
  output(): string
  /** Resolves with the match once the output has it; fails when the process ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  /** Exit code; null when a signal ended it. */
  exited(): Promise<number | null>
}

function start(args: readonly string[], env: Record<string, string> = {}): Run {
  const { DATABASE_URL: _theirs, ...inherited } = process.env
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=rowcast-source', 'src/cli/main.ts', ...args],
    { cwd: ROOT, env: { ...inherited, PORT: '0', ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let text = ''
  const exit = once(child, 'exit')
  const checks = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text += String(chunk)
      for (const check of checks) check()
    })
  }
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return {
    child,
    output: () => text,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const match = pattern.exec(text)
          if (match === null) return
          checks.delete(check)
          resolve(match)
        }
        checks.add(check)
        check()
        exit.then(() => reject(new Error(`It ended without printing ${String(pattern)}:\n${text}`)))
      }),
    exited: async () => (await exit)[0] as number | null,
  }
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rowcast-dev-'))
  // Where PostgreSQL runs as a user of its own, that user has to get in.
  chmodSync(folder, 0o755)
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const postmasterOf = (dataFolder: string): number =>
  Number(readFileSync(join(dataFolder, 'postmaster.pid'), 'utf8').split('\n', 1)[0])

test('it starts, shows life, stops without leaving a process, and keeps its data', async () => {
  const dataFolder = join(temporaryFolder(), 'data')
  const first = start(['dev', '--traffic', '--data-folder', dataFolder])
  const [, url = ''] = await first.printed(/SSE +(http:\S+)\/graphql/)
  const [, databaseUrl = ''] = await first.printed(/PostgreSQL +(postgresql:\S+)/)
  await first.printed(/Live models.*\bUser\b/)
  const postmaster = postmasterOf(dataFolder)

  const readiness = async () => {
    const ready = await fetch(`${url}/health/ready`)
    return [ready.status, await ready.json()]
  }
  // Changes flow; its Prisma Client may still be loading.
  await expect.poll(readiness).toEqual([200, expect.objectContaining({ replication: 'streaming' })])

  // Traffic shows life by itself …
  const client = createWsClient(url)
  const lively = client.subscribe<{ userChanged: { action: string } }>(
    'subscription { userChanged { action } }',
  )
  expect((await lively.nextData(30_000)).userChanged.action).toMatch(/INSERT|UPDATE|DELETE/)

  // … and the greeting's example statement is seen too.
  const inserts = await subscribeSse<{ userChanged: { new: { email: string } } }>(
    url,
    'subscription { userChanged(action: INSERT) { new { email } } }',
  )
  const [, statement = ''] = await first.printed(/(INSERT INTO users .*)\n/)
  await withSqlClient(parseConnectionTarget(databaseUrl), (sql) => sql.execute(statement))
  const isExample = async (): Promise<boolean> =>
    (await inserts.nextData(30_000)).userChanged.new.email === 'new@example.com'
  while (!(await isExample())) {}

  first.child.kill('SIGINT')
  expect(await client.closed()).toEqual({ code: 1012, reason: 'Server is stopping' })
  expect(await first.exited()).toBe(0)
  expect(first.output()).toMatch(/Stopped\.\n$/)
  expect(isAlive(postmaster)).toBe(false)

  const second = start(['dev', '--data-folder', dataFolder])
  const [, secondUrl = ''] = await second.printed(/SSE +(http:\S+)\/graphql/)
  const response = await fetch(`${secondUrl}/graphql?query={users(take:100){email}}`, {
    headers: { 'x-graphql-yoga-csrf': '1' },
  })
  const { data } = (await response.json()) as { data: { users: { email: string }[] } }
  const emails = data.users.map(({ email }) => email)
  expect(emails).toContain('ada@example.com')
  expect(emails).toContain('new@example.com')
  expect(emails.filter((email) => email.includes('traffic'))).toEqual([])
  second.child.kill('SIGTERM')
  expect(await second.exited()).toBe(0)
})

test('a port in use is one screen with the hint, and no PostgreSQL is left', async () => {
  const dataFolder = join(temporaryFolder(), 'data')
  const holder = start(['dev', '--data-folder', dataFolder])
  const [, port = ''] = await holder.printed(/SSE +http:[^:]+:(\d+)\/graphql/)
  const otherFolder = join(temporaryFolder(), 'data')
  const other = start(['dev', '--port', port, '--data-folder', otherFolder])
  expect(await other.exited()).toBe(1)
  expect(other.output()).toContain(
    `[SERVER_PORT_IN_USE] Port ${port} on 127.0.0.1 is taken by another program.`,
  )
  expect(other.output()).toContain(`Hint: Stop it, or choose another port: PORT=${Number(port) + 1}`)
  expect(() => postmasterOf(otherFolder)).toThrow('ENOENT')
  holder.child.kill('SIGTERM')
  expect(await holder.exited()).toBe(0)
})

test('with DATABASE_URL it starts no PostgreSQL, waits for that one, and hides its password', async () => {
  const run = start(['dev'], { DATABASE_URL: 'postgresql://app:hunter2@127.0.0.1:1/app' })
  const [, url = ''] = await run.printed(/SSE +(http:\S+)\/graphql/)
  await run.printed(/Not live yet: \[SOURCE_CONNECTION_REFUSED\]/)
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  const ready = await fetch(`${url}/health/ready`)
  expect([ready.status, await ready.json()]).toEqual([
    503,
    expect.objectContaining({ status: 'not_ready', error: 'SOURCE_CONNECTION_REFUSED' }),
  ])
  run.child.kill('SIGTERM')
  expect(await run.exited()).toBe(0)
  expect(run.output()).not.toMatch(/hunter2|Starting PostgreSQL/)
})

test.each([
  ['no DATABASE_URL', {}, /\[CONFIG_NO_DATABASE\] DATABASE_URL is not set\.\nHint: Set DATABASE_URL/],
  [
    'a bad DATABASE_URL',
    { DATABASE_URL: 'mysql://app:hunter2@db/app' },
    /\[CONFIG_BAD_DATABASE_URL\].*\nHint: /,
  ],
])('serve with %s is one screen with the hint', async (_name, env, expected) => {
  const run = start(['serve'], env as Record<string, string>)
  expect(await run.exited()).toBe(1)
  expect(run.output()).toMatch(expected)
  expect(run.output()).not.toMatch(/hunter2|\n {4}at /)
})
