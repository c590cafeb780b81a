/** The program as its users run it: a process, its output and its exit code. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { buildProgram } from '../support/built-program.ts'

const PROGRAM = await buildProgram()

/** What came of a run. */
export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A program that runs on. */
export interface RunningCli {
  /** Resolves with the next line of standard output. */
  nextLine(): Promise<string>
  /** Resolves once the errors' stream has said it. */
  said(words: string): Promise<void>
  /** Sends the signal and waits for the end. @default 'SIGINT' */
  stop(signal?: NodeJS.Signals): Promise<CliResult>
  readonly ended: Promise<CliResult>
}

/** What the operating system lets it have. */
export interface ProcessBounds {
  /** Open files. @default as many as this process may have */
  readonly filesMax?: number
  /** Process 1 of a namespace of its own, as in a container: Linux drops signals that such a one has no handler for. @default false */
  readonly isFirst?: boolean
}

/** Makes what follows process 1. */
export const AS_FIRST = ['unshare', '-rpf', '--kill-child', '--mount-proc'] as const

/** A folder with a config for the sample's catalog. */
export interface CliFolder extends AsyncDisposable {
  readonly path: string
  run(args: readonly string[], env?: Record<string, string>): Promise<CliResult>
  start(args: readonly string[], env?: Record<string, string>, bounds?: ProcessBounds): RunningCli
}

/** Creates one; `config` goes into the config file's object. */
export async function openCliFolder(env: Record<string, string>, config = ''): Promise<CliFolder> {
  const path = await mkdtemp(join(tmpdir(), 'rowcast-cli-'))
  const catalog = pathToFileURL(PROGRAM.catalog).href
  await writeFile(
    join(path, 'rowcast.config.ts'),
    `import { catalog } from '${catalog}'\nexport default { catalog, createPrisma: () => ({ async $connect() {}, async $disconnect() {} }), ${config} }\n`,
  )
  const start: CliFolder['start'] = (args, more = {}, bounds = {}) =>
    startCli(path, args, { ...env, ...more }, bounds)
  return {
    path,
    start,
    run: (args, more) => start(args, more).ended,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

function startCli(
  cwd: string,
  args: readonly string[],
  env: Record<string, string>,
  { filesMax, isFirst = false }: ProcessBounds,
): RunningCli {
  const own = [process.execPath, PROGRAM.main, ...args] as const
  const command = isFirst ? ([...AS_FIRST, ...own] as const) : own
  const bounded =
    filesMax === undefined
      ? command
      : (['sh', '-c', `ulimit -n ${filesMax}; exec "$@"`, 'sh', ...command] as const)
  const [program, ...rest] = bounded
  const child = spawn(program, rest, {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  const lines: string[] = []
  const waiters = new Set<() => void>()
  const wake = () => {
    for (const waiter of [...waiters]) waiter()
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    stdout += `${line}\n`
    lines.push(line)
    wake()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    wake()
  })
  let isOver = false
  const ended = new Promise<CliResult>((resolve) => {
    child.once('close', (code) => {
      isOver = true
      resolve({ code, stdout, stderr })
      wake()
    })
  })
  /** Resolves when the test holds; rejects when the program ends before. */
  const until = <Value>(probe: () => Value | undefined) =>
    new Promise<Value>((resolve, reject) => {
      const look = () => {
        const value = probe()
        if (value === undefined && !isOver) return
        waiters.delete(look)
        if (value === undefined) reject(new Error(`The program ended first.\n${stdout}\n${stderr}`))
        else resolve(value)
      }
      waiters.add(look)
      look()
    })
  return {
    nextLine: () => until(() => lines.shift()),
    said: (words) => until(() => (stderr.includes(words) ? null : undefined)).then(() => undefined),
    async stop(signal = 'SIGINT') {
      if (isFirst) process.kill(childOf(child.pid), signal)
      else child.kill(signal)
      return ended
    },
    ended,
  }
}

/** The only one. */
function childOf(pid: number | undefined): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'))
}
