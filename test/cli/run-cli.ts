/** The program as its users run it: a process, its output and its exit code. */
import { spawn } from 'node:child_process'
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
}

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
  { filesMax }: ProcessBounds,
): RunningCli {
  const command = [process.execPath, PROGRAM.main, ...args] as const
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
      child.kill(signal)
      return ended
    },
    ended,
  }
}
