// `npm run page`: the live page into dist/page and GraphiQL into dist/graphiql, the typed documents first; nothing where that is
// up to date already.
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'

// Whoever calls: a test that builds the page builds what is published.
process.env.NODE_ENV = 'production'

const LOCK_STALE_MS = 120_000
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

let isAnnounced = false

await withLock(async () => {
  if (changedMs(generated) < newestMs(documents)) runCodegen()
  await buildPage(FOLDER, 'page', [generated])
  // With package-lock.json: most of it is GraphiQL's own.
  await buildPage(join(FOLDER, 'graphiql'), 'graphiql', [join(ROOT, 'package-lock.json')])
})

/** Whoever waits sees for what. */
function announce() {
  if (!isAnnounced) process.stderr.write('Building the pages for browsers, once: up to half a minute …\n')
  isAnnounced = true
}

async function buildPage(folder, name, more) {
  const built = join(ROOT, 'dist', name)
  if (changedMs(join(built, 'index.html')) >= newestMs([...filesOf(folder), ...more])) return
  announce()
  const { build } = await import('vite')
  // Beside its place, and moved there once it is whole: a server may be reading.
  const outDir = `${built}-${process.pid}`
  await build({ configFile: join(folder, 'vite.config.ts'), build: { outDir } })
  compress(outDir)
  rmSync(built, { recursive: true, force: true })
  renameSync(outDir, built)
}

/** One at a time: tests that need the pages run beside each other, and each asks for them. */
async function withLock(run) {
  const lock = join(ROOT, 'dist', '.page-lock')
  mkdirSync(dirname(lock), { recursive: true })
  while (!tryLock(lock)) await setTimeout(100)
  try {
    await run()
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

function tryLock(lock) {
  try {
    mkdirSync(lock)
    return true
  } catch {
    // Whoever had it was killed.
    if (Date.now() - changedMs(lock) > LOCK_STALE_MS) rmSync(lock, { recursive: true, force: true })
    return false
  }
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

function runCodegen() {
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', 'codegen.mjs'], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}
