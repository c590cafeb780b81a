/** What resolvers of a row throw is theirs: a client sees a sentence and an id, on every transport, whatever was thrown, and at whatever field. */
import { buildSchema, isObjectType } from 'graphql'
import { expect, test, vi } from 'vitest'
import { addChanges } from '../../src/graphql/kit/schema-kit.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { startServer } from '../server/server-fixture.ts'
import { STREAM_TRANSPORTS } from './transports.ts'

const INSIDES = 'password=hunter2 in /srv/app/src/rows.ts:1: SELECT secret FROM users'
const SEEN = /hunter2|\/srv|rows\.ts|SELECT|secret|P2010|\n\s+at /

class DatabaseError extends Error {
  readonly code = 'P2010'
  readonly meta = { query: INSIDES }
  readonly extensions = { code: INSIDES, query: INSIDES, http: { headers: { 'x-query': INSIDES } } }
}

/** What is thrown. */
const THROWN: Readonly<Record<string, () => unknown>> = {
  'an error': () => new Error(INSIDES),
  'an error with more': () => new DatabaseError(INSIDES),
  'an error with a cause': () => new Error('outer secret', { cause: new Error(INSIDES) }),
  'several errors': () => new AggregateError([new Error(INSIDES)], INSIDES),
  'a text': () => INSIDES,
  'an object': () => ({ message: INSIDES, stack: INSIDES, extensions: { query: INSIDES } }),
  'what becomes JSON of its own': () => Object.assign(new Error('x'), { toJSON: () => INSIDES }),
  'a name with all of it': () => Object.assign(new Error('x'), { name: INSIDES }),
  nothing: () => undefined,
}

const SDL = `
  type Query { hello: String }
  type User { id: ID! email: String now: String later: String sure: String! labels: [Label] }
  type Label { text: String }
`
const SELECTED = '{ email now later labels { text } }'

async function serve(thrown: () => unknown) {
  const feed = createFakeFeed(blogCatalog, ['User'])
  const own = buildSchema(SDL)
  const fail = (): never => {
    throw thrown()
  }
  const resolvers = { now: fail, later: async () => fail(), sure: fail, labels: () => [{}, null], text: fail }
  for (const name of ['User', 'Label']) {
    const type = own.getType(name)
    if (!isObjectType(type)) throw new Error(name)
    for (const [field, resolve] of Object.entries(resolvers)) {
      const defined = type.getFields()[field]
      if (defined !== undefined) defined.resolve = resolve
    }
  }
  const schema = addChanges(own, feed, { models: { User: { type: 'User' } } })
  return { ...(await startServer({ schema })), feed }
}

test.each(Object.entries(THROWN))('%s', async (_, thrown) => {
  const { url, feed, logged } = await serve(thrown)
  const whole = `subscription { userChanged { old ${SELECTED} new ${SELECTED} } }`
  const streams = await Promise.all(
    STREAM_TRANSPORTS.flatMap(({ open }) => [
      open(url, whole),
      open(url, 'subscription { userChanged { new { email sure } } }'),
    ]),
  )
  await vi.waitUntil(() => feed.requests.length === streams.length, 30_000)
  const row = { id: 'a', email: 'ada@x' }
  feed.commit({ action: 'UPDATE', old: row, new: { ...row, email: 'new@x' }, changed: ['email'] })
  for (const stream of streams) {
    const { errors } = await stream.next()
    expect(errors.length).toBeGreaterThan(0)
    for (const error of errors) {
      const id = error.extensions?.['id']
      expect(error).toMatchObject({ message: `Unexpected error. The server's log has it as ${id}.` })
      expect(Object.keys(error.extensions ?? {}).filter((name) => name !== 'cursor')).toEqual(['code', 'id'])
      expect(JSON.stringify(error)).not.toMatch(SEEN)
      expect(logged.some((line) => line.includes(String(id)))).toBe(true)
    }
    await stream.leave()
  }
  expect(logged.join()).not.toMatch(/hunter2|SELECT/)
})
