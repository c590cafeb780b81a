/**
 * WebSockets of a server of ours: the bytes are a client's frames, on a real socket. Whatever they are, what comes back are whole
 * messages of the protocol or the end of the connection, and the server keeps nothing and has no fault of its own to report.
 */
import { Buffer } from 'node:buffer'
import { connect, type Socket } from 'node:net'
import { buildSchema } from 'graphql'
import type { LogFields, Logger } from '../../src/logger.ts'
import { createServer, type RowcastServer } from '../../src/server/create-server.ts'
import type { Target } from './targets.ts'

const HANDSHAKE = `GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`
/** Kinds of frames. RFC 6455, section 11.8. */
const [TEXT, CLOSING, PONG] = [1, 8, 10]
/** Behind each frame: it has been handled when this is answered, whatever comes of it. RFC 6455, section 5.5.2. */
const PING = frameOf(0x89, Buffer.from('handled?'))
const CLOSE = frameOf(0x88, Buffer.from([0x03, 0xe8]))
const MESSAGES = new Set(['connection_ack', 'next', 'error', 'complete', 'ping', 'pong'])
/** How long a connection may stay open once its client has asked for the end; nothing here takes as long. */
const END_MS = 20_000

interface Running {
  readonly server: RowcastServer
  readonly port: number
  /** What the server has reported as its own fault. */
  readonly faults: string[]
}

let running: Promise<Running> | null = null

async function start(): Promise<Running> {
  const faults: string[] = []
  const quiet = () => undefined
  const error = (message: string, fields: LogFields = {}) =>
    void faults.push(`${message} ${JSON.stringify(fields)}`)
  const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error }
  const schema = buildSchema('type Query { hello(name: String): String } type Subscription { ticks: Int }')
  const ticks = schema.getSubscriptionType()?.getFields()['ticks']
  if (ticks !== undefined)
    ticks.subscribe = async function* () {
      for (const tick of [1, 2, 3]) yield { ticks: tick }
    }
  const server = createServer({ schema, logger, port: 0, health: () => ({ isReady: true, details: {} }) })
  const { port } = await server.listen()
  return { server, port, faults }
}

/** Ends the server, if there is one. */
export async function stopSocketTarget(): Promise<void> {
  const ended = running
  running = null
  await (await ended)?.server.close()
}

/** A client's frame with a mask that changes nothing. */
function frameOf(first: number, payload: Buffer): Buffer {
  const { length } = payload
  const head =
    length < 126
      ? Buffer.from([first, 0x80 | length])
      : Buffer.from([first, 0x80 | 126, length >> 8, length & 0xff])
  return Buffer.concat([head, Buffer.alloc(4), payload])
}

/** What is sent, piece by piece. A line each is a frame: its first byte, then what is in it. Behind a 0 all bytes go as they are. */
function piecesOf(bytes: Buffer): readonly Buffer[] {
  if (bytes[0] === 0) return [bytes.subarray(1)]
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at + 1)
    const line = bytes.subarray(at, end < 0 ? bytes.length : end)
    pieces.push(Buffer.concat([frameOf(line[0] ?? 0, line.subarray(1)), PING]))
    at += line.length + 1
  }
  return pieces
}

async function run(bytes: Buffer): Promise<void> {
  running ??= start()
  const { server, port, faults } = await running
  const answer = await converse(port, piecesOf(bytes))
  checkAnswer(answer)
  await untilFree(server)
  const [fault] = faults.splice(0)
  if (fault !== undefined) throw new Error(`The server reports a fault: ${fault}`)
}

/** Everything that a connection gives until it ends. Each piece goes once what was before it has been handled. */
function converse(port: number, pieces: readonly Buffer[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const waiting = [...pieces, CLOSE]
    let answer: Buffer = Buffer.alloc(0)
    let sent = 0
    const socket: Socket = connect({ port, host: '127.0.0.1' })
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error('The connection does not end.'))
    }, END_MS)
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      const { frames } = framesOf(answer)
      const isClosing = frames.some(({ opcode }) => opcode === CLOSING)
      const handled = frames.filter(({ opcode }) => opcode === PONG).length
      while (!socket.writableEnded && (isClosing || sent <= handled)) {
        const piece = (isClosing ? CLOSE : waiting.shift()) ?? CLOSE
        sent += 1
        if (piece === CLOSE) socket.end(piece)
        else socket.write(piece)
        // Nobody answers bytes that are no frames.
        if (!piece.includes(PING)) socket.end(CLOSE)
      }
    })
    // A server that has enough may cut it.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(answer)
    })
    socket.write(HANDSHAKE)
  })
}

/** @throws Error where it is anything but a handshake, whole messages, and at most one close frame at the end */
function checkAnswer(answer: Buffer): void {
  if (!answer.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) throw new Error('No handshake.')
  const { frames, rest } = framesOf(answer)
  if (rest > 0) throw new Error('A frame is cut.')
  for (const [index, { opcode, payload }] of frames.entries()) {
    if (opcode === TEXT) checkMessage(payload.toString())
    else if (opcode !== CLOSING && opcode !== PONG) throw new Error(`A frame of the kind ${opcode}.`)
    if (opcode === CLOSING && index < frames.length - 1) throw new Error('Something comes behind the end.')
  }
}

function checkMessage(text: string): void {
  const { type } = JSON.parse(text) as { type?: string }
  if (type === undefined || !MESSAGES.has(type)) throw new Error(`No message: ${text}`)
}

interface Frame {
  readonly opcode: number
  readonly payload: Buffer
}

/** The whole frames behind the handshake, and how many bytes follow them. */
function framesOf(answer: Buffer): { readonly frames: readonly Frame[]; readonly rest: number } {
  const frames: Frame[] = []
  const headEnd = answer.indexOf('\r\n\r\n')
  let bytes = headEnd < 0 ? Buffer.alloc(0) : answer.subarray(headEnd + 4)
  while (bytes.length >= 2) {
    const short = (bytes[1] ?? 0) & 0x7f
    const head = short < 126 ? 2 : short === 126 ? 4 : 10
    if (bytes.length < head) break
    const size =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    if (bytes.length < head + size) break
    frames.push({ opcode: (bytes[0] ?? 0) & 0x0f, payload: bytes.subarray(head, head + size) })
    bytes = bytes.subarray(head + size)
  }
  return { frames, rest: bytes.length }
}

/** What the client has left behind is gone. */
async function untilFree(server: RowcastServer): Promise<void> {
  for (const endMs = performance.now() + END_MS; ; ) {
    if (Object.values(server.connections()).every((count) => count === 0)) return
    if (performance.now() > endMs)
      throw new Error(`It keeps ${JSON.stringify(server.connections())} of a client that has gone.`)
    await new Promise(setImmediate)
  }
}

const lines = (...texts: string[]) => Buffer.from(texts.map((text) => `\u0081${text}`).join('\n'), 'latin1')
const INIT = '{"type":"connection_init","payload":{"rowcast":{"resumes":true}}}'
const subscribe = (id: string, query: string, more = '') =>
  `{"type":"subscribe","id":"${id}","payload":{"query":"${query}"${more}}}`

/** It. */
export const SOCKET_TARGET: Target = {
  run,
  batch: 64,
  seeds: [
    lines(INIT, subscribe('1', 'subscription { ticks }', ',"extensions":{"rowcast":{"bookmarks":"a"}}')),
    lines(INIT, subscribe('1', 'query($n: String) { hello(name: $n) }', ',"variables":{"n":"a"}')),
    lines(
      INIT,
      subscribe('1', '{ hello }'),
      '{"type":"complete","id":"1"}',
      '{"type":"ping","payload":{"a":1}}',
    ),
    lines('{"type":"pong"}', subscribe('1', '{ hello }')),
    Buffer.from(`\u0001{"type":"con\n\u0080nection_init"}\n\u0089ping\n\u0082binary`, 'latin1'),
    Buffer.concat([Buffer.from([0]), frameOf(0x81, Buffer.from(INIT))]),
  ],
}
