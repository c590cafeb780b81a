// `npm run page`: the live page into dist/page and GraphiQL into dist/graphiql, the typed documents first; nothing where that is
// up to date already.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'

// Whoever calls: a test that builds the page builds what is published.
process.env.NODE_ENV = 'production'

const FOLDER = dirname(fileURLToPath(import.meta.url))
const ROOT = dirname(FOLDER)

const changedMs = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0)
const newestMs = (files) => Math.max(...files.map(changedMs))
const filesOf = (folder) =>
  readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile())

const documents = ['activity.graphql', 'schema.graphql'].map((name) => join(FOLDER, name))
const generated = join(FOLDER, 'generated', 'graphql.ts')

if (changedMs(generated) < newestMs(documents)) run('graphql-codegen', '--silent')
await buildPage(FOLDER, 'page', [generated])
// With package-lock.json: most of it is GraphiQL's own.
await buildPage(join(FOLDER, 'graphiql'), 'graphiql', [join(ROOT, 'package-lock.json')])

async function buildPage(folder, name, more) {
  const built = join(ROOT, 'dist', name)
  if (changedMs(join(built, 'index.html')) >= newestMs([...filesOf(folder), ...more])) return
  const { build } = await import('vite')
  await build({ configFile: join(folder, 'vite.config.ts') })
  compress(built)
}

/** Scripts and styles are stored as they are sent to browsers: a fourth of their size, in the package too. */
function compress(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !/\.(js|css)$/.test(entry.name)) continue
    const file = join(entry.parentPath, entry.name)
    writeFileSync(`${file}.br`, brotliCompressSync(readFileSync(file)))
    rmSync(file)
  }
}

function run(command, ...args) {
  const { status } = spawnSync(join(ROOT, 'node_modules', '.bin', command), args, {
    cwd: ROOT,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}
