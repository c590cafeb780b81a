/** A stream of results over HTTP as what it holds for a client that does not take it: nothing of its own. */
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { ExecutionResult, GraphQLError } from 'graphql'
import { expect, test, vi } from 'vitest'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { ResultText } from '../../src/server/delivery/result-text.ts'
import { RESULT_TEXT, type TextResult } from '../../src/server/delivery/subscription-results.ts'
import { openResultStream } from '../../src/server/http/open-result-stream.ts'
import type { StreamFormat } from '../../src/server/http/result-stream-format.ts'
import { MULTIPART } from '../../src/server/multipart/multipart-format.ts'
import { EVENT_STREAM } from '../../src/server/sse/event-stream-format.ts'

const guard = createGuard(silentLogger)
const LONG = JSON.stringify({ data: { text: 'ü'.repeat(20_000) } })

/** A stream of these results, read piece by piece. */
function open(results: readonly TextResult[], format: StreamFormat, response?: FakeResponse) {
  let asked = 0
  async function* iterate(): AsyncGenerator<ExecutionResult> {
    for (const result of results) {
      asked += 1
      yield result
    }
  }
  const options = {
    ...{ payloadBytesMax: 1_000_000, pingIntervalMs: 5, guard },
    mask: (error: unknown) => error as GraphQLError,
    response: response as unknown as ServerResponse | undefined,
  }
  const { body } = openResultStream(iterate(), globalThis as never, format, options)
  const reader = (body as ReadableStream<Uint8Array>).getReader()
  return {
    read: async () => (await reader.read()).value ?? null,
    asked: () => asked,
    leave: () => reader.cancel(),
  }
}

class FakeResponse extends EventEmitter {
  writableNeedDrain = false
  closed = false
}

/** What a client reads of all of it. */
async function readAll({ read }: ReturnType<typeof open>): Promise<string> {
  const pieces: Uint8Array[] = []
  for (let piece = await read(); piece !== null; piece = await read()) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

test.each([EVENT_STREAM, MULTIPART])(
  '$kind: the bytes of a long result are those of all streams',
  async (format) => {
    const made = new ResultText(LONG, null)
    const streams = [1, 2].map(() => open([{ [RESULT_TEXT]: made }], format))
    for (const { read } of streams) {
      let piece = await read()
      while (piece !== null && piece.buffer !== made.tail.buffer) piece = await read()
      expect(piece, 'no piece of the shared bytes').not.toBeNull()
      expect(Buffer.from(piece ?? []).toString()).toBe(LONG)
    }
  },
)

test.each([EVENT_STREAM, MULTIPART])(
  '$kind: in pieces or in one, a client reads the same, and no heartbeat within',
  async (format) => {
    const results = [LONG, '{"data":{}}', LONG].map((text) => ({ [RESULT_TEXT]: new ResultText(text, null) }))
    const text = await readAll(open(results, format))
    const heads = text.split(LONG)
    expect(heads).toHaveLength(3)
    for (const head of heads.slice(0, 2)) expect(head).toMatch(/(?:event: next\ndata: |\{"payload":)$/)
    for (const tail of heads.slice(1)) expect(tail).toMatch(/^(?:\n\n|\}\r\n--)/)
  },
)

test('nothing is made for a client that has not taken what it was sent, and it goes on once it has', async () => {
  const response = new FakeResponse()
  response.writableNeedDrain = true
  const results = ['{"data":{"n":1}}', '{"data":{"n":2}}'].map((text) => ({
    [RESULT_TEXT]: new ResultText(text, null),
  }))
  const stream = open(results, EVENT_STREAM, response)
  expect(String(Buffer.from((await stream.read()) ?? []))).toBe(':\n\n')
  await vi.waitUntil(() => response.listenerCount('drain') === 1)
  expect(stream.asked()).toBe(0)
  response.writableNeedDrain = false
  response.emit('drain')
  expect(await readAll(stream)).toMatch(/"n":1.*"n":2.*event: complete/s)
  expect(response.listenerCount('drain') + response.listenerCount('close')).toBe(0)
})

test('a client that leaves instead ends the stream', async () => {
  const response = new FakeResponse()
  response.writableNeedDrain = true
  const stream = open([{ [RESULT_TEXT]: new ResultText('{"data":{}}', null) }], EVENT_STREAM, response)
  await stream.read()
  await vi.waitUntil(() => response.listenerCount('close') === 1)
  response.closed = true
  response.emit('close')
  expect(response.listenerCount('drain') + response.listenerCount('close')).toBe(0)
  await stream.leave()
})

test('what the last result was of is not held until the end: errors are', async () => {
  const ends: object[] = []
  const format: StreamFormat = {
    ...EVENT_STREAM,
    createWriter: () => ({ ...EVENT_STREAM.createWriter(), end: (last) => String(ends.push(last)) }),
  }
  await readAll(open([{ data: { large: 1 }, [RESULT_TEXT]: new ResultText('{"data":{}}', null) }], format))
  expect(ends).toEqual([{}])
})
