/** Beside the spine, cli. `rowcast generate`: the catalog of a Prisma 8 project, from its contract. Prisma 6 and 7 have `generator rowcast` for it. */
import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { RowcastError } from '../errors.ts'
import { catalogFromContract } from '../generator/catalog-from-contract.ts'
import { badContract, CONTRACT_BYTES_MAX } from '../generator/contract-part.ts'
import { emitCatalog, GENERATED } from '../generator/emit-catalog.ts'
import { ExitCode } from './exit-code.ts'
import { createFile, isMissing, overwriteFile, readProjectFile } from './project-file.ts'
import type { Terminal } from './terminal.ts'

/** Options of the command line. */
export interface GenerateOptions {
  /** The contract.json, from the folder. @default 'src/prisma/contract.json' */
  readonly contract?: string | undefined
  /** The file to write. @default rowcast.ts beside the contract */
  readonly output?: string | undefined
  /** The `.prisma` file or folder that the contract was emitted from. @default the `.prisma` files beside the contract */
  readonly schema?: string | undefined
  readonly json?: boolean | undefined
}

/** What it may touch. */
export interface GenerateContext {
  readonly folder: string
  readonly terminal: Terminal
}

const CONTRACT = 'src/prisma/contract.json'
const ORIGIN = 'change the contract, then run `prisma contract emit` and `rowcast generate`'

/**
 * Writes the file.
 * @throws GENERATOR_BAD_CONTRACT, GENERATOR_CONTRACT_UNSUPPORTED, GENERATOR_BAD_MARKER, GENERATOR_BAD_OUTPUT, CLI_FILE_UNREADABLE, CLI_FILE_UNWRITABLE
 */
export async function generate(
  options: GenerateOptions,
  { folder, terminal }: GenerateContext,
): Promise<ExitCode> {
  const contract = resolve(folder, options.contract ?? CONTRACT)
  const output = resolve(folder, options.output ?? join(dirname(contract), 'rowcast.ts'))
  if (!/\.[cm]?ts$/.test(output) || /\.d\.[cm]?ts$/.test(output))
    throw new RowcastError('GENERATOR_BAD_OUTPUT', `${output} is not a .ts file.`, {
      hint: 'Name one with --output.',
    })
  await checkReplaceable(output)
  const document = await readContract(contract)
  const schemas = await findSchemas(folder, options.schema, contract)
  const texts = await Promise.all(schemas.map((file) => readProjectFile(file)))
  const { catalog, leftOut, storageHash } = catalogFromContract(document, texts.join('\n'))
  const text = emitCatalog(catalog, {
    clientImport: null,
    origin: `${ORIGIN}.\n// Storage hash: ${storageHash}`,
  })
  await (existsSync(output) ? overwriteFile(output, text) : createFile(output, text))
  const [models, enums] = [Object.keys(catalog.models), Object.keys(catalog.enums)]
  if (options.json === true)
    terminal.print(JSON.stringify({ file: output, models, enums, leftOut, schemas, storageHash }))
  else {
    terminal.print(`Wrote ${relative(folder, output)}: ${models.length} models, ${enums.length} enums.`)
    for (const sentence of leftOut) terminal.print(`  left out: ${sentence}`)
    if (schemas.length === 0)
      terminal.print(
        '  no comments: there is no .prisma file beside the contract, so nothing is marked `/// @rowcast.omit`; name it with --schema',
      )
  }
  return ExitCode.ok
}

/** What somebody wrote by hand stays. @throws GENERATOR_BAD_OUTPUT */
async function checkReplaceable(output: string): Promise<void> {
  if (!existsSync(output)) return
  const text = (await readProjectFile(output)).toString()
  if (text === '' || text.startsWith(GENERATED)) return
  throw new RowcastError('GENERATOR_BAD_OUTPUT', `${output} is there, and rowcast did not write it.`, {
    hint: 'Name another file with --output, or remove this one.',
  })
}

async function readContract(file: string): Promise<unknown> {
  const size = await stat(file).then(
    (found) => found.size,
    (error: unknown) => {
      if (isMissing(error)) throw badContract(`${file} is not there.`)
      return 0
    },
  )
  if (size > CONTRACT_BYTES_MAX) throw badContract(`${file} has ${size} bytes.`)
  const text = (await readProjectFile(file)).toString()
  try {
    return JSON.parse(text)
  } catch {
    // Not as cause: its message quotes the file.
    throw badContract(`${file} is not JSON.`)
  }
}

/** Sorted, as Prisma reads them. @throws CLI_FILE_UNREADABLE for one that somebody has named and is not there */
async function findSchemas(
  folder: string,
  named: string | undefined,
  contract: string,
): Promise<readonly string[]> {
  const path = named === undefined ? dirname(contract) : resolve(folder, named)
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (!isFolder && !existsSync(path))
    throw new RowcastError('CLI_FILE_UNREADABLE', `${path} is not there.`, {
      hint: 'Name the .prisma file, or the folder of them, that the contract is emitted from: --schema src/prisma/contract.prisma',
    })
  if (!isFolder) return [path]
  const names = await readdir(path, { recursive: named !== undefined })
  return names
    .filter((name) => name.endsWith('.prisma'))
    .sort()
    .map((name) => join(path, name))
}
