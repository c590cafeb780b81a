/**
 * Beside the spine, cli. The packages that `serve` and `dev` share with the application: looked for before anything imports them, so that one
 * that is not there, too old, or there twice is one sentence with its command, and no stack.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { RowcastError } from '../errors.ts'
import { findPackageManager } from './package-manager.ts'

/** With the versions that package.json asks for: the major ones. */
export const PEERS: Readonly<Record<string, readonly number[]>> = {
  graphql: [16, 17],
  '@pothos/core': [4],
  '@pothos/plugin-prisma': [4],
  '@prisma/client': [7, 6],
}

/** What the schema that is made of the catalog needs, and the live page. */
const POTHOS: ReadonlySet<string> = new Set(['@pothos/core', '@pothos/plugin-prisma'])

/** What to install: graphql 17 asks for Node.js 22 or later. */
export function installedAs(name: string, nodeVersion = process.versions.node): string {
  return name === 'graphql' && Number.parseInt(nodeVersion, 10) < 22 ? 'graphql@16' : name
}

/** Where packages are looked for, and which may be missing. */
export interface PeersOptions {
  /** Of the project. */
  readonly folder: string
  /** Where this file is said to be. @default where it is */
  readonly from?: string | undefined
  /** A schema of one's own needs no Pothos. Where something else is missing as well, Pothos is named beside it. @default false */
  readonly mayLackPothos?: boolean | undefined
}

/**
 * Looks for them from rowcast itself, and from the project.
 * @returns whether Pothos is there @throws CLI_PEER_MISSING, CLI_PEER_VERSION, CLI_PEER_TWICE
 */
export function checkPeers({ folder, from = import.meta.url, mayLackPothos = false }: PeersOptions): boolean {
  const manager = findPackageManager(folder, process.env)
  const found = Object.keys(PEERS).map((name) => [name, findPackage(name, from)] as const)
  const missing = found.flatMap(([name, there]) => (there === null ? [name] : []))
  const lacksPothos = missing.some((name) => POTHOS.has(name))
  const lacksOthers = missing.some((name) => !POTHOS.has(name))
  if (lacksOthers || (lacksPothos && !mayLackPothos)) {
    throw new RowcastError(
      'CLI_PEER_MISSING',
      `Packages that the server needs are not installed: ${missing.join(', ')}.`,
      { hint: `Run \`${manager.install(missing.map((name) => installedAs(name)))}\`.` },
    )
  }
  for (const [name, there] of found) {
    const majors = PEERS[name] ?? []
    if (there === null || majors.includes(Number.parseInt(there.version, 10))) continue
    throw new RowcastError(
      'CLI_PEER_VERSION',
      `${name} ${there.version} is installed, and rowcast works with ${majors.join(' and ')}.`,
      { hint: `Run \`${manager.install([`${name}@${majors[0]}`])}\`.` },
    )
  }
  checkOneGraphql(folder, from)
  return !lacksPothos
}

/** Of graphql there must be one copy: its types are compared by identity. */
function checkOneGraphql(folder: string, from: string): void {
  const users = [
    from,
    pathToFileURL(join(folder, 'package.json')).href,
    findPackage('@pothos/core', from)?.file,
  ]
  const copies = new Set(
    users.flatMap((user) => (user === undefined ? [] : (findPackage('graphql', user)?.folder ?? []))),
  )
  if (copies.size < 2) return
  throw new RowcastError(
    'CLI_PEER_TWICE',
    `There are ${copies.size} copies of graphql: ${[...copies].join(' and ')}.`,
  )
}

interface FoundPackage {
  readonly folder: string
  /** Its package.json as a URL. */
  readonly file: string
  readonly version: string
}

/** As Node.js finds it from a file. */
function findPackage(name: string, from: string): FoundPackage | null {
  const require = createRequire(from)
  for (const place of require.resolve.paths(name) ?? []) {
    const file = join(place, name, 'package.json')
    if (existsSync(file)) return readPackage(file)
  }
  try {
    // Without node_modules (Plug'n'Play) the package manager answers. `exports` of a package may not have its package.json.
    const file = packageFileAbove(dirname(require.resolve(name)), name)
    return file === null ? null : readPackage(file)
  } catch {
    return null
  }
}

function packageFileAbove(folder: string, name: string): string | null {
  const file = join(folder, 'package.json')
  if (existsSync(file) && nameIn(file) === name) return file
  const parent = dirname(folder)
  return parent === folder ? null : packageFileAbove(parent, name)
}

function nameIn(file: string): string | undefined {
  return (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name
}

function readPackage(file: string): FoundPackage {
  const path = realpathSync(file)
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
  return { folder: dirname(path), file: pathToFileURL(path).href, version }
}

/** As `engines` of package.json has it. */
const OLDEST = [20, 19] as const

/** npm only warns of another runtime than package.json asks for, and a stack says nothing of it. @throws CLI_NODE_TOO_OLD */
export function checkNode(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return
  throw new RowcastError(
    'CLI_NODE_TOO_OLD',
    `rowcast needs Node.js ${OLDEST.join('.')} or later; this is ${version}.`,
  )
}
