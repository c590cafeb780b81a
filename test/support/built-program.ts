/**
 * The program `rowcast`, built once from the sources for all tests that start it: with tsx each start would read and compile hundreds of
 * files again, which is most of what a command takes. Modules are joined, as in the package: what several share stands as deep as what reads files
 * beside itself.
 */
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { rolldown } from 'rolldown'

const ROOT = resolve(import.meta.dirname, '../..')
/** Packages are found from here as they are from the sources. */
const BUILDS = join(ROOT, 'node_modules/.rowcast-program')
/** What modules find beside the sources. */
const BESIDE = ['package.json', 'docs', 'dist']
/** The program, and the catalog of the sample. */
const ENTRIES = ['src/cli/main', 'prisma/generated/rowcast']

/** Absolute paths of what was built. */
export interface BuiltProgram {
  readonly main: string
  readonly catalog: string
}

/** Builds it, unless these sources were built before. */
export async function buildProgram(): Promise<BuiltProgram> {
  const folder = join(BUILDS, fingerprint())
  if (!existsSync(folder)) await buildInto(folder)
  return { main: join(folder, 'src/cli/main.js'), catalog: join(folder, 'prisma/generated/rowcast.js') }
}

/** Of every source, by name and content. */
function fingerprint(): string {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => join('src', file))
  const hash = createHash('sha256')
  for (const file of [...sources, `${ENTRIES[1]}.ts`, 'package.json']) {
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(ROOT, file)))
      .update('\0')
  }
  return hash.digest('hex').slice(0, 16)
}

/** Two workers may build at once: each into a folder of its own, and the first one's is it. */
async function buildInto(folder: string): Promise<void> {
  mkdirSync(BUILDS, { recursive: true })
  const own = mkdtempSync(join(BUILDS, 'building-'))
  try {
    const build = await rolldown({
      cwd: ROOT,
      input: Object.fromEntries(ENTRIES.map((name) => [name, join(ROOT, `${name}.ts`)])),
      platform: 'node',
      resolve: { conditionNames: ['rowcast-source', 'node', 'import'] },
      external: (id) => !/^[./]/.test(id),
      logLevel: 'silent',
    })
    const names = { entryFileNames: '[name].js', chunkFileNames: 'src/shared/chunks/[name]-[hash].js' }
    await build.write({ dir: own, format: 'esm', keepNames: true, ...names })
    await build.close()
    for (const name of BESIDE) symlinkSync(join(ROOT, name), join(own, name))
    renameSync(own, folder)
  } catch (error) {
    rmSync(own, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
}
