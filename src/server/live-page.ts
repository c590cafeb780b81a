/**
 * Stage 8, server. The live page at `/`: the few files that the build has made of page/. They hold no data and ask for
 * it over GraphQL. Read when a browser first asks; nothing but these files can be asked for.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { respondJson } from './health.ts'

/** The page. */
export interface LivePage {
  /** Answers requests for one of its files; false for all others. */
  respond(request: IncomingMessage, response: ServerResponse): boolean
}

/** Beside this file in the package; from the sources, in the build's folder. */
const FOLDERS = ['../page/', '../../dist/page/'].map((path) => fileURLToPath(new URL(path, import.meta.url)))
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}
/** Its own files and its own server, nothing else. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
}

interface PageFile {
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string | number>>
}

/** Creates the page. @param folder where it is built to; for tests */
export function createLivePage(folder?: string): LivePage {
  let files: ReadonlyMap<string, PageFile> | null = null

  return {
    respond(request, response) {
      const [path = '/'] = (request.url ?? '/').split('?', 1)
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      if (!isRead || (path !== '/' && !path.startsWith('/assets/'))) return false
      // Looked for again until it is there: it may be built while the server runs.
      if (files === null || files.size === 0) files = readPage(folder)
      const file = files.get(path === '/' ? '/index.html' : path)
      if (file !== undefined) {
        response.writeHead(200, { ...file.headers, ...SECURITY_HEADERS })
        response.end(request.method === 'HEAD' ? undefined : file.body)
      } else if (path === '/') {
        const message = 'The live page has not been built. In rowcast’s own repository: npm run page.'
        respondJson(response, 404, { error: 'NOT_FOUND', message })
      }
      return file !== undefined || path === '/'
    },
  }
}

function readPage(named: string | undefined): ReadonlyMap<string, PageFile> {
  const folder = [named, ...(named === undefined ? FOLDERS : [])].find(
    (each) => each !== undefined && existsSync(join(each, 'index.html')),
  )
  if (folder === undefined) return new Map()
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true })
  return new Map(
    entries.flatMap((entry) => {
      const type = CONTENT_TYPES[extname(entry.name)]
      if (!entry.isFile() || type === undefined) return []
      const file = join(entry.parentPath, entry.name)
      const path = `/${relative(folder, file).split(sep).join('/')}`
      return [[path, toPageFile(readFileSync(file), type, path.startsWith('/assets/'))] as const]
    }),
  )
}

/** Assets have the hash of their content in their name: what is cached stays right. */
function toPageFile(body: Buffer, type: string, isHashed: boolean): PageFile {
  return {
    body,
    headers: {
      'content-type': type,
      'content-length': body.byteLength,
      'cache-control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
    },
  }
}
