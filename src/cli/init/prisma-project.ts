/** Beside the spine, cli. A project of Prisma's: its schema (a file or a folder of them), and the generators in it. */
import { isUtf8 } from 'node:buffer'
import { readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { RowcastError } from '../../errors.ts'
import { readPrismaPaths } from '../prisma-paths.ts'
import { isMissing, readProjectFile, unreadable } from '../project-file.ts'
import { readSchemaBlocks, type SchemaBlock } from './schema-blocks.ts'

/** A generator that writes a Prisma Client. */
export interface ClientGenerator {
  readonly provider: 'prisma-client' | 'prisma-client-js'
  /** From the folder of its file; undefined for prisma-client-js in node_modules. */
  readonly output: string | undefined
  /** Of the files that it writes. @default 'ts' */
  readonly extension: string
}

/** A generator of rowcast's that is there already. */
export interface OwnGenerator {
  readonly file: SchemaFile
  /** From the folder of its file. */
  readonly output: string | undefined
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
  /** The file or folder, absolute. */
  readonly path: string
  /** Whether Prisma's own commands find it without `--schema`. */
  readonly isUsual: boolean
  readonly files: readonly SchemaFile[]
  /** The file that the generator goes into: outputs of generators count from its folder. */
  readonly file: SchemaFile
  readonly client: ClientGenerator | undefined
  readonly own: OwnGenerator | undefined
  /** Names of the models that the client has, in their order. */
  readonly models: readonly string[]
}

/** Finds and reads it. @throws CLI_NO_SCHEMA, CLI_SCHEMA_UNREADABLE, CLI_FILE_UNREADABLE, CONFIG_FILE_UNREADABLE */
export async function readPrismaProject(folder: string, named: string | undefined): Promise<PrismaProject> {
  const { schemas, isUsual } = await readPrismaPaths(folder, { schema: named, mayNotRun: true })
  for (const path of schemas) {
    const files = await schemaFiles(path)
    if (files.length > 0) return project(path, isUsual(path), await Promise.all(files.map(readSchemaFile)))
  }
  const text = `There is no Prisma schema in ${folder} (looked for ${schemas.map((path) => relative(folder, path)).join(', ')}).`
  throw new RowcastError('CLI_NO_SCHEMA', text)
}

async function schemaFiles(path: string): Promise<readonly string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path]
    const entries = await readdir(path, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => !entry.isDirectory() && entry.name.endsWith('.prisma'))
    const paths = files.map(({ parentPath, name }) => join(parentPath, name))
    return paths.filter((file) => !relative(path, file).includes('node_modules')).sort()
  } catch (error) {
    if (isMissing(error)) return []
    throw unreadable(path, error)
  }
}

async function readSchemaFile(path: string): Promise<SchemaFile> {
  const bytes = await readProjectFile(path)
  const text = bytes.toString('utf8')
  // Bytes of another encoding (a comment in Latin-1) would not be written back as they are.
  const blocks = isUtf8(bytes) ? readSchemaBlocks(text) : null
  if (blocks !== null) return { path, text, blocks }
  throw new RowcastError('CLI_SCHEMA_UNREADABLE', `${path} is not understood, and nothing was changed.`)
}

function project(path: string, isUsual: boolean, files: readonly SchemaFile[]): PrismaProject {
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
  const models = blocks.flatMap(({ block: { kind, name, isIgnored } }) =>
    kind === 'model' && !isIgnored ? [name] : [],
  )
  const [own] = blocks.flatMap(({ file, block: { kind, texts } }) =>
    kind === 'generator' && texts.get('provider')?.includes('rowcast') === true
      ? [{ file, output: texts.get('output') }]
      : [],
  )
  return { path, isUsual, files, file: home, client: first?.client, own, models }
}

function clientOf({ kind, texts }: SchemaBlock): ClientGenerator | null {
  const provider = texts.get('provider')
  if (kind !== 'generator' || (provider !== 'prisma-client' && provider !== 'prisma-client-js')) return null
  return { provider, output: texts.get('output'), extension: texts.get('generatedFileExtension') ?? 'ts' }
}
