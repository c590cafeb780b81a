/**
 * Stage 8, server. One file of a built page as browsers get it: compressed as they accept it, and not sent again to those that
 * have it. What a build has stored compressed is unpacked only for those who take it no other way.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { brotliCompress, brotliDecompress, gzip } from 'node:zlib'

/** Content codings, the best first. RFC 9110, section 8.4.1. */
export type Encoding = 'br' | 'gzip' | 'identity'

/** What a file is made of. */
export interface StaticFileOptions {
  readonly content: Buffer
  /** Whether the content is stored as brotli. @default false */
  readonly isBrotli?: boolean
  readonly type: string
  /** Whether its name has the hash of its content: what is cached stays right. */
  readonly isHashed: boolean
  readonly headers?: OutgoingHttpHeaders
}

/** The file. */
export interface StaticFile {
  /** Answers a GET or HEAD. */
  send(request: IncomingMessage, response: ServerResponse): Promise<void>
}

const compressGzip = promisify(gzip)
const compressBrotli = promisify(brotliCompress)
const unpackBrotli = promisify(brotliDecompress)

/** Creates it. Each coding is made when it is first asked for, beside the event loop, and kept. */
export function createStaticFile(options: StaticFileOptions): StaticFile {
  const { content, isBrotli = false, type, isHashed, headers = {} } = options
  const digest = createHash('sha256').update(content).digest('base64url').slice(0, 20)
  const made = new Map<Encoding, Promise<Buffer>>()

  function make(encoding: Encoding): Promise<Buffer> {
    if (encoding === (isBrotli ? 'br' : 'identity')) return Promise.resolve(content)
    if (encoding === 'identity') return unpackBrotli(content)
    return bodyOf('identity').then((plain) =>
      encoding === 'br' ? compressBrotli(plain) : compressGzip(plain),
    )
  }

  function bodyOf(encoding: Encoding): Promise<Buffer> {
    const known = made.get(encoding)
    if (known !== undefined) return known
    const body = make(encoding)
    made.set(encoding, body)
    // What failed once, for want of memory for example, is tried again.
    body.catch(() => made.delete(encoding))
    return body
  }

  return {
    async send(request, response) {
      const encoding = chooseEncoding(request.headers['accept-encoding'])
      const etag = `"${digest}-${encoding}"`
      const common = {
        ...headers,
        etag,
        vary: 'accept-encoding',
        'cache-control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
      }
      if (matches(request.headers['if-none-match'], etag)) {
        response.writeHead(304, common).end()
        return
      }
      const body = await bodyOf(encoding)
      response.writeHead(200, {
        ...common,
        'content-type': type,
        'content-length': body.byteLength,
        ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
      })
      response.end(request.method === 'HEAD' ? undefined : body)
    },
  }
}

/** The best coding that the client takes; without a header, none. RFC 9110, section 12.5.3. */
export function chooseEncoding(accepted: string | undefined): Encoding {
  const weights = new Map<string, number>()
  for (const part of (accepted ?? '').split(',')) {
    const [name = '', ...parameters] = part.trim().toLowerCase().split(';')
    const weight = parameters.map((each) => /^\s*q\s*=\s*([\d.]+)\s*$/.exec(each)?.[1]).find(Boolean)
    if (name !== '') weights.set(name.trim(), weight === undefined ? 1 : Number(weight))
  }
  const weightOf = (name: Encoding) => weights.get(name) ?? weights.get('*') ?? 0
  const [brotli, zipped] = [weightOf('br'), weightOf('gzip')]
  if (brotli > 0 && brotli >= zipped) return 'br'
  return zipped > 0 ? 'gzip' : 'identity'
}

function matches(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false
  return condition.split(',').some((each) => ['*', etag, `W/${etag}`].includes(each.trim()))
}
