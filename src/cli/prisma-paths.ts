/**
 * Beside the spine, cli. Where Prisma has its schema and its migrations: as its config file says, else where Prisma looks. Prisma's reference,
 * "Prisma Config"; `@prisma/config`, loadConfigFromFile.
 */

import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { memberOf } from '../member-of.ts'
import { loadConfigFile } from './load-config.ts'
import { readProjectFile } from './project-file.ts'

/** What is asked. */
export interface PrismaPathsOptions {
  /** The schema that somebody has named, from the folder. */
  readonly schema?: string | undefined
  /** Whether a config that cannot be run (its imports are not installed yet) is read as text. @default false */
  readonly mayNotRun?: boolean
}

/** Absolute paths. */
export interface PrismaPaths {
  /** Where the schema may be, a file or a folder; best first. */
  readonly schemas: readonly string[]
  /** Whether Prisma finds it there by itself. */
  isUsual(schema: string): boolean
  /** Where `prisma migrate` has its migrations; null where there is no schema, or a config names them that cannot be run. */
  readonly migrations: string | null
}

/** Reads them. @throws CONFIG_FILE_UNREADABLE */
export async function readPrismaPaths(
  folder: string,
  { schema, mayNotRun = false }: PrismaPathsOptions = {},
): Promise<PrismaPaths> {
  const config = await readPrismaConfig(folder, mayNotRun)
  const said = config.schema ?? (await schemaOfPackage(folder))
  const usual = said === undefined ? USUAL_PLACES.map((place) => join(folder, place)) : [said]
  const more = said === undefined ? OTHER_PLACES.map((place) => join(folder, place)) : []
  const schemas = schema === undefined ? [...usual, ...more] : [resolve(folder, schema)]
  const found = schemas.find((path) => existsSync(path))
  return {
    schemas,
    isUsual: (path) => usual.includes(path),
    migrations:
      config.migrations === undefined && found !== undefined
        ? join(rootOf(found), 'migrations')
        : (config.migrations ?? null),
  }
}

/** Where `prisma migrate` has the migrations of the folder's schema, or of one that may be in another package. @throws CONFIG_FILE_UNREADABLE */
export async function findMigrations(folder: string, schema?: string | undefined): Promise<string | null> {
  if (schema === undefined) return (await readPrismaPaths(folder)).migrations
  return (await readPrismaPaths(packageFolder(dirname(schema)), { schema, mayNotRun: true })).migrations
}

/** The nearest folder with a package.json, upwards; the folder itself where there is none. */
export function packageFolder(folder: string, start = folder): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  return parent === folder ? start : packageFolder(parent, start)
}

/** Where Prisma looks. */
const USUAL_PLACES = ['schema.prisma', 'prisma/schema.prisma']
/** Where many have it, and name it with `--schema`. */
const OTHER_PLACES = ['prisma/schema', 'prisma']

/** The folder that Prisma puts migrations into. */
function rootOf(schema: string): string {
  return statSync(schema).isDirectory() ? schema : dirname(schema)
}

const EXTENSIONS = ['js', 'ts', 'mjs', 'cjs', 'mts', 'cts']
/** Prisma's order: its own name for version 7 first. */
const CONFIG_NAMES = [
  'prisma7.config',
  '.config/prisma7',
  'prisma.config',
  '.config/prisma',
  '.config/prisma.config',
]

interface SaidPaths {
  readonly schema?: string | undefined
  /** Null: it names them, and only running it says where. */
  readonly migrations?: string | null | undefined
}

/** What Prisma's config says; its paths count from its own folder. */
async function readPrismaConfig(folder: string, mayNotRun: boolean): Promise<SaidPaths> {
  const file = CONFIG_NAMES.flatMap((name) =>
    EXTENSIONS.map((extension) => join(folder, `${name}.${extension}`)),
  ).find((path) => existsSync(path))
  if (file === undefined) return {}
  const said = await loadConfigFile(file).then(pathsOf, async (error: unknown): Promise<SaidPaths> => {
    // It may ask for what is not set now (`env('DATABASE_URL')`); the plain form is in its text.
    const text = mayNotRun ? String(await readProjectFile(file)) : ''
    const schema = plainSchemaPath(text)
    if (schema === undefined) throw error
    return { schema, migrations: text.includes('migrations') ? null : undefined }
  })
  const from = (path: string) => resolve(dirname(file), path)
  return {
    schema: said.schema === undefined ? undefined : from(said.schema),
    migrations: typeof said.migrations === 'string' ? from(said.migrations) : said.migrations,
  }
}

function pathsOf(config: unknown): SaidPaths {
  return { schema: textOf(config, 'schema'), migrations: textOf(memberOf(config, 'migrations'), 'path') }
}

function textOf(object: unknown, name: string): string | undefined {
  const value = memberOf(object, name)
  return typeof value === 'string' ? value : undefined
}

/** `schema: 'prisma/schema.prisma'` of a line that is no comment. */
function plainSchemaPath(text: string): string | undefined {
  for (const line of text.split('\n')) {
    const at = line.indexOf('schema')
    const [before, after] = [line.slice(0, at), line.slice(at + 'schema'.length)]
    if (at < 0 || before.includes('/') || /\w$/.test(before)) continue
    const [colon = '', path] = after.split(/['"]/, 2)
    if (colon.trim() === ':' && path !== undefined && path !== '') return path
  }
  return undefined
}

/** Prisma 6 and earlier. */
async function schemaOfPackage(folder: string): Promise<string | undefined> {
  try {
    const text = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    const schema = textOf(memberOf(text, 'prisma'), 'schema')
    return schema === undefined ? undefined : resolve(folder, schema)
  } catch {
    return undefined
  }
}
