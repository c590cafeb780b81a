// The end of `npm run build`: packages that the server, the broker and the command line are built from go into dist/bundled, in the versions of the
// lockfile, and what imports them in dist/ imports them there. An application so installs neither them nor what they need (64 packages,
// some of which ask for a newer Node.js than rowcast does). graphql, Pothos and Prisma are never bundled: the application has its own, and there must be one.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { esmExternalRequirePlugin } from 'rolldown/plugins'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const DIST = join(ROOT, 'dist')
const BUNDLED = join(DIST, 'bundled')

/** Package → file in dist/bundled. */
const PACKAGES = {
  'graphql-yoga': 'graphql-yoga.js',
  'graphql-ws': 'graphql-ws.js',
  '@escape.tech/graphql-armor-max-aliases': 'armor-max-aliases.js',
  '@escape.tech/graphql-armor-max-depth': 'armor-max-depth.js',
  '@escape.tech/graphql-armor-max-directives': 'armor-max-directives.js',
  '@redis/client': 'redis-client.js',
  pino: 'pino.js',
  valibot: 'valibot.js',
}

/** How the bundler gives what was required: webpack refuses to name an export that graphql does not have. */
const WHOLE_MODULE =
  /Object\.prototype\.hasOwnProperty\.call\(([\w$]+), "module\.exports"\) \? \1\["module\.exports"\] : \{ \.\.\.\1 \}/g

/** Begins the names of the entries: one for each package. */
const ENTRY = '\0entry:'

/**
 * What stays an import: it is Node's own, or the application's. What packages in CommonJS `require` of it becomes one: who bundles an application then
 * finds it, and gives all the same graphql, and the function that stands for `require` is undefined in what webpack makes of it.
 */
const EXTERNAL = [/^node:/, /^graphql(\/|$)/, ...builtinModules]

rmSync(BUNDLED, { recursive: true, force: true })
mkdirSync(BUNDLED)
const files = builtFiles()
const packages = await bundle(importedNames(files))
writeFileSync(join(BUNDLED, 'LICENSES.txt'), licencesOf(packages))
for (const file of files) importBundled(file)

/** What the files import of each package, by name. What the compiler writes is regular. */
function importedNames(files) {
  const names = Object.fromEntries(Object.keys(PACKAGES).map((name) => [name, new Set()]))
  for (const file of files) {
    const imports = /(?:\bimport|\bconst) \{([^}]+)\} (?:from |= await import\()'([^'.][^']*)'/g
    for (const [, list, name] of readFileSync(file, 'utf8').matchAll(imports)) {
      for (const each of list.split(',')) {
        const word = each.trim().split(/ as |:/)[0]
        if (word !== '') names[name]?.add(word)
      }
    }
  }
  return names
}

/** Writes the bundles of what is imported. @returns the folders of all packages in them */
async function bundle(names) {
  const input = Object.fromEntries(
    Object.entries(PACKAGES).map(([name, file]) => [file.slice(0, -'.js'.length), `${ENTRY}${name}`]),
  )
  // Packages in CommonJS have no names that could be exported as they are: each entry says which it exports.
  const entries = {
    name: 'entries',
    resolveId: (id) => (id.startsWith(ENTRY) ? id : null),
    load(id) {
      if (!id.startsWith(ENTRY)) return null
      const name = id.slice(ENTRY.length)
      if (names[name].size === 0) throw new Error(`Nothing in dist/ imports ${name}.`)
      return `export { ${[...names[name]].join(', ')} } from '${name}'`
    },
  }
  const build = await rolldown({
    ...{ input, cwd: ROOT, platform: 'node', logLevel: 'silent' },
    plugins: [entries, esmExternalRequirePlugin({ external: EXTERNAL })],
  })
  const { output } = await build.write({
    ...{ dir: BUNDLED, format: 'esm', comments: { legal: true, annotation: false, jsdoc: false } },
    ...{ entryFileNames: '[name].js', chunkFileNames: 'shared-[hash].js' },
  })
  await build.close()
  for (const { fileName, code } of output) {
    // For what is optional and may be nowhere. A bundle in CommonJS that an application makes of it has no such address.
    const anywhere = code
      ?.replace(
        'createRequire(import.meta.url)',
        "process.getBuiltinModule('node:module').createRequire(import.meta.url || process.cwd() + '/')",
      )
      .replace(WHOLE_MODULE, '{ ...$1 }')
    if (anywhere !== code) writeFileSync(join(BUNDLED, fileName), anywhere)
  }
  const modules = output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []))
  return new Set(modules.flatMap((id) => folderOf(id) ?? []))
}

/** The folder of the package that a module belongs to. */
function folderOf(id) {
  const parts = id.split(`${sep}node_modules${sep}`)
  const inside = parts.at(-1)
  if (parts.length < 2 || inside === undefined || id.includes('\0')) return null
  const name = inside.split(sep).slice(0, inside.startsWith('@') ? 2 : 1)
  return join(parts.slice(0, -1).join(`${sep}node_modules${sep}`), 'node_modules', ...name)
}

/** Names, versions and licences of the packages: what their licences ask of those who pass them on. */
function licencesOf(folders) {
  const texts = [...folders].sort().map((folder) => {
    const described = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const { name, version, license } = described
    const file = readdirSync(folder).find((each) => /^(licen[cs]e|copying)/i.test(each))
    const notice = readdirSync(folder).find((each) => /^notice/i.test(each))
    const texts = [file, notice].flatMap((each) =>
      each === undefined ? [] : [readFileSync(join(folder, each), 'utf8').trim()],
    )
    if (file === undefined) texts.unshift(ownLicence(described))
    return [`${name} ${version} (${license})`, ...texts].join('\n\n')
  })
  return `${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

/** Some packages name their licence and do not bring its text, which asks to be in every copy. */
function ownLicence({ name, license, author, repository }) {
  if (license !== 'MIT') throw new Error(`${name} brings no text of its licence, ${license}.`)
  const person = typeof author === 'string' ? author : author?.name
  const holder =
    person?.replace(/\s*[<(].*$/, '') ??
    `the authors of ${name}${repository?.url === undefined ? '' : `, ${repository.url}`}`
  const [, terms] = readFileSync(join(ROOT, 'LICENSE'), 'utf8').split(/^Copyright .*\n/m)
  return `MIT License\n\nCopyright (c) ${holder}\n${terms.trimEnd()}`
}

function builtFiles() {
  return readdirSync(DIST, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.js'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(BUNDLED) && !file.startsWith(join(DIST, 'page')))
}

/** `from 'name'` and `import('name')` become paths to the bundles. */
function importBundled(file) {
  const source = readFileSync(file, 'utf8')
  const own = source.replace(/(\bfrom |\bimport\()'([^'.][^']*)'/g, (whole, before, name) => {
    const bundled = PACKAGES[name]
    if (bundled === undefined) return whole
    const path = relative(dirname(file), join(BUNDLED, bundled)).split(sep).join('/')
    return `${before}'${path.startsWith('.') ? path : `./${path}`}'`
  })
  if (own !== source) writeFileSync(file, own)
}
