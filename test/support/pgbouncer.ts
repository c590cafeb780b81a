/** A PgBouncer before the shared PostgreSQL: `await using pooler = await openPgBouncer(database)`; null where there is none. */
import { spawn, spawnSync } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findFreePort } from '../../src/embedded/free-port.ts'
import type { TestDatabase } from './database.ts'
import { openFolder } from './postgres.ts'

/** A pooler that ends with the test. */
export interface TestPooler extends AsyncDisposable {
  /** Address of the database behind it. */
  readonly url: string
}

const PROGRAM = 'pgbouncer'

/** Whether the program is there; says so where it is not. */
export function hasPgBouncer(): boolean {
  const isThere = spawnSync(PROGRAM, ['--version']).error === undefined
  if (!isThere) process.stdout.write('Skipped: pgbouncer is not installed.\n')
  return isThere
}

/** Starts one with a single server session, so that whatever is left on it is met again. */
export async function openPgBouncer(
  { target, name }: TestDatabase,
  mode: 'transaction' | 'session',
): Promise<TestPooler> {
  const folder = await openFolder(0o777)
  const port = await findFreePort()
  const config = join(folder.path, 'pgbouncer.ini')
  const users = join(folder.path, 'users.txt')
  await writeFile(users, `"${target.user}" "${String(target.password)}"\n`)
  await writeFile(
    config,
    `[databases]
${name} = host=${target.host} port=${target.port} dbname=${name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${users}
pool_mode = ${mode}
default_pool_size = ${mode === 'transaction' ? 2 : 5}
`,
  )
  await Promise.all([chmod(config, 0o644), chmod(users, 0o644)])
  const asUser = process.getuid?.() === 0 ? ['-u', 'postgres'] : []
  const child = spawn(PROGRAM, ['-q', ...asUser, config], { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  while (!(await isListening(port)) && child.exitCode === null) await delay(20)
  if (child.exitCode !== null) throw new Error(`pgbouncer ended with ${child.exitCode}.`)
  return {
    url: `postgresql://${target.user}:${encodeURIComponent(String(target.password))}@127.0.0.1:${port}/${name}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGINT')
      const isGone = await Promise.race([ended.then(() => true), delay(2_000, false)])
      if (!isGone) child.kill('SIGKILL')
      await folder[Symbol.asyncDispose]()
    },
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('close', () => undefined)
    socket.once('connect', () => socket.destroy())
  })
}
