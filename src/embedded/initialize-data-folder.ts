/**
 * Beside the spine, embedded. Makes a data folder with initdb, or checks that an existing one is ours to use.
 * Source: PostgreSQL manual, "initdb" and "Creating a Database Cluster".
 *
 * The package leaves what an interrupted initdb has made, and runs it over a folder of another version.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { RowcastError } from '../errors.ts'
import type { PostgresBinaries } from './binaries.ts'
import { serverEnvironment } from './postmaster.ts'
import { isProcessAlive } from './process-table.ts'
import type { ServerUser } from './server-user.ts'

/** What a new data folder is made with. */
export interface DataFolderRequest {
  readonly binaries: PostgresBinaries
  readonly dataFolder: string
  readonly user: ServerUser | null
  readonly superuser: string
  /** @default a random one, or the one that the data were made with */
  readonly password?: string | undefined
  /** Whether a crash of the machine may take them: initdb does not wait for the disk then. @default false */
  readonly isDisposable?: boolean | undefined
}

/**
 * Makes the data folder when it is missing or empty. It appears whole, by rename: an initdb that was
 * interrupted leaves nothing that looks like data. Resolves to the superuser's password.
 * @throws EMBEDDED_DATA_FOLDER_UNUSABLE, EMBEDDED_START_FAILED
 */
export async function initializeDataFolder(request: DataFolderRequest): Promise<string> {
  const { binaries, dataFolder, user } = request
  if (await isInitialized(dataFolder, binaries.major, user)) {
    const password = request.password ?? (await readPassword(dataFolder))
    if (password === null) throw unusable(dataFolder, 'does not say its password (rowcast.password)')
    return password
  }
  await removeAbandonedDrafts(dataFolder)
  const draft = `${dataFolder}${DRAFT_MARK}${process.pid}`
  const passwordFile = `${draft}.password`
  const password = request.password ?? createPassword()
  try {
    await mkdir(draft, { mode: 0o700 })
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
    if (user !== null) for (const path of [draft, passwordFile]) await chown(path, user.uid, user.gid)
    await runInitdb(request, draft, passwordFile)
    const keptFile = await keepPassword(draft, password)
    if (user !== null) await chown(keptFile, user.uid, user.gid)
    await rename(draft, dataFolder)
    return password
  } finally {
    await rm(passwordFile, { force: true })
    await rm(draft, { recursive: true, force: true })
  }
}

const DRAFT_MARK = '.initializing-'

async function isInitialized(dataFolder: string, major: number, user: ServerUser | null): Promise<boolean> {
  const entries = await readdir(dataFolder).catch(ignoreMissing)
  if (entries === null || entries.length === 0) return false
  if (!entries.includes('PG_VERSION')) throw unusable(dataFolder, 'holds files that are not of PostgreSQL')
  const version = (await readFile(join(dataFolder, 'PG_VERSION'), 'utf8')).trim()
  if (version !== String(major)) {
    throw unusable(dataFolder, `was made by PostgreSQL ${version}; this is PostgreSQL ${major}`)
  }
  const { uid } = await stat(dataFolder)
  const serverUid = user?.uid ?? process.getuid?.()
  if (uid !== serverUid) {
    throw unusable(dataFolder, `belongs to the user with id ${uid}, and the server would run as ${serverUid}`)
  }
  return true
}

async function ignoreMissing(error: unknown): Promise<null> {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
  throw error
}

function unusable(dataFolder: string, fault: string): RowcastError {
  return new RowcastError('EMBEDDED_DATA_FOLDER_UNUSABLE', `The data folder ${dataFolder} ${fault}.`, {
    hint: `Move it away (\`mv ${dataFolder} ${dataFolder}.old\`); a new one is made at the next start.`,
  })
}

/** Drafts of processes that were killed during initdb. */
async function removeAbandonedDrafts(dataFolder: string): Promise<void> {
  const parent = dirname(dataFolder)
  const prefix = `${basename(dataFolder)}${DRAFT_MARK}`
  for (const entry of await readdir(parent)) {
    if (!entry.startsWith(prefix)) continue
    const pid = Number.parseInt(entry.slice(prefix.length), 10)
    if (pid === process.pid || !isProcessAlive(pid))
      await rm(join(parent, entry), { recursive: true, force: true })
  }
}

async function runInitdb(request: DataFolderRequest, draft: string, passwordFile: string): Promise<void> {
  const { binaries, superuser, user } = request
  const commandLine = [
    `--pgdata=${draft}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    ...localeOptions(binaries.major),
    ...(request.isDisposable ? ['--no-sync'] : []),
  ]
  const options = { ...user, cwd: dirname(draft), env: serverEnvironment() }
  const result = await runToEnd(binaries.initdb, commandLine, options)
  if (result.failure !== null) {
    throw new RowcastError('EMBEDDED_START_FAILED', `initdb failed (${result.failure}): ${result.lastLine}`, {
      hint: 'Hint what initdb complains about, or set DATABASE_URL to a PostgreSQL of your own.',
    })
  }
}

/**
 * The same on every machine: never the operating system's locale. From 17 on PostgreSQL brings C.UTF-8 itself
 * (code-point order, Unicode case mapping); before, C (code-point order, case mapping of ASCII only).
 */
function localeOptions(major: number): readonly string[] {
  if (major < 17) return ['--locale=C']
  return ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
}

function runToEnd(
  program: string,
  commandLine: readonly string[],
  options: { uid?: number; gid?: number; cwd: string; env: NodeJS.ProcessEnv },
): Promise<{ readonly failure: string | null; readonly lastLine: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, commandLine, { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-4_000)
    })
    child.on('error', (error) => resolve({ failure: error.message, lastLine: '' }))
    child.on('close', (exitCode, signal) => {
      const lines = stderr.split('\n').filter((line) => line.trim() !== '')
      const lastLine = lines.findLast((line) => /error|fatal/i.test(line)) ?? lines.at(-1) ?? ''
      resolve({ failure: exitCode === 0 ? null : `exit code ${exitCode ?? signal}`, lastLine })
    })
  })
}

/** In the data folder; PostgreSQL leaves files it does not know alone. */
const PASSWORD_FILE = 'rowcast.password'
const PASSWORD_BYTES = 18

/** A password that nobody guesses: the server listens on loopback, which everybody on the machine reaches. The package has one that everybody knows. */
function createPassword(): string {
  return randomBytes(PASSWORD_BYTES).toString('base64url')
}

/** Keeps the password in a data folder that is being made; resolves to the file. */
async function keepPassword(dataFolder: string, password: string): Promise<string> {
  const file = join(dataFolder, PASSWORD_FILE)
  await writeFile(file, `${password}\n`, { mode: 0o600, flag: 'wx' })
  return file
}

/** The password that the data folder was made with; null where it was not kept. */
async function readPassword(dataFolder: string): Promise<string | null> {
  const text = await readFile(join(dataFolder, PASSWORD_FILE), 'utf8').catch(() => null)
  return text === null ? null : text.trim()
}
