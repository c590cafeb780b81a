/**
 * Beside the spine, cli. `rowcast init`: adds the generator to the Prisma schema and writes a config file. It changes
 * nothing that is there already, and says what it did.
 */
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, posix, relative, resolve, sep } from 'node:path'
import { RowcastError } from '../errors.ts'
import { ExitCode } from './exit-code.ts'
import { CONFIG_FILES } from './load-config.ts'
import type { PrintContext } from './setup-commands.ts'

/** Options of the command line. */
export interface InitOptions {
  readonly json?: boolean | undefined
  /** The Prisma schema, a file or a folder. */
  readonly schema?: string | undefined
}

/** One thing that was done, or was there. */
interface Deed {
  readonly file: string
  readonly what: 'added' | 'written' | 'kept'
  readonly note: string
}

/** Prepares a project. */
export async function init(options: InitOptions, { folder, terminal }: PrintContext): Promise<ExitCode> {
  const schemaFile = await findSchemaFile(folder, options.schema)
  const text = await readFile(schemaFile, 'utf8')
  checkProvider(text)
  const deeds = [await addGenerator(schemaFile, text, folder), await writeConfig(folder, schemaFile, text)]
  const next = [
    ...(await missingPackages(folder)),
    'npx prisma generate          writes the client and the catalog of your models',
    'npx rowcast doctor           looks at the database of DATABASE_URL',
    'npx rowcast serve            serves your models live, with GraphiQL at /graphql',
  ]
  if (options.json === true) {
    terminal.print(JSON.stringify({ deeds, next }))
    return ExitCode.ok
  }
  for (const { file, what, note } of deeds)
    terminal.print(`${terminal.style(what === 'kept' ? 'dim' : 'green', what.padEnd(8))}${file}: ${note}`)
  terminal.print(`\n${terminal.style('bold', 'Next:')}\n${next.map((line) => `  ${line}`).join('\n')}`)
  return ExitCode.ok
}

/** Only PostgreSQL has what rowcast reads. */
function checkProvider(text: string): void {
  const provider = blocksOf(text).find(({ kind }) => kind === 'datasource')?.provider
  if (provider === undefined || /^postgres(ql)?$/.test(provider)) return
  throw new RowcastError('GENERATOR_NOT_POSTGRESQL', `The datasource of the schema is ${provider}.`)
}

interface PackageFile {
  readonly prisma?: { readonly schema?: string }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

async function readPackage(folder: string): Promise<PackageFile> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '{}')
  try {
    return JSON.parse(text) as PackageFile
  } catch {
    // npm will tell.
    return {}
  }
}

/** What the config imports, and what reads it where Node.js itself does not read TypeScript. */
async function missingPackages(folder: string): Promise<readonly string[]> {
  const { dependencies, devDependencies } = await readPackage(folder)
  const has = (name: string) => dependencies?.[name] !== undefined || devDependencies?.[name] !== undefined
  return [
    ...(has('@prisma/adapter-pg') ? [] : ['npm install @prisma/adapter-pg']),
    ...(has('tsx') || Reflect.get(process.features, 'typescript')
      ? []
      : ['npm install --save-dev tsx   for rowcast.config.ts']),
  ]
}

/** As Prisma finds it: where the command line, prisma.config.ts or package.json say, or in its usual places. */
async function findSchemaFile(folder: string, named: string | undefined): Promise<string> {
  const said = named ?? (await schemaOfConfig(folder)) ?? (await schemaOfPackage(folder))
  const places =
    said === undefined ? ['prisma/schema.prisma', 'schema.prisma', 'prisma/schema', 'prisma'] : [said]
  for (const place of places) {
    const path = resolve(folder, place)
    if (!existsSync(path)) continue
    if (path.endsWith('.prisma')) return path
    const file = await generatorFileOf(path)
    if (file !== null) return file
  }
  throw new RowcastError(
    'CLI_NO_SCHEMA',
    `There is no Prisma schema in ${folder} (looked for ${places.join(', ')}).`,
  )
}

/** Of a schema in several files, the one with the generators. */
async function generatorFileOf(path: string): Promise<string | null> {
  const entries = await readdir(path, { recursive: true }).catch(() => [])
  const files = entries.filter((entry) => entry.endsWith('.prisma')).map((entry) => join(path, entry))
  for (const file of files)
    if (blocksOf(await readFile(file, 'utf8')).some(({ kind }) => kind === 'generator')) return file
  return files[0] ?? null
}

async function schemaOfConfig(folder: string): Promise<string | undefined> {
  for (const name of ['prisma.config.ts', 'prisma.config.mts', 'prisma.config.js', '.config/prisma.ts']) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => '')
    // The file is a program of the user's; only the plain form is understood, and --schema says the rest.
    const [, schema] = /\bschema\s*:\s*['"]([^'"]+)['"]/.exec(text) ?? []
    if (schema !== undefined) return join(dirname(name), schema)
  }
  return undefined
}

async function schemaOfPackage(folder: string): Promise<string | undefined> {
  return (await readPackage(folder)).prisma?.schema
}

const CATALOG_FILE = 'rowcast.ts'

async function addGenerator(file: string, text: string, folder: string): Promise<Deed> {
  const shown = relative(folder, file)
  const generators = blocksOf(text).filter(({ kind }) => kind === 'generator')
  if (generators.some(({ provider }) => provider?.includes('rowcast')))
    return { file: shown, what: 'kept', note: 'it has the generator already' }
  const path = posix.join(outputFolderOf(text), CATALOG_FILE)
  const output = path.startsWith('.') || path.startsWith('/') ? path : `./${path}`
  const block = `generator rowcast {\n  provider = "rowcast-generator"\n  output   = "${output}"\n}\n`
  const at = generators.at(-1)?.end ?? 0
  await writeFile(
    file,
    `${text.slice(0, at)}${at === 0 ? '' : '\n'}${block}${at === 0 ? '\n' : ''}${text.slice(at)}`,
  )
  return { file: shown, what: 'added', note: `generator rowcast, which writes ${output}` }
}

/** Beside the generated client, from the schema's folder. */
function outputFolderOf(text: string): string {
  const output = clientGenerator(text)?.output
  return output === undefined ? './generated' : posix.dirname(output)
}

function clientGenerator(text: string): SchemaBlock | undefined {
  return blocksOf(text).find(
    ({ kind, provider }) =>
      kind === 'generator' && (provider === 'prisma-client' || provider === 'prisma-client-js'),
  )
}

/** A `generator` or `datasource` of a Prisma schema. */
interface SchemaBlock {
  readonly kind: string
  readonly provider: string | undefined
  readonly output: string | undefined
  /** Index in the text behind its brace, and behind the end of that line. */
  readonly end: number
}

function blocksOf(text: string): readonly SchemaBlock[] {
  const blocks: SchemaBlock[] = []
  for (const { 0: opening, 1: kind = '', index } of text.matchAll(BLOCK_OPENING)) {
    const close = text.indexOf('}', index)
    if (close < 0) break
    const body = text.slice(index + opening.length, close)
    const [, provider] = /provider\s*=\s*"([^"]+)"/.exec(body) ?? []
    const [, output] = /output\s*=\s*"([^"]+)"/.exec(body) ?? []
    blocks.push({ kind, provider, output, end: text.startsWith('\n', close + 1) ? close + 2 : close + 1 })
  }
  return blocks
}

const BLOCK_OPENING = /^[ \t]*(generator|datasource)[ \t]+\w+[ \t]*\{/gm

async function writeConfig(folder: string, schemaFile: string, text: string): Promise<Deed> {
  const existing = CONFIG_FILES.find((name) => existsSync(join(folder, name)))
  if (existing !== undefined) return { file: existing, what: 'kept', note: 'it is there already' }
  const from = (path: string) => {
    const found = relative(folder, resolve(dirname(schemaFile), path))
      .split(sep)
      .join('/')
    return found.startsWith('.') ? found : `./${found}`
  }
  const client = clientGenerator(text)
  const clientPath =
    client?.provider === 'prisma-client'
      ? from(posix.join(client.output ?? '', 'client.ts'))
      : '@prisma/client'
  const catalogPath = from(posix.join(outputFolderOf(text), CATALOG_FILE))
  const config = configText(clientPath, catalogPath, await readsDotenv(folder))
  await writeFile(join(folder, 'rowcast.config.ts'), config, { flag: 'wx' })
  return {
    file: 'rowcast.config.ts',
    what: 'written',
    note: 'all models live; say who may see what before production',
  }
}

/** Whether the project keeps DATABASE_URL in .env, as `prisma init` sets it up. */
async function readsDotenv(folder: string): Promise<boolean> {
  const { dependencies, devDependencies } = await readPackage(folder)
  return dependencies?.['dotenv'] !== undefined || devDependencies?.['dotenv'] !== undefined
}

function configText(clientPath: string, catalogPath: string, isDotenvRead: boolean): string {
  return `${isDotenvRead ? 'import "dotenv/config"\n' : ''}import { PrismaPg } from "@prisma/adapter-pg"
import { defineConfig } from "rowcast"
import { PrismaClient } from "${clientPath}"
import { catalog } from "${catalogPath}"

export default defineConfig({
  catalog,
  createPrisma: (connectionString) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
  // Which models are live, and who may see what of them. With NODE_ENV=production each needs a policy or
  // \`public: true\`, for instance: models: { User: { rows: (context) => ({ id: context.userId }) } }
  models: "all",
})
`
}
