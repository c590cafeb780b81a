/** A change that cannot be delivered ends its subscription with a code and the cursor behind it: going on there meets it no more. */
import { describe, expect, test, vi } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { startServer } from '../server/server-fixture.ts'
import { type Answer, STREAM_TRANSPORTS, type Stream } from './transports.ts'

const ALL = 'subscription ($after: Cursor) { userChanged(after: $after) { new { email settings } } }'
const NAMES = 'subscription { userChanged { new { email } } }'
const LIMIT = 10_000

const POISON: Readonly<Record<string, readonly [code: string, settings: () => unknown]>> = {
  'longer than a result may be': ['PAYLOAD_TOO_LARGE', () => 'x'.repeat(2 * LIMIT)],
  'longer in UTF-8 than a result may be': ['PAYLOAD_TOO_LARGE', () => '€'.repeat(LIMIT / 2)],
  'no JSON at all': [
    'CHANGE_UNDELIVERABLE',
    () => ({
      toJSON() {
        throw new Error('password=hunter2')
      },
    }),
  ],
  'a BigInt': ['CHANGE_UNDELIVERABLE', () => ({ value: 1n })],
}

/** The first failure of a stream, as its last result or as its end. */
async function failureOf(stream: Stream): Promise<Answer> {
  for (;;) {
    const answer = await stream.next()
    if (answer.errors.length > 0) return answer
  }
}

describe.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'over %s',
  (_, transport) => {
    test.each(Object.entries(POISON))('a value that is %s', async (_name, [code, settings]) => {
      const feed = createFakeFeed(catalog, ['User'])
      feed.open()
      const schema = buildServiceSchema({
        ...{ catalog, prisma: createRecordingPrisma(), feed },
        models: { User: {} },
      })
      const { url, logged } = await startServer({ schema, limits: { payloadBytesMax: LIMIT } })
      const [first, second, beside] = [
        await transport.open(url, ALL),
        await transport.open(url, ALL),
        await transport.open(url, NAMES),
      ]
      await vi.waitUntil(() => feed.requests.length === 3, { timeout: 30_000 })
      feed.commit(
        { action: 'INSERT', new: { email: 'before@example.com', settings: {} } },
        { action: 'INSERT', new: { email: 'poison@example.com', settings: settings() } },
        { action: 'INSERT', new: { email: 'after@example.com', settings: {} } },
      )
      const failures = [await failureOf(first), await failureOf(second)]
      for (const { errors } of failures) {
        expect(errors.map(({ extensions }) => extensions?.['code'])).toEqual([code])
      }
      const cursors = failures.map(({ errors }) => errors[0]?.extensions?.['cursor'])
      expect(cursors[0]).toBe(cursors[1])
      const resumed = await transport.open(url, ALL, { variables: { after: cursors[0] } })
      expect((await resumed.next()).data).toEqual({
        userChanged: { new: { email: 'after@example.com', settings: {} } },
      })
      const seen = [await beside.next(), await beside.next(), await beside.next()]
      expect(seen.map(({ errors }) => errors)).toEqual([[], [], []])
      expect(JSON.stringify([failures, logged])).not.toContain('hunter2')
      if (code === 'CHANGE_UNDELIVERABLE') {
        const id = String(failures[0]?.errors[0]?.extensions?.['id'])
        expect(logged.filter((line) => line.includes(id))).toHaveLength(1)
      }
      for (const stream of [first, second, beside, resumed]) await stream.leave()
    })
  },
)
