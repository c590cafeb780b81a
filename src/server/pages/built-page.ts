/** Stage 8, server. What the build has made of one of the pages in page/: a few files, read when a browser first asks. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { OutgoingHttpHeaders } from 'node:http'
import { extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createStaticFile, type StaticFile } from './static-file.ts'

/** The page's files. */
export interface BuiltPage {
  /** The HTML as it was built; null where nothing was. */
  html(): string | null
  /** A file beside it, by its path from the page's folder, such as `/assets/main-abc.js`. Only files that are there have one. */
  asset(path: string): StaticFile | null
}

/** A page's own files and its own server, nothing else. */
export function securityHeaders(styles = "'self'"): OutgoingHttpHeaders {
  return {
    'content-security-policy':
      `default-src 'none'; script-src 'self'; style-src ${styles}; img-src 'self'; connect-src 'self'; ` +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
  }
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}
const BROTLI = '.br'

/**
 * @param name of its folder in dist/
 * @param headers of each of its files
 * @param folder where it is built to; for tests
 */
export function createBuiltPage(name: string, headers: OutgoingHttpHeaders, folder?: string): BuiltPage {
  // Beside this file in the package; from the sources, in the build's folder. In a bundle in CommonJS it has no address.
  const here = import.meta.url as string | undefined
  const paths = here === undefined ? [] : [`../../${name}/`, `../../../dist/${name}/`]
  const folders = paths.map((path) => fileURLToPath(new URL(path, here)))
  let read: { readonly html: string; readonly assets: ReadonlyMap<string, StaticFile> } | null = null

  /** Looked for again until it is there: it may be built while the server runs. */
  function find() {
    if (read !== null) return read
    const found = (folder === undefined ? folders : [folder]).find((each) =>
      existsSync(join(each, 'index.html')),
    )
    if (found === undefined) return null
    read = { html: readFileSync(join(found, 'index.html'), 'utf8'), assets: readAssets(found, headers) }
    return read
  }

  return {
    html: () => find()?.html ?? null,
    asset: (path) => find()?.assets.get(path) ?? null,
  }
}

/** Folder by folder: Yarn's Plug'n'Play, which reads packages from their archives, does not say of an entry which folder it is in. */
function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : []
  })
}

/** Assets have the hash of their content in their name. The build stores those that are worth it as brotli alone. */
function readAssets(folder: string, headers: OutgoingHttpHeaders): ReadonlyMap<string, StaticFile> {
  return new Map(
    filesBelow(folder).flatMap((file) => {
      const isBrotli = file.endsWith(BROTLI)
      const path = `/${relative(folder, file).split(sep).join('/')}`.slice(
        0,
        isBrotli ? -BROTLI.length : undefined,
      )
      const type = CONTENT_TYPES[extname(path)]
      if (type === undefined) return []
      const content = readFileSync(file)
      return [[path, createStaticFile({ content, isBrotli, type, isHashed: true, headers })] as const]
    }),
  )
}
