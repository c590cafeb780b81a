/** What no log may hold, whatever a driver or a server puts into the text of an error. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createTerminalLogger, readLogLevel } from '../../src/cli/loggers.ts'
import { redactText } from '../../src/redact-log.ts'

const SECRET = 'S3cr3t/p@ss-91'

describe('a log line', () => {
  it.each([
    `connect postgresql://ada:${SECRET}@db.example.com:5432/app failed`,
    `REDIS_URL is redis://:${SECRET}@cache:6379`,
    `{"url":"postgres://ada:${SECRET}@db/app"}`,
    `host=db user=ada password=${SECRET} dbname=app`,
    `"password": "${SECRET}", "user": "ada"`,
    `PASSWORD='${SECRET}'`,
    `GET /graphql authorization: Bearer ${SECRET}`,
    `headers { Cookie: session=${SECRET}; theme=dark }`,
    `set-cookie: session=${SECRET}`,
    `the token Bearer ${SECRET} is expired`,
    `api_key=${SECRET}&page=2`,
    `duplicate key value violates unique constraint: Key (email)=(${SECRET}) already exists.`,
    `Failing row contains (1, ${SECRET}, null).`,
    `Failing row contains (1, two\nlines ${SECRET}, null).`,
    `Failing row contains (1, cut off ${SECRET}`,
    `Key (lower(email))=(${SECRET}) already exists.`,
    `"password": "a\\"b ${SECRET}", "user": "ada"`,
    `password="cut off ${SECRET}`,
    `db_password=${SECRET} DB_PASSWORD: ${SECRET}`,
    `GET https://ada:S3cr3t@example.com/@scope/x failed`,
    `profile://ada:${SECRET}@db/app`,
    `first http://x and then postgresql://ada:${SECRET}@db and redis://:${SECRET}@cache`,
  ])('has no secret: %s', (text) => {
    const redacted = redactText(text)
    for (const piece of [SECRET, 'S3cr3t', 'p@ss', 'ss-91']) expect(redacted).not.toContain(piece)
    expect(redacted).toContain('[redacted]')
  })

  it.each([
    'Streaming changes.',
    'Slot "rowcast" holds 12 bytes of WAL: http://127.0.0.1:4000/graphql',
    'Set DATABASE_URL to postgresql://USER:PASSWORD@HOST:5432/DATABASE, special characters percent-encoded.',
    'Check user and password in REDIS_URL, and that the user may use streams.',
    'PostgreSQL does not let this user in: 28P01.',
    'Cannot find file:///app/node_modules/@pothos/core/esm/index.js',
    'at resolve (file:///srv/@scope/app/src/schema.ts:3:5) node:internal/modules/@x',
    'GET https://registry.npmjs.org/@pothos/core and https://unpkg.com/@pothos/core@4.0.0/x',
    'Send the credentials the server asks for: a header, or connectionParams over WebSocket.',
  ])('keeps what is none: %s', (text) => {
    expect(redactText(text)).toBe(text)
  })
})

describe('the loggers of the program', () => {
  it('have a level that there is', () => {
    const levels = [undefined, '', 'debug', 'ERROR', 'trace', 'silent'].map(readLogLevel)
    expect(levels).toEqual(['info', 'info', 'debug', 'error', 'trace', 'silent'])
    for (const level of ['loud', 'info ', '30', '__proto__', '\u001b[31m\n'])
      expect(() => readLogLevel(level)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  it('words on a terminal', () => {
    const printed: string[] = []
    const terminal = {
      print: (...lines: readonly string[]) => void printed.push(...lines),
      style: (_: string, text: string) => text,
      backlog: () => null,
    }
    const logger = createTerminalLogger(terminal, true)
    for (const level of ['debug', 'info', 'warn', 'error'] as const) {
      logger[level](`failed at postgresql://a:${SECRET}@b`, {
        cookie: SECRET,
        detail: `password=${SECRET}`,
        count: 7,
      })
    }
    expect(printed).toHaveLength(4)
    expect(printed.join()).not.toContain('S3cr3t')
    expect(printed[3]).toContain('cookie=[redacted]')
    expect(printed[3]).toContain('count=7')
  })

  it('JSON for machines', async () => {
    const root = join(import.meta.dirname, '..', '..')
    const script = `
      import { createJsonLogger } from './src/cli/loggers.ts'
      createJsonLogger('debug').error('failed at postgresql://a:${SECRET}@b', { authorization: '${SECRET}', slot: 'row\\u009b2J\\u202ecast' })`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script],
      { cwd: root, env: { ...process.env, NODE_OPTIONS: '' } },
    )
    expect(stdout).not.toContain('S3cr3t')
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ level: 50, msg: 'failed at postgresql://[redacted]@b' },
      ...{ authorization: '[redacted]', slot: 'row\u009b2J\u202ecast' },
    })
    // JSON leaves these as they are; a terminal that shows the log would obey them.
    expect(stdout).toMatch(/^[ -~]+\n$/)
  })
})
