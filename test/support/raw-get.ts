/** GET as it is written: fetch tidies paths up, and unpacks what it gets. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'

/** What came. */
export interface RawAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The body without its content coding. */
  readonly unpacked: Buffer
}

/** @param url its path is sent as it stands */
export function rawGet(
  url: string,
  headers: Readonly<Record<string, string>>,
  method = 'GET',
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  const path = url.slice(url.indexOf('/', url.indexOf('//') + 2))
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const body = Buffer.concat(chunks)
        const { statusCode: status = 0, headers: answered } = response
        const coding = body.length === 0 ? undefined : answered['content-encoding']
        const unpack = { br: brotliDecompressSync, gzip: gunzipSync }[coding ?? '']
        resolve({ status, headers: answered, body, unpacked: unpack?.(body) ?? body })
      })
    })
      .on('error', reject)
      .end()
  })
}
