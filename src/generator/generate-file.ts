/**
 * Beside the spine, generator. What Prisma hands to `generator rowcast` → the file to write. Pure: checks the
 * schema's set-up, builds the catalog, emits it.
 *
 * Options of the generator block: `output` (the file to write), `clientOutput` (import specifier of the Prisma
 * Client, where it is not found by itself), `rowcastImport` (import specifier of rowcast's types).
 */
import { dirname, join, relative, sep } from 'node:path'
import type { GeneratorConfig, GeneratorOptions } from '@prisma/generator-helper'
import { RowcastError } from '../errors.ts'
import { catalogFromDmmf } from './catalog-from-dmmf.ts'
import { emitCatalog, ORIGIN_GENERATOR } from './emit-catalog.ts'

/** The part of Prisma's generator options that rowcast reads. */
export type GenerateInput = Pick<
  GeneratorOptions,
  'generator' | 'otherGenerators' | 'datasources' | 'datamodel'
> & { readonly dmmf: Pick<GeneratorOptions['dmmf'], 'datamodel'> }

/** A file to write. */
export interface GeneratedFile {
  /** Absolute. */
  readonly path: string
  readonly text: string
}

const KNOWN_OPTIONS: readonly string[] = ['clientOutput', 'rowcastImport']

/**
 * Makes the generated file of one `prisma generate`.
 * @throws GENERATOR_NOT_POSTGRESQL, GENERATOR_BAD_OUTPUT, GENERATOR_BAD_OPTION, GENERATOR_NO_CLIENT,
 *   GENERATOR_BAD_MARKER
 */
export function generateFile(input: GenerateInput): GeneratedFile {
  requirePostgresql(input)
  const path = outputPath(input.generator)
  const options = textOptions(input.generator)
  const catalog = catalogFromDmmf(input.dmmf.datamodel, input.datamodel)
  const clientImport = options.get('clientOutput') ?? findClientImport(input.otherGenerators, path)
  const rowcastImport = options.get('rowcastImport')
  return { path, text: emitCatalog(catalog, { clientImport, rowcastImport, origin: ORIGIN_GENERATOR }) }
}

function requirePostgresql(input: GenerateInput): void {
  for (const { name, activeProvider } of input.datasources) {
    if (activeProvider !== 'postgresql') {
      throw new RowcastError(
        'GENERATOR_NOT_POSTGRESQL',
        `Datasource "${name}" is of provider "${activeProvider}".`,
      )
    }
  }
}

function outputPath(generator: GeneratorConfig): string {
  const path = generator.output?.value ?? ''
  if (!/\.[cm]?ts$/.test(path) || /\.d\.[cm]?ts$/.test(path)) {
    const found = path === '' ? 'no output' : `the output "${path}", which is not a .ts file`
    throw new RowcastError('GENERATOR_BAD_OUTPUT', `Generator "${generator.name}" has ${found}.`)
  }
  return path
}

function textOptions(generator: GeneratorConfig): ReadonlyMap<string, string> {
  const options = new Map<string, string>()
  for (const [name, value] of Object.entries(generator.config)) {
    if (value === undefined) continue
    if (!KNOWN_OPTIONS.includes(name)) {
      throw new RowcastError(
        'GENERATOR_BAD_OPTION',
        `Generator "${generator.name}" has the unknown option "${name}".`,
      )
    }
    if (typeof value !== 'string') {
      throw new RowcastError(
        'GENERATOR_BAD_OPTION',
        `Option "${name}" of generator "${generator.name}" is a list.`,
        {
          hint: `Give "${name}" one text.`,
        },
      )
    }
    options.set(name, value)
  }
  return options
}

/** How the file at `path` imports the client that another generator of the same schema writes. */
function findClientImport(generators: readonly GeneratorConfig[], path: string): string {
  const modern = generators.find((generator) => generator.provider.value === 'prisma-client')
  const modernOutput = modern?.output?.value
  if (modern !== undefined && typeof modernOutput === 'string') {
    return relativeImport(path, join(modernOutput, `client${clientExtension(modern)}`))
  }
  const classic = generators.find((generator) => generator.provider.value === 'prisma-client-js')
  const classicOutput = classic?.output?.value
  if (classic?.isCustomOutput === true && typeof classicOutput === 'string') {
    return relativeImport(path, join(classicOutput, 'index.js'))
  }
  if (classic !== undefined) return '@prisma/client'
  throw new RowcastError(
    'GENERATOR_NO_CLIENT',
    `Among the ${generators.length} other generators of the schema there is no prisma-client and no prisma-client-js.`,
  )
}

/**
 * The extension that the client's own files import each other with, where its generator block says so;
 * otherwise the JavaScript one, which TypeScript resolves to the source under every module setting.
 */
function clientExtension(client: GeneratorConfig): string {
  const { importFileExtension, generatedFileExtension } = client.config
  if (typeof importFileExtension === 'string')
    return importFileExtension === '' ? '' : `.${importFileExtension}`
  return generatedFileExtension === 'mts' ? '.mjs' : generatedFileExtension === 'cts' ? '.cjs' : '.js'
}

function relativeImport(from: string, to: string): string {
  const path = relative(dirname(from), to).split(sep).join('/')
  return path.startsWith('.') ? path : `./${path}`
}
