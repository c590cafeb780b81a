/** rowcast as a process of its own, `rowcast serve`, with a proxy between it and PostgreSQL. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '../../src/embedded/free-port.ts'
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { StepTrap } from './step-trap.ts'

/** How to run it. */
export interface ServedRowcastOptions {
  readonly name: string
  /** Of the database, past any proxy. */
  readonly databaseUrl: string
  /** Environment beside the ordinary. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** More of the command line. */
  readonly arguments?: readonly string[] | undefined
  /** It ended, and nobody here had asked for it. */
  readonly onCrash: (words: string) => void
}

/** What `/health/ready` says. */
export interface Health {
  readonly status: string
  readonly replication: string
  /** Of a tap: whether it is the one that writes. */
  readonly isActiveTap?: boolean | undefined
}

/** One rowcast, which may be killed and started as often as one likes. */
export interface ServedRowcast extends AsyncDisposable {
  readonly name: string
  readonly port: number
  /** Between it and PostgreSQL. */
  readonly databaseProxy: TcpProxy
  readonly trap: StepTrap
  readonly isRunning: boolean
  /** Resolves once it listens. */
  start(): Promise<void>
  /** SIGKILL; it may have ended by the time this returns, and has when the promise resolves. */
  kill(): Promise<void>
  signal(name: NodeJS.Signals): void
  health(): Promise<Health | null>
  /** The latest lines of its log, over all its lives. */
  readonly lines: readonly string[]
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ARGUMENTS = [
  ...['--import', 'tsx', '--import', './test/chaos/clock-jump.ts', '--conditions=rowcast-source'],
  ...['src/cli/main.ts', 'serve', '--config', 'test/chaos/rowcast.config.ts'],
]
const LINES_MAX = 400

/** Prepares one; it does not run before `start()`. */
export async function createServedRowcast(options: ServedRowcastOptions): Promise<ServedRowcast> {
  const { name } = options
  const trap = new StepTrap()
  const url = new URL(options.databaseUrl)
  const databaseProxy = await openTcpProxy(Number(url.port), { intercept: trap.databaseBytes })
  url.port = String(databaseProxy.port)
  const port = await findFreePort()
  const lines: string[] = []
  let child: ChildProcess | null = null
  let isWanted = false
  let isClosed = false

  function note(text: string): void {
    lines.push(...text.split('\n').filter((line) => line !== ''))
    if (lines.length > LINES_MAX) lines.splice(0, lines.length - LINES_MAX)
  }

  // The last resort, when the suite itself ends in the middle.
  const onExit = () => void child?.kill('SIGKILL')
  process.on('exit', onExit)

  async function start(): Promise<void> {
    // A fault that is still at work when the run is ended must leave no process behind.
    if (isClosed) throw new Error(`${name} has been closed.`)
    isWanted = true
    const place = ['--port', String(port), '--host', '127.0.0.1', ...(options.arguments ?? [])]
    const started = spawn(process.execPath, [...ARGUMENTS, ...place], {
      cwd: ROOT,
      env: {
        ...process.env,
        DATABASE_URL: url.href,
        LOG_LEVEL: 'debug',
        NODE_ENV: 'production',
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    started.stderr.setEncoding('utf8').on('data', note)
    const ended = once(started, 'exit').then(([code, signal]) => {
      note(`[${name} ended: ${code ?? signal}]`)
      if (child === started) child = null
      if (isWanted)
        options.onCrash(`${name} ended by itself: ${code ?? signal}\n${lines.slice(-30).join('\n')}`)
    })
    const listening = new Promise<void>((resolve) => {
      started.stdout.setEncoding('utf8').on('data', (text: string) => {
        note(text)
        if (text.includes('"Listening."')) resolve()
      })
    })
    await Promise.race([listening, ended])
  }

  async function kill(): Promise<void> {
    isWanted = false
    const dying = child
    if (dying === null) return
    const gone = once(dying, 'exit')
    dying.kill('SIGKILL')
    await gone
  }

  return {
    ...{ name, port, databaseProxy, trap, lines, start, kill },
    get isRunning() {
      return child !== null
    },
    signal(signalName) {
      child?.kill(signalName)
    },
    async health() {
      try {
        const response = await fetch(`http://127.0.0.1:${port}/health/ready`, {
          signal: AbortSignal.timeout(2_000),
        })
        return (await response.json()) as Health
      } catch {
        return null
      }
    },
    async [Symbol.asyncDispose]() {
      isClosed = true
      await kill()
      process.off('exit', onExit)
      await databaseProxy[Symbol.asyncDispose]()
    },
  }
}
