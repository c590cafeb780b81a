/** A connection over HTTP/2 of a test, to a proxy: it ends before the proxy does. */
import { once } from 'node:events'
import { type ClientHttp2Session, connect } from 'node:http2'

/** A session and its end. */
export interface TestHttp2 extends AsyncDisposable {
  readonly session: ClientHttp2Session
}

/** Connects; resolves once the server's settings are there, rejects with what the connection failed with. */
export async function openHttp2(url: string): Promise<TestHttp2> {
  const session = connect(url)
  await once(session, 'remoteSettings')
  // A failure reaches the test by its streams. What comes when the session ends, a reset by the proxy, is nobody's.
  session.on('error', () => undefined)
  return {
    session,
    async [Symbol.asyncDispose]() {
      if (session.destroyed) return
      const closed = once(session, 'close')
      session.destroy()
      await closed
    },
  }
}
