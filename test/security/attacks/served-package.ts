/**
 * The packed product as a process of its own in production: the tarball that `npm publish` would send, unpacked where the
 * packages it needs are, with a config of its own, and `rowcast serve`.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { vi } from 'vitest'
import type { TestDatabase } from '../../support/database.ts'
import { ROOT } from '../../support/packed-project.ts'
import { packTarball } from '../../support/packed-tarball.ts'

/** The process. */
export interface ServedPackage extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** How it ended; null while it lives. */
  readonly exit: string | null
  /** What it logged, line by line. */
  readonly lines: readonly string[]
  /** What it holds now; garbage is collected first. */
  memory(): Promise<Memory>
}

/** Memory of a process. */
export interface Memory {
  /** Heap and buffers that something refers to. */
  readonly liveBytes: number
  /** What the system has given it: the allocator and V8 keep more than is held, as long as they like. For printing only. */
  readonly rssBytes: number
}

/** Serves the sample's models with the config. @param config text of a module @param env more of the environment */
export async function servePackage(
  database: TestDatabase,
  config: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ServedPackage> {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-attacked-'))
  await install(folder)
  await writeFile(join(folder, 'rowcast.config.js'), config)
  const probe = ['--expose-gc', '--import', join(import.meta.dirname, 'memory-probe.mjs')]
  const child = spawn('node', [...probe, 'node_modules/rowcast/dist/cli/main.js', 'serve'], {
    cwd: folder,
    env: {
      ...{ PATH: process.env['PATH'], NODE_ENV: 'production', DATABASE_URL: database.url },
      ...{ ROWCAST_SLOT: `attacked_${database.name}`, PORT: '0', ...env },
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let exit: string | null = null
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = String(code ?? signal)
      resolve()
    })
  })
  const lines: string[] = []
  for (const output of [child.stdout, child.stderr])
    if (output !== null) createInterface({ input: output }).on('line', (line) => lines.push(line))
  const listening = () => lines.find((line) => line.includes('Listening.'))
  const patience = { timeout: 60_000, interval: 50 }
  await vi.waitUntil(() => listening() ?? exit, patience)
  if (listening() === undefined) throw new Error(`It does not listen:\n${lines.join('\n')}`)
  const { url } = JSON.parse(listening() ?? '{}') as { url: string }
  await vi.waitUntil(async () => (await fetch(`${url}/health/ready`)).status === 200, patience)
  return {
    ...{ url, port: Number(new URL(url).port), pid: child.pid ?? 0, lines },
    memory: () => askMemory(child),
    get exit() {
      return exit
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await ended
      clearTimeout(timer)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

let questions = 0

/** @throws when the process ends before it has answered */
function askMemory(child: ChildProcess): Promise<Memory> {
  questions += 1
  const id = questions
  return new Promise((resolve, reject) => {
    const settle = (settled: () => void): void => {
      child.off('message', onMessage)
      child.off('exit', onExit)
      settled()
    }
    const onMessage = (answer: unknown): void => {
      const memory = answer as Memory & { readonly id: number }
      if (memory.id === id) settle(() => resolve(memory))
    }
    const onExit = () => settle(() => reject(new Error('The process ended before it said what it holds.')))
    child.on('message', onMessage)
    child.once('exit', onExit)
    child.send(id)
  })
}

/** As npm would, but that what the package depends on is linked: nothing is downloaded. */
async function install(folder: string): Promise<void> {
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, 'rowcast'), { recursive: true })
  const tarball = await packTarball(folder)
  await promisify(execFile)('tar', ['-xzf', tarball, '-C', join(modules, 'rowcast'), '--strip-components=1'])
  for (const name of await readdir(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.') && name !== 'rowcast')
      await symlink(join(ROOT, 'node_modules', name), join(modules, name))
  }
  await cp(join(ROOT, 'dist/sample/prisma'), join(folder, 'prisma'), { recursive: true })
  await writeFile(join(folder, 'package.json'), '{ "name": "attacked", "private": true, "type": "module" }')
}
