/** Who sees whose change it was, through the service. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isMetadataExposure, MetadataView } from '../../src/graphql/policy/metadata-view.ts'
import { PolicyCalls } from '../../src/graphql/policy/policy-calls.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { plainTransaction } from '../support/plain-change.ts'
import { createWsClient } from '../support/ws-client.ts'

let database: TestDatabase
let running: RunningService

const SEEN: Readonly<Record<string, unknown>> = { staff: 'all', ann: ['mutationId'], nobody: [], odd: 'some' }

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  running = await openService(database, {
    context: (source) => ({
      context: { viewer: source.kind === 'websocket' ? source.connectionParams['viewer'] : null },
    }),
    config: {
      models: { Tag: {} },
      public: true,
      showMetadata: {
        shape: { actor: 'String', mutationId: 'ID', tries: 'Int', more: 'JSON' },
        fields(context) {
          const viewer = String(Reflect.get(context, 'viewer'))
          if (viewer === 'thrown') throw new Error('no')
          return SEEN[viewer] as never
        },
      },
    },
  })
  await running.service.rowcast.ready()
})
afterAll(async () => {
  await running[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const DOCUMENT = `subscription ($after: Cursor) {
  tagChanged(after: $after) { transaction { xid metadata { actor mutationId tries more } } }
}`

describe('metadata in GraphQL', () => {
  it('shows each viewer what the policy says, though all ask for the same', async () => {
    const after = await running.service.rowcast.changeCursor()
    const said = JSON.stringify({ actor: 'ann', mutationId: 7, tries: 1.5, more: { a: [1] }, secret: 'x' })
    await database.query(
      `BEGIN; SELECT pg_logical_emit_message(true, 'rowcast.metadata', '${said}'); INSERT INTO "Tag" (name) VALUES ('a'); COMMIT`,
    )
    await database.query(`INSERT INTO "Tag" (name) VALUES ('b')`)
    const shown: Record<string, unknown> = {}
    for (const viewer of ['staff', 'ann', 'nobody', 'ann']) {
      const subscription = createWsClient(running.url, { viewer }).subscribe(DOCUMENT, { after })
      const events = [await subscription.nextData(), await subscription.nextData()]
      shown[viewer] = events.map((data) => (data as never as Data).tagChanged.transaction.metadata)
    }
    expect(shown).toEqual({
      staff: [{ actor: 'ann', mutationId: '7', tries: null, more: { a: [1] } }, null],
      ann: [{ actor: null, mutationId: '7', tries: null, more: null }, null],
      nobody: [null, null],
    })
  })

  it.each(['odd', 'thrown', 'unknown'])('is refused where the policy fails: %s', async (viewer) => {
    const subscription = createWsClient(running.url, { viewer }).subscribe(DOCUMENT)
    await expect(subscription.nextData()).rejects.toThrow()
  })

  it('is null for a context that nobody asked the policy about', () => {
    const view = new MetadataView({ fields: () => 'all' }, new PolicyCalls())
    expect(view.show({}, plainTransaction(1, { metadata: { actor: 'ann' } }))).toBeNull()
  })
})

interface Data {
  readonly tagChanged: { readonly transaction: { readonly metadata: unknown } }
}

describe('what is declared', () => {
  it('has names of GraphQL, and types that there are', () => {
    const fields = () => 'all'
    const good = [{ fields }, { fields, shape: { a: 'JSON', _b1: 'ID' } }]
    const bad = [
      null,
      {},
      { shape: {} },
      ...[{}, { 'a b': 'ID' }, { __a: 'ID' }, { a: 'Text' }, 7].map((shape) => ({ fields, shape })),
    ]
    expect(good.map(isMetadataExposure)).toEqual([true, true])
    expect(bad.map(isMetadataExposure)).toEqual(bad.map(() => false))
  })
})
