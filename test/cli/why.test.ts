/** `rowcast why` where there is no explanation: what the service says, and what to do. */
import { buildSchema, GraphQLError } from 'graphql'
import { expect, test } from 'vitest'
import { configuredServiceUrl } from '../../src/cli/service-address.ts'
import { status } from '../../src/cli/status.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { why } from '../../src/cli/why.ts'
import { graphqlError } from '../../src/graphql/graphql-errors.ts'
import { startServer } from '../server/server-fixture.ts'

/** The answer of a service whose `whyNot` fails. */
function failing(error: unknown) {
  const schema = buildSchema(`
    scalar Cursor
    scalar JSON
    type Step { stage: String! isPassed: Boolean text: String! }
    type Explanation { isWanted: Boolean reason: String steps: [Step!]! }
    type Query { whyNot(cursor: Cursor!, subscription: String!, variables: JSON): Explanation! }
  `)
  const field = schema.getQueryType()?.getFields()['whyNot']
  if (field !== undefined) {
    field.resolve = () => {
      throw error
    }
  }
  return schema
}

function ask(url: string) {
  const terminal = createTerminal({ isTTY: false, write: () => undefined }, {})
  const place = { terminal, env: {}, folder: import.meta.dirname }
  return why({ cursor: '01', subscription: 'subscription { ticks }', url }, place)
}

test.each([
  [
    'a hint',
    graphqlError('GRAPHQL_BAD_ARGUMENT', 'cursor is of no change.', { hint: 'Give one.' }),
    'cursor is of no change.',
    'Give one.',
  ],
  ['no hint', new GraphQLError('Said on purpose.'), 'Said on purpose.', expect.any(String)],
])('an error with %s', async (_what, error, happened, hint) => {
  const { url } = await startServer({ schema: failing(error) })
  await expect(ask(url)).rejects.toMatchObject({ code: 'CLI_NO_ANSWER', happened, hint })
})

test('a service without `debug`', async () => {
  const { url } = await startServer()
  await expect(ask(url)).rejects.toMatchObject({
    ...{ code: 'CLI_NO_ANSWER', happened: 'The service does not explain why.' },
    hint: expect.stringContaining('canExplain'),
  })
})

test('nothing at the address', async () => {
  await expect(ask('http://127.0.0.1:1')).rejects.toMatchObject({
    happened: 'Nothing answers at http://127.0.0.1:1.',
  })
})

test.each(['127.0.0.1:4000', 'localhost:4000', 'ws://127.0.0.1:4000', ''])('--url %j', async (url) => {
  const refused = { code: 'CLI_BAD_OPTION', hint: expect.stringContaining('http://') }
  await expect(ask(url)).rejects.toMatchObject(refused)
  const terminal = createTerminal({ isTTY: false, write: () => undefined }, {})
  await expect(status({ url }, { terminal, env: {}, folder: import.meta.dirname })).rejects.toMatchObject(
    refused,
  )
})

test.each([
  ['::1', 'http://[::1]:4000'],
  ['::', 'http://127.0.0.1:4000'],
  ['0.0.0.0', 'http://127.0.0.1:4000'],
  ['localhost', 'http://localhost:4000'],
])('where a service that listens on %s is', (host, url) => {
  expect(configuredServiceUrl({ host, port: 4000 })).toBe(url)
  expect(URL.canParse(url)).toBe(true)
})
