/**
 * Beside the spine, cli. A project of Prisma's, found as Prisma finds it: its config file, its schema (a file or a folder of them), and the
 * generators in it. Prisma's reference, "Prisma Config"; `@prisma/config`, loadConfigFromFile.
 */
import { existsSync, statSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { RowcastError } from '../../errors.ts'
import { loadConfigFile } from '../load-config.ts'
import { readSchemaBlocks, type SchemaBlock } from './schema-blocks.ts'

/** A generator that writes a Prisma Client. */
export interface ClientGenerator {
  readonly provider: 'prisma-client' | 'prisma-client-js'
  /** From the folder of its file; undefined for prisma-client-js in node_modules. */
  readonly output: string | undefined
  /** Of the files that it writes. @default 'ts' */
  readonly extension: string
}

/** One file of the schema. */
export interface SchemaFile {
  /** Absolute. */
  readonly path: string
  readonly text: string
  readonly blocks: readonly SchemaBlock[]
}

/** The schema, as far as `init` reads it. */
export interface PrismaProject {
  readonly files: readonly SchemaFile[]
  /** The file that the generator goes into: outputs of generators count from its folder. */
  readonly file: SchemaFile
  readonly client: ClientGenerator | undefined
  /** Names of the models in their order. */
  readonly models: readonly string[]
}

/** Finds and reads it. @throws CLI_NO_SCHEMA, CLI_SCHEMA_UNREADABLE, CONFIG_FILE_UNREADABLE */
export async function readPrismaProject(folder: string, named: string | undefined): Promise<PrismaProject> {
  const said = named ?? (await schemaOfConfig(folder)) ?? (await schemaOfPackage(folder))
  const places = said === undefined ? USUAL_PLACES : [said]
  for (const place of places) {
    const files = await schemaFiles(resolve(folder, place))
    if (files.length > 0) return project(await Promise.all(files.map(readSchemaFile)))
  }
  const text = `There is no Prisma schema in ${folder} (looked for ${places.map((place) => relative(folder, resolve(folder, place))).join(', ')}).`
  throw new RowcastError('CLI_NO_SCHEMA', text)
}

const USUAL_PLACES = ['schema.prisma', 'prisma/schema.prisma', 'prisma/schema', 'prisma']

async function schemaFiles(path: string): Promise<readonly string[]> {
  if (!existsSync(path)) return []
  if (!statSync(path).isDirectory()) return [path]
  const entries = await readdir(path, { recursive: true })
  const files = entries.filter((entry) => entry.endsWith('.prisma') && !entry.includes('node_modules'))
  return files.sort().map((entry) => join(path, entry))
}

async function readSchemaFile(path: string): Promise<SchemaFile> {
  const text = await readFile(path, 'utf8')
  const blocks = readSchemaBlocks(text)
  if (blocks !== null) return { path, text, blocks }
  throw new RowcastError('CLI_SCHEMA_UNREADABLE', `${path} is not understood, and nothing was changed.`)
}

function project(files: readonly SchemaFile[]): PrismaProject {
  const blocks = files.flatMap((file) => file.blocks.map((block) => ({ file, block })))
  const clients = blocks.flatMap(({ file, block }) => {
    const client = clientOf(block)
    return client === null ? [] : [{ file, client }]
  })
  const [first] = clients
  const home =
    first?.file ??
    blocks.find(({ block }) => block.kind === 'generator' || block.kind === 'datasource')?.file ??
    files[0]
  if (home === undefined) throw new RowcastError('CLI_NO_SCHEMA', 'The Prisma schema has no files.')
  const models = blocks.filter(({ block }) => block.kind === 'model').map(({ block }) => block.name)
  return { files, file: home, client: first?.client, models }
}

function clientOf({ kind, texts }: SchemaBlock): ClientGenerator | null {
  const provider = texts.get('provider')
  if (kind !== 'generator' || (provider !== 'prisma-client' && provider !== 'prisma-client-js')) return null
  return { provider, output: texts.get('output'), extension: texts.get('generatedFileExtension') ?? 'ts' }
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

/** What Prisma's config says of the schema; its paths count from its own folder. */
async function schemaOfConfig(folder: string): Promise<string | undefined> {
  const file = CONFIG_NAMES.flatMap((name) =>
    EXTENSIONS.map((extension) => join(folder, `${name}.${extension}`)),
  ).find((path) => existsSync(path))
  if (file === undefined) return undefined
  const schema = await loadConfigFile(file).then(
    (config) => (typeof config === 'object' && config !== null ? Reflect.get(config, 'schema') : undefined),
    async (error: unknown) => {
      // It may ask for what is not set now (`env('DATABASE_URL')`); the plain form is in its text.
      const plain = plainSchemaPath(await readFile(file, 'utf8'))
      if (plain === undefined) throw error
      return plain
    },
  )
  return typeof schema === 'string' ? resolve(dirname(file), schema) : undefined
}

/** `schema: 'prisma/schema.prisma'` of a line that is no comment. */
function plainSchemaPath(text: string): string | undefined {
  for (const line of text.split('\n')) {
    const [before = '', after] = line.split('schema', 2)
    if (after === undefined || before.includes('/') || /\w$/.test(before)) continue
    const [colon = '', path] = after.split(/['"]/, 2)
    if (colon.trim() === ':' && path !== undefined && path !== '') return path
  }
  return undefined
}

/** Prisma 6 and earlier. */
async function schemaOfPackage(folder: string): Promise<string | undefined> {
  try {
    const { prisma } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
      prisma?: { schema?: unknown }
    }
    return typeof prisma?.schema === 'string' ? prisma.schema : undefined
  } catch {
    return undefined
  }
}
