/** What the library says where the application gave it no logger. */
import { expect, test, vi } from 'vitest'
import { catalog } from '../prisma/generated/rowcast.ts'
import { createConsoleLogger } from '../src/console-logger.ts'
import { createRowcast } from '../src/rowcast.ts'

function fakeConsole() {
  const lines: string[] = []
  const out = {
    warn: (line: string) => void lines.push(`warn ${line}`),
    error: (line: string) => void lines.push(`error ${line}`),
  }
  return { lines, out }
}

test('warnings and errors, a line each, without secrets; nothing else', () => {
  const { lines, out } = fakeConsole()
  const logger = createConsoleLogger(out)
  logger.debug('a')
  logger.info('b')
  logger.warn('Process 7 reads the slot.', { slot: 'rowcast\nx', code: undefined })
  logger.error('No answer of postgresql://ada:secret@db/app.')
  expect(lines).toEqual([
    'warn rowcast: Process 7 reads the slot. slot=rowcast\\nx',
    'error rowcast: No answer of postgresql://[redacted]@db/app.',
  ])
})

test('a rowcast without a logger says why no changes come', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const error = vi.spyOn(console, 'error').mockImplementation(() => {})
  try {
    const rowcast = createRowcast({ connectionString: 'postgresql://ada:secret@127.0.0.1:1/none', catalog })
    rowcast.register('Tag').start()
    await vi.waitFor(() => expect([...warn.mock.calls, ...error.mock.calls].join()).toContain('rowcast: ['))
    await rowcast.stop()
  } finally {
    vi.restoreAllMocks()
  }
})
