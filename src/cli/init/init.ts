/**
 * Beside the spine, cli. `rowcast init`: adds the generator to the Prisma schema and writes a config file. It adds, shows what it added, and
 * changes nothing that is there already.
 */
import { existsSync } from 'node:fs'
import { dirname, join, posix, relative, resolve, sep } from 'node:path'
import { RowcastError } from '../../errors.ts'
import { ExitCode } from '../exit-code.ts'
import { CONFIG_FILES } from '../load-config.ts'
import { findPackageManager } from '../package-manager.ts'
import { findMigrations } from '../prisma-paths.ts'
import { createFile, overwriteFile } from '../project-file.ts'
import type { PrintContext } from '../setup-commands.ts'
import type { Terminal } from '../terminal.ts'
import { configText } from './config-text.ts'
import { generateStep } from './generate-step.ts'
import { importPath, readImportStyle, readModuleExtension } from './import-style.ts'
import { declaredPackages, missingPackages } from './missing-packages.ts'
import {
  type ClientGenerator,
  type OwnGenerator,
  type PrismaProject,
  readPrismaProject,
} from './prisma-project.ts'

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
  /** The lines that were added. */
  readonly lines: readonly string[]
}

/** Prepares a project. @throws CLI_NO_SCHEMA, CLI_SCHEMA_UNREADABLE, CLI_FILE_UNWRITABLE, GENERATOR_NOT_POSTGRESQL */
export async function init(options: InitOptions, { folder, terminal, env }: PrintContext): Promise<ExitCode> {
  const project = await readPrismaProject(folder, options.schema)
  checkProvider(project)
  const deeds = [await addGenerator(project, folder), await writeConfig(project, folder)]
  const manager = findPackageManager(folder, env)
  const needed = readsDotenv(folder) ? ['dotenv'] : []
  const { folder: schemaFolder, commands } = await generateStep(project, folder, manager)
  const next = [
    ...missingPackages({ folder, schemaFolder, needed, manager }),
    ...commands.slice(0, -1),
    `${commands.at(-1)?.padEnd(28)} writes the client and the catalog of your models`,
    `${manager.run('rowcast doctor').padEnd(28)} looks at the database of DATABASE_URL`,
    `${manager.run('rowcast serve').padEnd(28)} serves your models live, with GraphiQL at /graphql`,
  ]
  if (options.json === true) terminal.print(JSON.stringify({ deeds, next }))
  else printDeeds(terminal, deeds, next)
  return ExitCode.ok
}

function printDeeds(terminal: Terminal, deeds: readonly Deed[], next: readonly string[]): void {
  for (const { file, what, note, lines } of deeds) {
    terminal.print(`${terminal.style(what === 'kept' ? 'dim' : 'green', what.padEnd(8))}${file}: ${note}`)
    for (const line of lines) terminal.print(terminal.style('green', `  + ${line}`.trimEnd()))
  }
  terminal.print('', terminal.style('bold', 'Next:'), ...next.map((line) => `  ${line}`))
}

/** Only PostgreSQL has what rowcast reads. */
function checkProvider({ files }: PrismaProject): void {
  const datasource = files.flatMap(({ blocks }) => blocks).find(({ kind }) => kind === 'datasource')
  const provider = datasource?.texts.get('provider')
  if (provider === undefined || /^postgres(ql)?$/.test(provider)) return
  throw new RowcastError('GENERATOR_NOT_POSTGRESQL', `The datasource of the schema is ${provider}.`)
}

const CATALOG = 'rowcast'

async function addGenerator(project: PrismaProject, folder: string): Promise<Deed> {
  const { own } = project
  if (own !== undefined)
    return {
      file: relative(folder, own.file.path),
      what: 'kept',
      note: 'it has the generator already',
      lines: [],
    }
  const { path, text, blocks } = project.file
  const { output } = catalogOf(project, folder)
  const isNameTaken = project.files.some((file) =>
    file.blocks.some(({ kind, name }) => kind === 'generator' && name === CATALOG),
  )
  const lines = [
    `generator ${isNameTaken ? `${CATALOG}Catalog` : CATALOG} {`,
    '  provider = "rowcast-generator"',
    `  output   = "${output}"`,
    '}',
  ]
  const last = blocks.filter(({ kind }) => kind === 'generator' || kind === 'datasource').at(-1)
  await overwriteFile(path, insertBlock(text, lines, last?.end))
  return { file: relative(folder, path), what: 'added', note: 'the generator of the catalog', lines }
}

/** Behind the line of the index where nothing follows on it, else at the end; in the line ends that the text has. */
function insertBlock(text: string, lines: readonly string[], index: number | undefined): string {
  const newline = text.includes('\r\n') ? '\r\n' : '\n'
  const block = lines.map((line) => `${line}${newline}`).join('')
  const rest = /^[ \t]*(?:\r?\n|$)/.exec(text.slice(index ?? text.length))
  const at = index === undefined || rest === null ? text.length : index + rest[0].length
  const before = text.slice(0, at)
  const gap = before === '' ? '' : before.endsWith('\n') ? newline : newline + newline
  return `${before}${gap}${block}${text.slice(at)}`
}

/** Where the catalog is written: as the generator that is there says, else where the one that is added has it. */
function catalogOf({ own, file, client }: PrismaProject, folder: string): OwnGenerator & { output: string } {
  const output = own?.output ?? `${catalogFolder(client)}/${CATALOG}.${readModuleExtension(folder)}`
  return { file: own?.file ?? file, output }
}

/** Beside the generated client, from the folder of the schema's file; never in node_modules, which is thrown away. */
function catalogFolder(client: ClientGenerator | undefined): string {
  const output = client?.output
  if (output === undefined || /(^|\/)node_modules(\/|$)/.test(output)) return './generated'
  const folder = posix.dirname(output)
  return /^\.{0,2}\//.test(`${folder}/`) ? folder : `./${folder}`
}

async function writeConfig(project: PrismaProject, folder: string): Promise<Deed> {
  const existing = CONFIG_FILES.find((name) => existsSync(join(folder, name)))
  if (existing !== undefined) return { file: existing, what: 'kept', note: 'it is there already', lines: [] }
  const style = readImportStyle(folder)
  const extension = readModuleExtension(folder)
  const name = `rowcast.config.${extension}`
  const from = (path: string, { path: origin } = project.file) => {
    const found = relative(folder, resolve(dirname(origin), path))
      .split(sep)
      .join('/')
    // A folder may begin with a dot.
    return /^\.\.?\//.test(found) ? found : `./${found}`
  }
  const written = catalogOf(project, folder)
  const { ext, dir, name: catalog } = posix.parse(from(written.output, written.file))
  const text = configText({
    client: clientImport(project.client),
    catalog: importPath(`${dir}/${catalog}`, ext.slice(1), style),
    isDotenvRead: readsDotenv(folder),
    migrationsFolder: await migrationsElsewhere(),
    model: project.models[0],
  })
  await createFile(join(folder, name), text)
  const note = 'all models live; say who may see what before production'
  return { file: name, what: 'written', note, lines: text.trimEnd().split('\n') }

  /** Where `plan` would not find it from here: the schema is another package's, or in a folder of its own name. */
  async function migrationsElsewhere(): Promise<string | undefined> {
    if (project.isUsual) return undefined
    // A config that cannot be run yet hides where they are, and that is all: the schema has been changed by now.
    const found = await findMigrations(folder, project.path).catch(() => null)
    const usual = await findMigrations(folder).catch(() => null)
    return found === null || found === usual ? undefined : from(found)
  }

  function clientImport(client: ClientGenerator | undefined): string {
    if (client?.output === undefined) return '@prisma/client'
    const parts = client.output.split('/').filter((part) => part !== '')
    const inPackages = parts.includes('node_modules')
      ? parts.slice(parts.indexOf('node_modules') + 1).join('/')
      : ''
    if (inPackages !== '') return inPackages.startsWith('.prisma/client') ? '@prisma/client' : inPackages
    const path = from(client.output)
    if (client.provider === 'prisma-client') return importPath(`${path}/client`, client.extension, style)
    // JavaScript with its types beside it.
    return style === 'none' ? path : `${path}/index.js`
  }
}

/** Whether DATABASE_URL is kept in .env, as `prisma init` sets it up: Node.js does not read it by itself. */
function readsDotenv(folder: string): boolean {
  return existsSync(join(folder, '.env')) || declaredPackages(folder).has('dotenv')
}
