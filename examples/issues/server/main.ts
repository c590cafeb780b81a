// The server: GraphQL at /graphql, and the page.
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { createServer } from 'rowcast/server'
import { disconnect, rowcast, schema } from './schema.ts'

await rowcast.enable()
rowcast.start()

const PAGE = process.env['PAGE'] ?? 'dist'
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

async function servePage(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { pathname } = new URL(request.url ?? '/', 'http://page')
    const path = normalize(pathname === '/' ? '/index.html' : pathname)
    const content = await readFile(join(PAGE, path))
    response
      .writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' })
      .end(content)
  } catch {
    response.writeHead(404).end()
  }
}

const server = createServer({
  schema,
  logger: console,
  port: Number(process.env['PORT'] ?? 4100),
  // Signing in is choosing a name here. Yours checks a session: docs/security.md.
  context(source) {
    const said =
      source.kind === 'websocket'
        ? source.connectionParams['as']
        : source.headers.authorization?.replace('Bearer ', '')
    return { context: { viewer: typeof said === 'string' ? said : '' } }
  },
  graphiql: true,
  health: () => {
    const { isReady, state, isCatchingUp } = rowcast.status()
    return { isReady, details: { replication: state, isCatchingUp } }
  },
  otherRequests: (request, response) => void servePage(request, response),
})
await rowcast.ready()
const { url } = await server.listen()
process.stdout.write(`The issue tracker: ${url}\n`)

process.once('SIGTERM', async () => {
  await server.close()
  await rowcast.stop()
  await disconnect()
})
