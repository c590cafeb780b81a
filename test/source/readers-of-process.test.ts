/** Two readers of one slot in one process: a module that was loaded again. */
import { expect, test } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import type { Logger } from '../../src/logger.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { countReader } from '../../src/source/session/readers-of-process.ts'

function collectWarnings(): { readonly warnings: string[]; readonly logger: Logger } {
  const warnings: string[] = []
  const logger = { debug() {}, info() {}, error() {}, warn: (text: string) => void warnings.push(text) }
  return { warnings, logger }
}

test('the second of one slot is warned of, and no other', () => {
  const { warnings, logger } = collectWarnings()
  const place = { host: 'db', port: 5432, database: 'app', slot: 'rowcast' }
  const release = countReader(place, logger)
  countReader({ ...place, slot: 'other' }, logger)()
  countReader({ ...place, database: 'staging' }, logger)()
  expect(warnings).toEqual([])
  countReader(place, logger)()
  expect(warnings).toHaveLength(1)
  release()
  release()
  countReader(place, logger)()
  expect(warnings).toHaveLength(1)
})

test('a rowcast that starts beside another says so; after that one has stopped, or is started again, nobody does', async () => {
  const { warnings, logger } = collectWarnings()
  const start = () => {
    const connectionString = 'postgresql://ada@127.0.0.1:1/twice'
    const rowcast = createRowcast({ connectionString, catalog, logger, slot: 'read_twice' }).register('Tag')
    rowcast.start()
    return rowcast
  }
  const twice = () => warnings.filter((text) => text.includes('reads slot "read_twice" already'))
  const first = start()
  first.start()
  expect(twice()).toEqual([])
  const second = start()
  expect(twice()).toHaveLength(1)
  await Promise.all([first.stop(), second.stop()])
  await start().stop()
  expect(twice()).toHaveLength(1)
})
