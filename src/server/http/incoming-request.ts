/**
 * Stage 8, server. A request as Node.js hands it over, except that it is an upgrade only where it asks for WebSocket: a
 * server ignores an upgrade to what it does not speak, and answers with HTTP/1.1 (RFC 9110, section 7.8). Some clients ask
 * every server for `h2c`. Node.js makes an upgrade of each of them as soon as anybody listens to `upgrade`.
 */
import { IncomingMessage } from 'node:http'

/** A field would be initialised after Node.js' own constructor, which sets `upgrade`. */
const upgrades = new WeakSet<IncomingMessage>()

/**
 * A request that is an upgrade only where it asks for WebSocket; what offers another protocol (`h2c`) is answered over HTTP/1.1. For a server of your
 * own: `createServer({ IncomingMessage: IncomingRequest }, …)` of node:http. RFC 9110, section 7.8.
 */
export class IncomingRequest extends IncomingMessage {
  /** Set by the parser, asked for once the headers are there. */
  get upgrade(): boolean {
    return upgrades.has(this) && asksForWhatIsSpoken(this)
  }

  set upgrade(value: unknown) {
    if (value === true) upgrades.add(this)
    else upgrades.delete(this)
  }
}

/** CONNECT is an upgrade without a header, which Node.js refuses itself. HTTP/1.0 has no upgrades. */
function asksForWhatIsSpoken({ headers, httpVersion, method }: IncomingMessage): boolean {
  if (method === 'CONNECT') return true
  return httpVersion !== '1.0' && headers.upgrade?.toLowerCase() === 'websocket'
}
