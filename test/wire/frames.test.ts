import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createFrameReader,
  encodeQuery,
  encodeStatusUpdate,
  type FrameHandler,
} from '../../src/wire/frames.ts'
import { LSN_ZERO, parseLsn, toLsn } from '../../src/wire/lsn.ts'

/** What a handler saw, as plain values. */
type Seen = { wal: string } | { walEnd: bigint; reply: boolean } | { tag: number; body: string }

function collect(): { seen: Seen[]; handler: FrameHandler } {
  const seen: Seen[] = []
  const handler: FrameHandler = {
    onWalData: (bytes, start, end) => seen.push({ wal: bytes.toString('hex', start, end) }),
    onKeepalive: (walEnd, reply) => seen.push({ walEnd, reply }),
    onProtocolMessage: (tag, bytes, start, end) =>
      seen.push({ tag, body: bytes.toString('hex', start, end) }),
  }
  return { seen, handler }
}

function message(tag: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(tag, 0, 'latin1')
  head.writeUInt32BE(4 + body.length, 1)
  return Buffer.concat([head, body])
}

const walData = (payload: Buffer) =>
  message('d', Buffer.concat([Buffer.from('w'), Buffer.alloc(24, 7), payload]))

function keepalive(walEnd: bigint, reply: boolean): Buffer {
  const body = Buffer.alloc(18)
  body.write('k', 0, 'latin1')
  body.writeBigUInt64BE(walEnd, 1)
  body[17] = reply ? 1 : 0
  return message('d', body)
}

const anyMessage = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => {
    const payload = Buffer.from(bytes)
    return { bytes: walData(payload), seen: { wal: payload.toString('hex') } as Seen }
  }),
  fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.boolean()).map(([walEnd, reply]) => {
    return { bytes: keepalive(walEnd, reply), seen: { walEnd, reply } as Seen }
  }),
  fc.tuple(fc.constantFrom('E', 'N', 'W', 'c'), fc.uint8Array({ maxLength: 40 })).map(([tag, body]) => {
    const seen: Seen = { tag: tag.charCodeAt(0), body: Buffer.from(body).toString('hex') }
    return { bytes: message(tag, Buffer.from(body)), seen }
  }),
)

describe('frame reader', () => {
  it('yields the same frames wherever the bytes are split', () => {
    fc.assert(
      fc.property(
        fc.array(anyMessage, { maxLength: 12 }),
        fc.array(fc.nat(4000), { maxLength: 30 }),
        (messages, cuts) => {
          const stream = Buffer.concat(messages.map((m) => m.bytes))
          const offsets = [
            0,
            ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b),
            stream.length,
          ]
          const { seen, handler } = collect()
          const reader = createFrameReader(handler)
          for (let i = 1; i < offsets.length; i += 1) reader.push(stream.subarray(offsets[i - 1], offsets[i]))
          expect(seen).toEqual(messages.map((m) => m.seen))
        },
      ),
    )
  })

  it('survives one byte at a time', () => {
    const stream = Buffer.concat([walData(Buffer.from('abc')), keepalive(5n, true), walData(Buffer.from(''))])
    const { seen, handler } = collect()
    const reader = createFrameReader(handler)
    for (const byte of stream) reader.push(Buffer.from([byte]))
    expect(seen).toEqual([{ wal: '616263' }, { walEnd: 5n, reply: true }, { wal: '' }])
  })

  it.each([
    ['a length below its own size', Buffer.from([0x64, 0, 0, 0, 3])],
    ['a length beyond 1 GB', Buffer.from([0x64, 0x7f, 0xff, 0xff, 0xff])],
    ['CopyData of an unknown kind', message('d', Buffer.from('x'))],
    ['a keepalive of the wrong size', message('d', Buffer.from('k123'))],
    ['WAL data without its header', message('d', Buffer.from('w123'))],
  ])('refuses %s', (_name, bytes) => {
    expect(() => createFrameReader(collect().handler).push(bytes)).toThrow(/WIRE_BAD_FRAME/)
  })
})

describe('encoders', () => {
  it('writes a status update: written, flushed and applied positions, and the clock in PostgreSQL time', () => {
    const [written, flushed] = [parseLsn('16/B374D850'), parseLsn('16/B374D848')]
    const update = encodeStatusUpdate(written, flushed, Date.UTC(2000, 0, 1, 0, 0, 1))
    expect(update.toString('hex')).toBe(
      [
        ...['64', '00000026', '72', '00000016b374d850', ...Array(2).fill('00000016b374d848')],
        ...['00000000000f4240', '00'],
      ].join(''),
    )
  })

  it('writes the highest LSN there is', () => {
    expect(encodeStatusUpdate(toLsn(2n ** 64n - 1n), LSN_ZERO, 0).toString('hex', 6, 14)).toBe(
      'ffffffffffffffff',
    )
  })

  it('writes a simple query as UTF-8 with its length and a zero byte', () => {
    expect(encodeQuery('é').toString('hex')).toBe('5100000007c3a900')
  })
})
