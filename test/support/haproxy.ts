/** A real HAProxy before servers of a test: `await using proxy = await openHaproxy(config)`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openFolder } from './postgres.ts'

const HAPROXY = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy'].find((path) => existsSync(path))

/** Whether the program is there; says so where it is not. */
export function hasHaproxy(): boolean {
  if (HAPROXY === undefined) process.stdout.write('No haproxy was found: the tests behind it are skipped.\n')
  return HAPROXY !== undefined
}

/** A proxy that ends with the test. */
export interface TestHaproxy extends AsyncDisposable {
  /** A new process takes the ports over, as `systemctl reload` has it; the old one ends with its last connection, or after 500 ms. */
  reload(config: string): Promise<void>
}

const GLOBAL = 'global\n  hard-stop-after 500ms\n  maxconn 200\n'

/** Starts one; resolves once it takes connections at `port`. */
export async function openHaproxy(port: number, config: string): Promise<TestHaproxy> {
  const folder = await openFolder()
  const file = join(folder.path, 'haproxy.cfg')
  const running = new Set<ChildProcess>()
  let current: ChildProcess | null = null

  async function start(text: string): Promise<void> {
    await writeFile(file, `${GLOBAL}${text}`)
    const old = current?.pid === undefined ? [] : ['-sf', String(current.pid)]
    const child = spawn(HAPROXY ?? '', ['-db', '-f', file, ...old], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString()
    })
    running.add(child)
    child.once('exit', () => running.delete(child))
    current = child
    while (!(await isListening(port))) {
      if (child.exitCode !== null) throw new Error(`haproxy ended with ${child.exitCode}: ${said}`)
      await delay(20)
    }
  }

  await start(config)
  return {
    reload: start,
    async [Symbol.asyncDispose]() {
      const ends = [...running].map((child) => new Promise((resolve) => child.once('exit', resolve)))
      for (const child of running) child.kill('SIGKILL')
      await Promise.all(ends)
      await folder[Symbol.asyncDispose]()
    },
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
