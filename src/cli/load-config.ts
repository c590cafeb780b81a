/**
 * Beside the spine, cli. Finds rowcast.config.* and loads it, whatever the project's package.json and tsconfig.json say of modules.
 * JavaScript is left to Node.js. TypeScript, and what Node.js cannot load, is left to jiti, which also loads prisma.config.ts for Prisma:
 * it reads ESM and CommonJS alike, finds `./enums.js` in `enums.ts`, and knows the aliases of tsconfig.json. Packages stay with Node.js.
 */

import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Jiti } from 'jiti'
import { RowcastError } from '../errors.ts'
import { memberOf } from '../member-of.ts'
import { isCommonJsName, missingModuleOf, withoutRequireStack } from '../runtime-sentences.ts'
import { findPackageManager } from './package-manager.ts'

/** Where a config file may be, best first. */
export const CONFIG_FILES: readonly string[] = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs'].map(
  (ext) => `rowcast.config.${ext}`,
)

/**
 * Absolute path of the config file: the one named, or the first that exists in the folder.
 * @throws CONFIG_FILE_NOT_FOUND
 */
export function findConfigFile(folder: string, named?: string): string {
  const candidates = named === undefined ? CONFIG_FILES : [named]
  const found = candidates
    .map((file) => (isAbsolute(file) ? file : join(resolve(folder), file)))
    .find((file) => existsSync(file))
  if (found !== undefined) return found
  throw new RowcastError(
    'CONFIG_FILE_NOT_FOUND',
    named === undefined
      ? `There is no rowcast.config.ts (nor .mts, .cts, .js, .mjs, .cjs) in ${resolve(folder)}.`
      : `There is no file ${named} (looked in ${resolve(folder)}).`,
  )
}

/** The default export of the file. @throws CONFIG_FILE_UNREADABLE */
export async function loadConfigFile(file: string): Promise<unknown> {
  const tried: string[] = []
  if (isForRuntime(file)) {
    tried.push(RUNTIME)
    try {
      return defaultOf(await import(pathToFileURL(file).href))
    } catch (error) {
      // What the file itself throws is the answer; it is not run twice.
      if (!isAboutModules(error)) throw unreadable(file, error, tried)
    }
  }
  tried.push('jiti')
  try {
    return await loadWithJiti(file, cacheFolder(file))
  } catch (error) {
    throw unreadable(file, error, tried)
  }
}

/** Where the cache cannot be written (a full disk, a file of another user), it compiles without one. */
async function loadWithJiti(file: string, cache: string | false): Promise<unknown> {
  try {
    return defaultOf(await (await createLoader(file, cache)).import(file))
  } catch (error) {
    if (cache === false || !isOfCache(error, cache)) throw error
    return defaultOf(await (await createLoader(file, false)).import(file))
  }
}

/** Of a write that fails half-way Node.js does not name the file. */
function isOfCache(error: unknown, cache: string): boolean {
  const path = memberOf(error, 'path')
  if (path === undefined) return memberOf(error, 'syscall') === 'write'
  return typeof path === 'string' && dirname(resolve(path)) === cache
}

const RUNTIME =
  process.versions['bun'] === undefined
    ? process.versions['deno'] === undefined
      ? `Node.js ${process.versions.node}`
      : 'Deno'
    : 'Bun'

/**
 * Whether the runtime is asked first: for JavaScript, and for TypeScript where a loader of the user's reads it (`node --import tsx`) or
 * the runtime itself reads all of it. Node.js alone only strips types: it finds neither `./enums.js` nor aliases.
 */
function isForRuntime(file: string): boolean {
  if (!/\.[cm]?ts$/.test(file)) return true
  if (!RUNTIME.startsWith('Node.js')) return true
  const flags = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ')
  return /(^|\s)(--import|--loader|--experimental-loader)[\s=]/.test(`${flags} `)
}

/** What Node.js says where a module's kind, syntax or path is not one that it knows. */
const MODULE_CODES: ReadonlySet<unknown> = new Set([
  'ERR_IMPORT_ATTRIBUTE_MISSING',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_MODULE_NOT_FOUND',
  'ERR_REQUIRE_ASYNC_MODULE',
  'ERR_REQUIRE_ESM',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'MODULE_NOT_FOUND',
])

function isAboutModules(error: unknown): boolean {
  if (error instanceof SyntaxError) return true
  // `require`, `module` and `__dirname` in an ES module.
  if (error instanceof ReferenceError) return isCommonJsName(error)
  return error instanceof Error && 'code' in error && MODULE_CODES.has(error.code)
}

/** Packages whose CommonJS files jiti would take for ES modules, and of which there must be one copy. */
const NATIVE_PACKAGES = [
  '@prisma/client',
  '.prisma/client',
  '@prisma/client-runtime-utils',
  'graphql',
  'rowcast',
]

async function createLoader(file: string, fsCache: string | false): Promise<Jiti> {
  const { createJiti } = await import('jiti')
  const options = { fsCache, nativeModules: NATIVE_PACKAGES }
  try {
    return createJiti(file, { ...options, tsconfigPaths: true })
  } catch {
    // A tsconfig.json that cannot be read (it extends a package that is not installed) has no say.
    return createJiti(file, options)
  }
}

/**
 * Where is kept what was made of TypeScript: what is generated of 300 models takes seconds at each start else. Beside the packages that
 * the config takes rowcast from, as whoever may write there may change what runs anyway; false, nothing is kept, where there is none.
 * One that cannot be written is not used.
 */
function cacheFolder(file: string): string | false {
  for (let folder = dirname(file), above = ''; folder !== above; above = folder, folder = dirname(folder)) {
    const packages = join(folder, 'node_modules')
    if (existsSync(join(packages, 'rowcast'))) return ownFolder(join(packages, '.cache'), 'rowcast')
  }
  return false
}

/** Ours alone: a config may hold secrets, and what is made of it holds them too, whoever may read the config. */
function ownFolder(above: string, name: string): string | false {
  const folder = join(above, name)
  try {
    mkdirSync(above, { recursive: true })
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 })
    else if ((statSync(folder).mode & 0o077) !== 0) chmodSync(folder, 0o700)
    return folder
  } catch {
    return false
  }
}

/** CommonJS that was compiled from a default export has it one level deeper. */
function defaultOf(module: unknown): unknown {
  const found = memberOf(module, 'default')
  return memberOf(found, '__esModule') === true ? memberOf(found, 'default') : found
}

function unreadable(file: string, error: unknown, tried: readonly string[]): RowcastError {
  const message = error instanceof Error ? error.message : String(error)
  // One line: its breaks would be shown as characters.
  const said = withoutRequireStack(message)
  const reason = said
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .join(' ')
  const text = `${basename(file)} cannot be loaded: ${reason} (${file}, loaded with ${tried.join(', then ')}.)`
  return new RowcastError('CONFIG_FILE_UNREADABLE', text, { cause: error, hint: hintOf(file, reason) })
}

/** What helps when something is not there: nothing else is known of the failure. */
function hintOf(file: string, reason: string): string | undefined {
  const missing = missingModuleOf(reason)
  if (missing === null) return undefined
  const manager = findPackageManager(dirname(file), process.env)
  const isGenerated = /^[./]|^file:|^\w:\\|^@prisma\/client\//.test(missing)
  if (isGenerated)
    return `Run \`${manager.run('prisma generate')}\` if that is a generated file. If its generator writes it elsewhere (\`output\`), correct the import.`
  const name = missing
    .split('/')
    .slice(0, missing.startsWith('@') ? 2 : 1)
    .join('/')
  return `Run \`${manager.install([name])}\`; if it is an alias, name it in \`paths\` of the tsconfig.json beside the config file.`
}
