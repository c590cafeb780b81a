// The end of `npm run build`: what Node.js loads for the entries of the package and the programs becomes a few files. Each module that is a file of its own costs
// every start half a millisecond, and there were 755. What browsers get stays as the compiler wrote it: file by file, an application's bundler leaves
// out what it does not use. Declarations stay as they are.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { ENTRIES, FOR_BROWSERS, PROGRAMS } from './entries.mjs'

const DIST = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist')
/** Not built from src/: pages, the sample, and packages that are bundled already. */
const OTHERS = ['bundled', 'graphiql', 'page', 'sample']

const forNode = [...ENTRIES.filter((name) => !FOR_BROWSERS.includes(name)), ...PROGRAMS]
const kept = reachable(FOR_BROWSERS.map(pathOf))
const before = ownFiles().filter((file) => !kept.has(file))
const build = await rolldown({
  input: Object.fromEntries(forNode.map((name) => [name, pathOf(name)])),
  platform: 'node',
  // There is one copy of each module: also of what both sides use.
  external: (id, _importer, isResolved) => (isResolved ? kept.has(id) || isOther(id) : !/^[./]/.test(id)),
})
// A module that reads what lies beside it counts folders: it stands two below dist/, as server/pages/built-page.js does.
const chunks = { entryFileNames: '[name].js', chunkFileNames: 'shared/chunks/[name]-[hash].js' }
// What docblocks say stands in the declarations, which editors show; in the code they are a tenth of the tarball.
const comments = { legal: true, annotation: true, jsdoc: false }
// Read into memory before what it was read from goes.
const { output } = await build.generate({ format: 'esm', keepNames: true, comments, ...chunks })
for (const file of before) {
  rmSync(file)
  rmSync(`${file}.map`, { force: true })
}
for (const { fileName, code } of output) {
  mkdirSync(dirname(join(DIST, fileName)), { recursive: true })
  writeFileSync(join(DIST, fileName), code)
}
await build.close()
removeEmptyFolders(DIST)

function pathOf(name) {
  return join(DIST, `${name}.js`)
}

function isOther(file) {
  return OTHERS.includes(relative(DIST, file).split(sep)[0])
}

function ownFiles() {
  return readdirSync(DIST, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.js'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !isOther(file))
}

/** These files and all that they import. What the compiler writes is regular. */
function reachable(files) {
  const found = new Set()
  const rest = [...files]
  for (let file = rest.pop(); file !== undefined; file = rest.pop()) {
    if (found.has(file) || !existsSync(file)) continue
    found.add(file)
    for (const [, path] of readFileSync(file, 'utf8').matchAll(
      /(?:\bfrom |\bimport\(|^import )'(\.[^']+)'/gm,
    ))
      rest.push(resolve(dirname(file), path))
  }
  return found
}

function removeEmptyFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmptyFolders(join(folder, entry.name))
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder)
}
