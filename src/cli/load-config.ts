/**
 * Beside the spine, cli. Finds rowcast.config.* and loads it. TypeScript is left to Node.js where it can read
 * it or a loader is active, else to the project's own tsx.
 */
import { existsSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { RowcastError } from '../errors.ts'

/** Where a config file may be, best first. */
export const CONFIG_FILES: readonly string[] = ['ts', 'mts', 'js', 'mjs'].map(
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
      ? `There is no rowcast.config.ts (nor .mts, .js, .mjs) in ${resolve(folder)}.`
      : `There is no file ${named} (looked in ${resolve(folder)}).`,
  )
}

/** The default export of the file. @throws CONFIG_FILE_UNREADABLE, CONFIG_LOADER_MISSING */
export async function loadConfigFile(file: string): Promise<unknown> {
  try {
    return defaultOf(await import(pathToFileURL(file).href))
  } catch (error) {
    if (!isBeyondNode(error)) throw unreadable(file, error)
  }
  const tsx = await loadTsx(file)
  try {
    return defaultOf(await tsx.tsImport(pathToFileURL(file).href, import.meta.url))
  } catch (error) {
    throw unreadable(file, error)
  }
}

/** What Node.js says of TypeScript it does not read: at all, or with more than types to strip. */
const BEYOND_NODE: ReadonlySet<unknown> = new Set([
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
])

function isBeyondNode(error: unknown): boolean {
  return error instanceof Error && 'code' in error && BEYOND_NODE.has(error.code)
}

interface Tsx {
  tsImport(specifier: string, parentUrl: string): Promise<unknown>
}

/** Not a dependency: only those who write their config in TypeScript, on a Node.js that cannot read it, need it. */
async function loadTsx(file: string): Promise<Tsx> {
  try {
    return await import('tsx/esm/api')
  } catch (error) {
    throw new RowcastError(
      'CONFIG_LOADER_MISSING',
      `${file} needs a TypeScript loader: Node.js ${process.versions.node} cannot read it and tsx is not installed.`,
      { cause: error },
    )
  }
}

function defaultOf(module: unknown): unknown {
  return typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined
}

function unreadable(file: string, error: unknown): RowcastError {
  const reason = error instanceof Error ? error.message : String(error)
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
  return new RowcastError('CONFIG_FILE_UNREADABLE', `${file} cannot be loaded: ${reason}`, {
    cause: error,
    mend: isMissing
      ? 'Run `npx prisma generate` if that is a generated file, or install the package that it is.'
      : undefined,
  })
}
