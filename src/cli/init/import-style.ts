/**
 * Beside the spine, cli. How a TypeScript file of a project may name another one, by the project's tsconfig.json: `./client.ts`,
 * `./client.js` or `./client`. TypeScript's handbook, "Modules - Reference".
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { declaredPackages } from './missing-packages.ts'

/** The extension that an import of `client.ts` has: as it is on disk, as it is compiled, or none. */
export type ImportStyle = 'source' | 'compiled' | 'none'

interface CompilerOptions {
  readonly module?: string
  readonly moduleResolution?: string
  readonly allowImportingTsExtensions?: boolean
  readonly rewriteRelativeImportExtensions?: boolean
  readonly verbatimModuleSyntax?: boolean
}

/**
 * The extension of a TypeScript file that has `import` and `export` in it: under `verbatimModuleSyntax` a .ts file of a CommonJS project may not.
 * (`npm init` writes the one, `tsc --init` the other.)
 */
export function readModuleExtension(folder: string): 'ts' | 'mts' {
  const options = readNearestOptions(folder)
  if (options?.verbatimModuleSyntax !== true) return 'ts'
  const isNode = /^node(16|18|20|next)$/i.test(options.module ?? '')
  const isCommonJs = isNode ? readPackageType(folder) !== 'module' : /^commonjs$/i.test(options.module ?? '')
  return isCommonJs ? 'mts' : 'ts'
}

/** `type` of the nearest package.json. */
function readPackageType(folder: string): string | undefined {
  const file = join(folder, 'package.json')
  const parent = dirname(folder)
  if (existsSync(file)) return (parseJsonc(file) as { readonly type?: string } | null)?.type
  return parent === folder ? undefined : readPackageType(parent)
}

/**
 * Reads it for files of the folder; a project without a tsconfig.json has its files as they are on disk, but that Next.js writes one as soon
 * as it sees TypeScript.
 */
export function readImportStyle(folder: string): ImportStyle {
  const options = readNearestOptions(folder)
  if (options === null) return declaredPackages(folder).has('next') ? 'none' : 'source'
  if (options.allowImportingTsExtensions === true || options.rewriteRelativeImportExtensions === true)
    return 'source'
  const resolution = (options.moduleResolution ?? options.module ?? '').toLowerCase()
  return /^node(16|18|20|next)$/.test(resolution) ? 'compiled' : 'none'
}

/** The import of a TypeScript file, `generated/client` with its extension on disk. */
export function importPath(path: string, extension: string, style: ImportStyle): string {
  if (style === 'source') return `${path}.${extension}`
  // Without an extension only .ts is looked for.
  if (style === 'none' && extension === 'ts') return path
  return `${path}.${extension.replace('ts', 'js')}`
}

/** Of the nearest tsconfig.json, upwards: the packages of a monorepo may have one for all. Null where there is none. */
function readNearestOptions(folder: string): CompilerOptions | null {
  const file = join(folder, 'tsconfig.json')
  const parent = dirname(folder)
  if (existsSync(file)) return readCompilerOptions(file, 0)
  return parent === folder ? null : readNearestOptions(parent)
}

const DEPTH_MAX = 10

/** Null where there is none that can be read. */
function readCompilerOptions(file: string, depth: number): CompilerOptions | null {
  const config = parseJsonc(file)
  if (config === null || depth > DEPTH_MAX) return null
  const bases = [config.extends ?? []]
    .flat()
    .map((base) => readCompilerOptions(resolveBase(file, base), depth + 1))
  return Object.assign({}, ...bases, config.compilerOptions)
}

function resolveBase(file: string, base: string): string {
  if (/^[./]/.test(base)) {
    const path = join(dirname(file), base)
    return path.endsWith('.json') ? path : `${path}.json`
  }
  const require = createRequire(file)
  for (const name of [base, `${base}.json`, `${base}/tsconfig.json`]) {
    try {
      return require.resolve(name)
    } catch {
      // The next form.
    }
  }
  return ''
}

interface TsconfigFile {
  readonly extends?: string | readonly string[]
  readonly compilerOptions?: CompilerOptions
}

/** JSON with comments and trailing commas. */
function parseJsonc(file: string): TsconfigFile | null {
  try {
    return JSON.parse(plainJson(readFileSync(file, 'utf8').replace(/^\uFEFF/, ''))) as TsconfigFile
  } catch {
    return null
  }
}

/** Without comments and commas before a closing bracket, in one pass. */
function plainJson(text: string): string {
  let plain = ''
  let comma = ''
  for (let at = 0; at < text.length; ) {
    const end = endOfPart(text, at)
    const part = text.slice(at, end)
    at = end
    if (part.startsWith('//') || part.startsWith('/*')) continue
    if (part.trim() === '') plain += part
    else if (part === ',') {
      plain += comma
      comma = part
    } else {
      plain += part === '}' || part === ']' ? part : comma + part
      comma = ''
    }
  }
  return plain
}

/** Where a string, a comment or any other character that begins here ends. */
function endOfPart(text: string, start: number): number {
  const orEnd = (index: number, length: number) => (index < 0 ? text.length : index + length)
  if (text.startsWith('//', start)) return orEnd(text.indexOf('\n', start), 0)
  if (text.startsWith('/*', start)) return orEnd(text.indexOf('*/', start + 2), 2)
  if (text.charAt(start) !== '"') return start + 1
  let at = start + 1
  while (at < text.length && text.charAt(at) !== '"') at += text.charAt(at) === '\\' ? 2 : 1
  return at + 1
}
