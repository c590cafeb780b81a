/** What `rowcast dev` prints: aligned, coloured on a terminal only, and with a subscription that is valid. */
import { parse, validate } from 'graphql'
import { describe, expect, test } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import type { FieldSpec, ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { existingDatabase } from '../../src/cli/dev-database.ts'
import { exampleSubscription } from '../../src/cli/example-subscription.ts'
import { type Greeting, printGreeting } from '../../src/cli/greeting.ts'
import { createTerminalLogger } from '../../src/cli/loggers.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { RowcastError } from '../../src/errors.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'

const ESCAPE = '\u001b['
const greeting: Greeting = {
  url: 'http://127.0.0.1:4000',
  isGraphiqlEnabled: true,
  isLivePageEnabled: true,
  databaseUrl: 'postgresql://postgres@127.0.0.1:5432/app',
  databaseNote: 'DATABASE_URL',
  models: ['User', 'Post'],
  subscription: 'subscription {\n  userChanged { action }\n}',
  exampleSql: "INSERT INTO users (email) VALUES ('new@example.com')",
  obstacle: null,
}

function record(isTTY: boolean, env: Record<string, string> = {}) {
  let text = ''
  const terminal = createTerminal({ isTTY, write: (added) => (text += added) }, env)
  return { terminal, text: () => text }
}

test('the greeting, as a pipe sees it', () => {
  const { terminal, text } = record(false)
  printGreeting(terminal, greeting)
  expect(text()).toBe(`
  Live page   http://127.0.0.1:4000                     in a browser
  GraphiQL    http://127.0.0.1:4000/graphql             in a browser
  WebSocket   ws://127.0.0.1:4000/graphql               graphql-transport-ws
  SSE         http://127.0.0.1:4000/graphql             Accept: text/event-stream
  PostgreSQL  postgresql://postgres@127.0.0.1:5432/app  DATABASE_URL
  Live models User, Post

  Subscribe:

    subscription {
      userChanged { action }
    }

  Then change a row:

    INSERT INTO users (email) VALUES ('new@example.com')

`)
})

test('it says what is in the way', () => {
  const { terminal, text } = record(false)
  const { message } = new RowcastError('SOURCE_TABLE_MISSING', 'Table users is missing.')
  printGreeting(terminal, {
    ...{ ...greeting, isGraphiqlEnabled: false, isLivePageEnabled: false },
    obstacle: message,
  })
  expect(text()).toContain(
    'Not live yet: [SOURCE_TABLE_MISSING] Table users is missing. Hint: Run `prisma migrate deploy`',
  )
  expect(text()).not.toMatch(/GraphiQL|Live page/)
})

describe('colour', () => {
  test.each([
    ['on a terminal', true, {}, true],
    ['not in a pipe', false, {}, false],
    ['not with NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['with an empty NO_COLOR', true, { NO_COLOR: '' }, true],
    ['not on a dumb terminal', true, { TERM: 'dumb' }, false],
  ])('%s', (_name, isTTY, env, isColored) => {
    const { terminal, text } = record(isTTY, env as Record<string, string>)
    printGreeting(terminal, greeting)
    expect(text().includes(ESCAPE)).toBe(isColored)
  })
})

test('the log shows warnings and errors, and the rest when verbose', () => {
  const quiet = record(false)
  const verbose = record(false)
  for (const [{ terminal }, isVerbose] of [
    [quiet, false],
    [verbose, true],
  ] as const) {
    const logger = createTerminalLogger(terminal, isVerbose)
    logger.info('Streaming changes.', { slot: 'rowcast', note: undefined })
    logger.warn('Lost.', { failures: 1 })
  }
  expect(quiet.text()).toBe('warn  Lost. failures=1\n')
  expect(verbose.text()).toBe('info  Streaming changes. slot=rowcast\nwarn  Lost. failures=1\n')
})

describe('the example subscription', () => {
  const feed = {
    catalog,
    isRegistered: () => true,
    subscribeDeliveries: () => {
      throw new Error('not here')
    },
    changeCursor: () => Promise.reject(new Error('not here')),
    whenVisible: () => Promise.reject(new Error('not here')),
    hasOldImages: () => true,
  }
  const prisma = { async $connect() {} }

  test.each(Object.keys(catalog.models))('for %s is valid', (model) => {
    const models = { [model]: {} }
    const schema = buildServiceSchema({ catalog, prisma, feed, models })
    const text = exampleSubscription(catalog, models)
    expect(validate(schema, parse(text))).toEqual([])
  })

  test('prefers User, and leaves omitted fields out', () => {
    const text = exampleSubscription(catalog, { Post: {}, User: { omit: ['email'] } })
    expect(text).toContain('userChanged')
    expect(text).not.toMatch(/email|passwordHash/)
  })

  test('leaves out what looks like a secret, as the schema does', () => {
    const [id, ...others] = catalog.models.User.fields
    const fields = [id, { ...others[0], name: 'apiToken', column: 'apiToken' }, ...others] as FieldSpec[]
    const more: ModelCatalog = {
      ...catalog,
      models: { ...catalog.models, User: { ...catalog.models.User, fields } },
    }
    const schema = buildServiceSchema({
      catalog: more,
      prisma,
      feed: { ...feed, catalog: more },
      models: { User: {} },
    })
    expect(validate(schema, parse(exampleSubscription(more, { User: {} })))).toEqual([])
  })
})

test('names all servers of an address, without its password', () => {
  const { shownUrl } = existingDatabase('postgresql://ada:hunter2@one,[::1]:5433/app')
  expect(shownUrl).toBe('postgresql://ada@one:5432,[::1]:5433/app')
})
