/**
 * Beside the spine, embedded. From "nothing runs on this data folder" to "it takes connections": clears what a
 * killed owner left behind, finds a port, starts the server, and asks it until it answers.
 *
 * The package starts beside a server that a killed owner left on the same data.
 */
import { readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { isRowcastError, RowcastError } from '../errors.ts'
import { withSqlClient } from '../source/db/sql.ts'
import { findFreePort, isPortFree } from './free-port.ts'
import {
  adoptPostmaster,
  type Postmaster,
  type PostmasterRequest,
  readPidFile,
  startPostmaster,
} from './postmaster.ts'
import { isProcessAlive } from './process-table.ts'

/** What it takes to start. */
export interface StartRequest extends PostmasterRequest {
  /** 0 takes any free port. */
  readonly port: number
  readonly login: { readonly user: string; readonly password: string }
  readonly startTimeoutMs: number
  readonly stopTimeoutMs: number
}

/** A server that takes connections. */
export interface StartedServer {
  readonly postmaster: Postmaster
  readonly port: number
  /** As the server says it: `18.4`. */
  readonly version: string
}

/** Free ports tried one after the other when others keep taking them. */
const PORT_ATTEMPTS_MAX = 5
const READY_POLL_MS = 25
/** How long a server that does not know us may take to end because the port was another's. */
const DOUBT_MS = 1_000

/**
 * Starts a server on the data folder.
 * @throws EMBEDDED_ALREADY_RUNNING, EMBEDDED_PORT_IN_USE, EMBEDDED_START_FAILED, EMBEDDED_DATA_FOLDER_UNUSABLE
 */
export async function startServer(request: StartRequest): Promise<StartedServer> {
  await clearTheWay(request)
  for (let attempt = 1; ; attempt++) {
    const port = request.port === 0 ? await findFreePort() : request.port
    if (!(await isPortFree(port))) throw portInUse(port)
    const postmaster = await run({ ...request, port })
    try {
      const version = await waitUntilReady({ ...request, port }, postmaster)
      writeOwner(request.dataFolder, postmaster.pid)
      return { postmaster, port, version }
    } catch (error) {
      await postmaster.stop('immediate', request.stopTimeoutMs)
      if (await isPortFree(port)) throw error
      if (request.port !== 0 || attempt === PORT_ATTEMPTS_MAX) throw portInUse(port)
    }
  }
}

/**
 * A server that still runs on the data folder belongs to a live owner, and then it is theirs; or its owner was
 * killed without a chance to stop it, and then it is stopped here.
 */
async function clearTheWay(request: StartRequest): Promise<void> {
  const { dataFolder, stopTimeoutMs } = request
  const running = readPidFile(dataFolder)
  if (running === null) return
  const owner = readOwner(dataFolder, running.pid)
  if (owner === null || isProcessAlive(owner)) throw alreadyRunning(dataFolder, running.pid, owner)
  await adoptPostmaster(running.pid).stop('fast', stopTimeoutMs)
}

async function run(request: StartRequest): Promise<Postmaster> {
  try {
    return await startPostmaster(request)
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'no reason given'
    throw new RowcastError('EMBEDDED_START_FAILED', `PostgreSQL could not be executed: ${reason}.`, {
      hint: 'The programs need glibc (not Alpine) and a file system that is not noexec; else set DATABASE_URL.',
      cause: error,
    })
  }
}

async function waitUntilReady(request: StartRequest, postmaster: Postmaster): Promise<string> {
  const { dataFolder, logFile, startTimeoutMs } = request
  const deadlineMs = performance.now() + startTimeoutMs
  for (;;) {
    try {
      return await askVersion(request)
    } catch (error) {
      if (!isRowcastError(error)) throw error
      // What may pass: not listening yet, still recovering. Anything else may be another server on our port; then
      // ours ends in a moment and says so.
      const isPassing = error.retry === 'backoff'
      const isOurs = readPidFile(dataFolder)?.isReady === true
      if (!isPassing && !isOurs) await Promise.race([postmaster.exited, delay(DOUBT_MS)])
      if (postmaster.hasExited) throw endedBeforeReady(dataFolder, logFile, postmaster)
      if (error.code === 'SOURCE_AUTHENTICATION_FAILED') throw otherPassword(dataFolder)
      if (!isPassing) throw error
      if (performance.now() > deadlineMs) {
        const happened = `PostgreSQL took no connections within ${startTimeoutMs} ms; its log is ${logFile}.`
        throw new RowcastError('EMBEDDED_START_FAILED', happened, { cause: error })
      }
    }
    await delay(READY_POLL_MS)
  }
}

/** Connects as a client would, and makes sure that it is our server that answers. */
async function askVersion(request: StartRequest): Promise<string> {
  const { dataFolder, login, port, startTimeoutMs } = request
  const target = { ...login, host: '127.0.0.1', port, database: 'postgres', ssl: false }
  const [server] = await withSqlClient(
    target,
    (sql) =>
      sql.query<{ folder: string; version: string }>(
        `SELECT current_setting('data_directory') AS folder, split_part(current_setting('server_version'), ' ', 1) AS version`,
      ),
    { answerTimeoutMs: startTimeoutMs },
  )
  if (server === undefined || realpathSync(server.folder) !== realpathSync(dataFolder)) throw portInUse(port)
  return server.version
}

/** Beside the data: the process that started the server, and the server it started. */
function ownerFile(dataFolder: string): string {
  return `${dataFolder}.owner`
}

function writeOwner(dataFolder: string, serverPid: number): void {
  writeFileSync(ownerFile(dataFolder), `${process.pid} ${serverPid}\n`)
}

/** Null when the server that runs is not one that we started. */
function readOwner(dataFolder: string, serverPid: number): number | null {
  try {
    const [owner = 0, server] = readFileSync(ownerFile(dataFolder), 'utf8').split(' ').map(Number)
    return owner > 0 && server === serverPid ? owner : null
  } catch {
    return null
  }
}

function alreadyRunning(dataFolder: string, pid: number, owner: number | null): RowcastError {
  const of = owner === null ? '' : `, started by process ${owner}`
  return new RowcastError(
    'EMBEDDED_ALREADY_RUNNING',
    `PostgreSQL already runs on ${dataFolder} as process ${pid}${of}.`,
    {
      hint: `Stop the other \`npm run dev\` of this project, or run \`kill -INT ${pid}\`.`,
      details: { pid },
    },
  )
}

function portInUse(port: number): RowcastError {
  return new RowcastError('EMBEDDED_PORT_IN_USE', `Another program listens on 127.0.0.1:${port}.`)
}

function otherPassword(dataFolder: string): RowcastError {
  return new RowcastError(
    'EMBEDDED_DATA_FOLDER_UNUSABLE',
    `The data folder ${dataFolder} was made with another password.`,
  )
}

/** It may have ended because another process was quicker to start one on the same data folder. */
function endedBeforeReady(dataFolder: string, logFile: string, postmaster: Postmaster): RowcastError {
  const running = readPidFile(dataFolder)
  if (running !== null) return alreadyRunning(dataFolder, running.pid, readOwner(dataFolder, running.pid))
  const lines = postmaster
    .readLog()
    .split('\n')
    .filter((line) => line.trim() !== '')
  const lastWords = lines.findLast((line) => /(FATAL|PANIC):/.test(line)) ?? lines.at(-1) ?? '(none)'
  return new RowcastError(
    'EMBEDDED_START_FAILED',
    `PostgreSQL ended before it took connections. Its last words: ${lastWords.trim()} (log: ${logFile})`,
  )
}
