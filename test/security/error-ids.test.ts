/** What is hidden from a client stands in the log under the id that the client was given. */
import { describe, expect, test } from 'vitest'
import { openRawSocket } from './raw-socket.ts'
import { STREAM_TRANSPORTS, startProbe, TRANSPORTS } from './transports.ts'

interface LogLine {
  readonly level: string
  readonly errorId?: string
}

const linesOf = (logged: readonly string[]): LogLine[] => logged.map((line) => JSON.parse(line) as LogLine)

describe.each(TRANSPORTS)('over $name', ({ ask }) => {
  test('a failing resolver: one line, one id, nothing of what it was about', async () => {
    const { url, logged } = await startProbe()
    const { errors } = await ask(url, '{ fails }')
    const id = String(errors[0]?.extensions?.['id'])
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(errors).toEqual([
      {
        message: `Unexpected error. The server's log has it as ${id}.`,
        path: ['fails'],
        locations: [{ line: 1, column: 3 }],
        extensions: { code: 'INTERNAL_SERVER_ERROR', id },
      },
    ])
    const lines = linesOf(logged).filter(({ level }) => level === 'error')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({
      errorId: id,
      error: 'Error',
      at: expect.stringContaining('probe-schema'),
    })
    // Its message holds a line that looks like a stack frame.
    expect(logged.join()).not.toMatch(/hunter2|secret-row/)
  })
})

describe.each(STREAM_TRANSPORTS)('a subscription over $name', ({ open }) => {
  test('whose source fails: one line, one id', async () => {
    const { url, logged, source } = await startProbe()
    const ticks = await open(url, 'subscription { ticks }')
    source.fail(new Error('password=hunter2'))
    const { errors } = await ticks.next()
    const id = errors[0]?.extensions?.['id']
    expect(linesOf(logged).filter(({ errorId }) => errorId === id)).toHaveLength(1)
    expect(JSON.stringify([errors, logged])).not.toContain('hunter2')
  })
})

test('a close reason is cut to what a close frame holds, whatever the client put into it', async () => {
  const { url, logged } = await startProbe()
  const { send, ended } = await openRawSocket(url)
  const id = 'ä'.repeat(1_000)
  send({ id, type: 'subscribe', payload: { query: 'subscription { ticks }' } })
  send({ id, type: 'subscribe', payload: { query: 'subscription { ticks }' } })
  const { code, reason } = await ended
  expect(code).toBe(4409)
  expect(reason).toMatch(/^Subscriber for ä+$/)
  expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123)
  expect(logged).toEqual([])
})
