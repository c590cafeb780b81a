/**
 * Beside the spine, embedded. One life of a PostgreSQL server process: start, signals, crash, last words.
 * Source: PostgreSQL manual, "Shutting Down the Server" and "postgres".
 *
 * The package waits for a sentence of the server's log, and says nothing of why a server ended.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, readSync, rmSync, statSync, truncateSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresBinaries } from './binaries.ts'
import { isProcessAlive, isServerOf, listChildren } from './process-table.ts'
import type { ServerUser } from './server-user.ts'

/** How a server is asked to stop: `smart` waits for its clients, `fast` ends their sessions, `immediate` crashes. */
export type StopMode = 'smart' | 'fast' | 'immediate'

const STOP_SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const

/** A server process. */
export interface Postmaster {
  readonly pid: number
  /** Resolves when the process has ended. */
  readonly exited: Promise<void>
  readonly hasExited: boolean
  /** What the server wrote to its log in this life, at most the last 16 KiB. */
  readLog(): string
  /** Asks it to stop and waits; when the time is over, one mode harder, and at last kills it. */
  stop(mode: StopMode, timeoutMs: number): Promise<void>
  /** A crash: SIGKILL, and waits until the children have noticed and are gone. */
  kill(): Promise<void>
}

/** What a server is started with. */
export interface PostmasterRequest {
  readonly binaries: PostgresBinaries
  readonly dataFolder: string
  readonly logFile: string
  readonly port: number
  readonly settings: Readonly<Record<string, string | number | boolean>>
  readonly user: ServerUser | null
}

/** A log longer than this is restarted at the next start. */
const LOG_BYTES_MAX = 16 * 1024 * 1024
/** How long orphaned children may take to notice that their parent is gone. */
const ORPHANS_TIMEOUT_MS = 5_000

/**
 * Starts the server; it is not ready yet when this returns. It has a session of its own, so that Ctrl-C in the
 * terminal reaches its owner only, who stops it in order.
 * @throws the operating system's error when the program cannot be run.
 */
export async function startPostmaster(request: PostmasterRequest): Promise<Postmaster> {
  const { binaries, dataFolder, logFile, port, settings, user } = request
  const commandLine = ['-D', dataFolder, '-p', String(port)]
  for (const [name, value] of Object.entries(settings)) commandLine.push('-c', `${name}=${value}`)
  const log = openLog(logFile)
  const child = spawn(binaries.postgres, commandLine, {
    ...user,
    cwd: dirname(dataFolder),
    env: serverEnvironment(),
    stdio: ['ignore', log.descriptor, log.descriptor],
    detached: true,
  })
  closeSync(log.descriptor)
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  // The server must not keep its owner's event loop alive: an owner that forgot it would never end.
  child.unref()
  return superviseProcess(child.pid ?? 0, exited, () => readTail(logFile, log.startOffset))
}

/** Adopts a server that this process did not start: the one an owner left behind when it was killed. */
export function adoptPostmaster(pid: number): Postmaster {
  return superviseProcess(pid, waitUntilGone([pid]), () => '')
}

function superviseProcess(pid: number, exited: Promise<void>, readLog: () => string): Postmaster {
  let hasExited = false
  // The last resort when the owner's process ends and nobody stopped the server. Immediate, because nobody is
  // left to wait: what was committed is in the WAL.
  const onOwnerExit = () => signal('SIGQUIT')
  process.on('exit', onOwnerExit)
  const ended = exited.then(() => {
    hasExited = true
    process.off('exit', onOwnerExit)
  })

  function signal(name: NodeJS.Signals): void {
    if (hasExited) return
    try {
      process.kill(pid, name)
    } catch {
      // It has just ended; `exited` says so in a moment.
    }
  }

  async function kill(): Promise<void> {
    if (hasExited) return
    // Stopped first: it makes no more children while they are listed.
    signal('SIGSTOP')
    const children = listChildren(pid)
    signal('SIGKILL')
    await isSettledWithin(ended, ORPHANS_TIMEOUT_MS)
    if (await isSettledWithin(waitUntilGone(children), ORPHANS_TIMEOUT_MS)) return
    for (const child of children.filter(isProcessAlive)) process.kill(child, 'SIGKILL')
    await waitUntilGone(children)
  }

  return {
    pid,
    exited: ended,
    get hasExited() {
      return hasExited
    },
    readLog,
    kill,
    async stop(mode, timeoutMs) {
      const modes: readonly StopMode[] = ['smart', 'fast', 'immediate']
      for (const next of modes.slice(modes.indexOf(mode))) {
        signal(STOP_SIGNALS[next])
        if (await isSettledWithin(ended, timeoutMs)) return
      }
      await kill()
    },
  }
}

/** The pid file of a data folder: which server runs on it, and whether it takes connections. */
export interface PidFile {
  readonly pid: number
  readonly isReady: boolean
}

/**
 * Reads `postmaster.pid`; null when there is none, or when it is stale. A stale one whose process id some other
 * program has by now is removed, because the server would take that program for its predecessor.
 */
export function readPidFile(dataFolder: string): PidFile | null {
  const path = join(dataFolder, 'postmaster.pid')
  let lines: readonly string[]
  try {
    lines = readFileSync(path, 'utf8').split('\n')
  } catch {
    return null
  }
  const pid = Number.parseInt(lines[0] ?? '', 10)
  if (isServerOf(pid, dataFolder)) return { pid, isReady: lines[7]?.trim() === 'ready' }
  if (isProcessAlive(pid)) rmSync(path, { force: true })
  return null
}

/** A small environment of our own: nothing of PGDATA, PGPORT, LC_ALL and the like reaches the server. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const kept = ['PATH', 'LD_LIBRARY_PATH', 'TMPDIR'].flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: 'UTC' }
}

async function waitUntilGone(pids: readonly number[]): Promise<void> {
  while (pids.some(isProcessAlive)) await delay(10)
}

async function isSettledWithin(promise: Promise<void>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs)
  })
  const isSettled = await Promise.race([promise.then(() => true), timeout])
  clearTimeout(timer)
  return isSettled
}

function openLog(logFile: string): { readonly descriptor: number; readonly startOffset: number } {
  const descriptor = openSync(logFile, 'a', 0o600)
  if (statSync(logFile).size > LOG_BYTES_MAX) truncateSync(logFile)
  return { descriptor, startOffset: statSync(logFile).size }
}

function readTail(file: string, startOffset: number): string {
  const size = statSync(file).size
  const start = Math.max(startOffset, size - 16 * 1024)
  const buffer = Buffer.alloc(Math.max(0, size - start))
  const descriptor = openSync(file, 'r')
  try {
    return buffer.toString('utf8', 0, readSync(descriptor, buffer, 0, buffer.length, start))
  } finally {
    closeSync(descriptor)
  }
}
