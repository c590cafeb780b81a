/**
 * Pothos' Relay plugin beside rowcast's, and Relay's own store: nodes, connections, and changes whose `edge`, `deletedId` and
 * `leftId` Relay's directives take as they come, without a line of code of the application's.
 */
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import RelayPlugin from '@pothos/plugin-relay'
import { type ExecutionResult, type GraphQLSchema, graphql, parse, subscribe } from 'graphql'
import {
  ConnectionHandler,
  createOperationDescriptor,
  Environment,
  Network,
  Observable,
  RecordSource,
  Store,
} from 'relay-runtime'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type PrismaTypes from '../../prisma/generated/pothos.ts'
import { getDatamodel } from '../../prisma/generated/pothos.ts'
import { RowcastPlugin } from '../../src/graphql/plugin/rowcast-plugin.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { type LiveRowcast, openLiveRowcast } from '../support/live-rowcast.ts'
import { relayRequest, relayText } from '../support/relay-artifact.ts'

const LIST = '{ tags { edges { cursor node { id name color } } pageInfo { endCursor hasNextPage } } }'
const CHANGES = `subscription Changes {
  tagChanged(where: { color: { not: { equals: "#gone00" } } }) {
    __typename action transition leftId deletedId edge { cursor node { id name color } } new { id name color }
  }
}`

function relaySchema({ rowcast, prisma }: LiveRowcast): GraphQLSchema {
  const builder = new SchemaBuilder<{ PrismaTypes: PrismaTypes }>({
    plugins: [PrismaPlugin, RelayPlugin, RowcastPlugin],
    prisma: { client: prisma, dmmf: getDatamodel() },
    relay: {},
    rowcast: { feed: rowcast },
  })
  builder.prismaNode('Tag', {
    id: { field: 'id' },
    fields: (t) => ({ name: t.exposeString('name'), color: t.exposeString('color', { nullable: true }) }),
  })
  builder.prismaNode('Membership', {
    id: { field: 'userId_teamId' },
    fields: (t) => ({ isOwner: t.exposeBoolean('isOwner') }),
  })
  builder.queryType({
    fields: (t) => ({
      tags: t.prismaConnection({
        ...{ type: 'Tag', cursor: 'id', defaultSize: 1_000, maxSize: 1_000 },
        resolve: (query) => prisma.tag.findMany(query),
      }),
    }),
  })
  builder.changeSubscription('Tag')
  builder.interfaceField(builder.changeSubscription('Membership'), 'edge', (t) =>
    t.string({ nullable: true, resolve: () => 'ours' }),
  )
  return builder.toSchema()
}

let database: TestDatabase
let live: LiveRowcast
let schema: GraphQLSchema
beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  live = await openLiveRowcast(database, { models: ['Tag', 'Membership'] })
  schema = relaySchema(live)
})
afterAll(async () => {
  await live?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

async function open(source: string): Promise<AsyncGenerator<ExecutionResult>> {
  const results = await subscribe({ schema, document: parse(source), contextValue: {} })
  if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results))
  return results
}

const ask = async (source: string) =>
  JSON.parse(JSON.stringify(await graphql({ schema, source, contextValue: {} })))

/** A store with the list in it, and what relay-compiler makes of `@connection` and of the directives on the fields of a change. */
async function followByRelay() {
  const environment = new Environment({
    store: new Store(new RecordSource()),
    network: Network.create(() => Observable.create(() => undefined)),
  })
  const query = relayRequest(schema, `query List ${LIST}`)
  addHandles(
    query.operation.selections as object[],
    ['tags'],
    [{ kind: 'LinkedHandle', handle: 'connection', key: 'List_tags', name: 'tags', filters: null }],
  )
  const list = createOperationDescriptor(query, {})
  environment.retain(list)
  environment.commitPayload(list, (await ask(relayText(schema, `query List ${LIST}`))).data)
  const connections = [ConnectionHandler.getConnectionID('client:root', 'List_tags')]
  const handleArgs = [{ kind: 'Literal', name: 'connections', value: connections }]
  const changes = relayRequest(schema, CHANGES)
  addHandles(changes.operation.selections as object[], ['tagChanged'], [])
  addHandles(
    inner(changes.operation.selections as object[], 'tagChanged'),
    ['edge'],
    [
      { kind: 'LinkedHandle', handle: 'appendEdge', key: '', name: 'edge', handleArgs },
      { kind: 'ScalarHandle', handle: 'deleteEdge', key: '', name: 'leftId', handleArgs },
      // After the edge, which could not be found by a node that is gone.
      { kind: 'ScalarHandle', handle: 'deleteRecord', key: '', name: 'deletedId' },
    ],
  )
  const change = createOperationDescriptor(changes, {})
  environment.retain(change)
  return {
    take: (data: object) => environment.commitPayload(change, data as never),
    rows() {
      let rows: unknown[] = []
      environment.commitUpdate((store) => {
        const edges = store.get(connections[0] ?? '')?.getLinkedRecords('edges') ?? []
        rows = edges.map((edge) => {
          const node = edge?.getLinkedRecord('node')
          return [edge?.getValue('cursor'), ...['id', 'name', 'color'].map((name) => node?.getValue(name))]
        })
      })
      return rows.sort()
    },
  }
}

type Selections = { name?: string; selections?: object[] }[]
const inner = (selections: object[], name: string): object[] =>
  (selections as Selections).find((each) => each.name === name)?.selections ?? []
function addHandles(selections: object[], names: readonly string[], handles: readonly object[]): void {
  for (const name of names) expect((selections as Selections).some((each) => each.name === name)).toBe(true)
  selections.push(...handles.map((handle) => ({ alias: null, args: null, dynamicKey: null, ...handle })))
}

/** Rows come, change, leave the `where` and come back, get other ids, and go. */
const WRITES = `DO $$
  DECLARE n int;
  BEGIN
    PERFORM setseed(0.25);
    FOR n IN 1..200 LOOP
      CASE
        WHEN n <= 20 OR random() < 0.25 THEN INSERT INTO "Tag" (name, color) VALUES ('late ' || n, '#live00');
        WHEN random() < 0.25 THEN DELETE FROM "Tag" WHERE id = (SELECT id FROM "Tag" ORDER BY md5(id::text || n) LIMIT 1);
        WHEN random() < 0.2 THEN
          UPDATE "Tag" SET id = id + 1000 WHERE id = (SELECT id FROM "Tag" ORDER BY md5(id::text || n) LIMIT 1);
        ELSE
          UPDATE "Tag" SET name = 'name ' || n, color = CASE WHEN random() < 0.4 THEN '#gone00' ELSE '#live' || n % 10 END
            WHERE id = (SELECT id FROM "Tag" ORDER BY md5(id::text || n) LIMIT 1);
      END CASE;
    END LOOP;
    INSERT INTO "Tag" (name, color) VALUES ('the last', '#live00');
  END $$`

describe('Relay', () => {
  it('keeps a connection as a query gives it, by its directives alone', async () => {
    await database.query(
      `INSERT INTO "Tag" (name, color) SELECT 'early ' || n, '#live00' FROM generate_series(1, 30) AS n`,
    )
    const results = await open(relayText(schema, CHANGES))
    const relay = await followByRelay()
    await database.query(WRITES)
    for await (const { data, errors } of results) {
      expect(errors).toBeUndefined()
      const change = JSON.parse(JSON.stringify(data)) as { tagChanged: { new: { name: string } | null } }
      relay.take(change)
      if (change.tagChanged.new?.name === 'the last') break
    }
    const { tags } = (await ask(LIST)).data
    const rows = (
      tags.edges as { cursor: string; node: { id: string; name: string; color: string | null } }[]
    )
      .filter(({ node }) => node.color !== '#gone00')
      .map(({ cursor, node }) => [cursor, node.id, node.name, node.color])
    expect(rows.length).toBeGreaterThan(20)
    expect(relay.rows()).toEqual(rows.sort())
  })

  it('finds a row of a change by `node(id)`', async () => {
    const results = await open('subscription { tagChanged { edge { node { id } } new { id } deletedId } }')
    await database.query(`INSERT INTO "Tag" (name) VALUES ('found')`)
    const { value } = await results.next()
    const { edge, new: row } = value.data.tagChanged
    expect(edge.node).toEqual(row)
    const found = await ask(`{ node(id: "${row.id}") { __typename id ... on Tag { name } } }`)
    expect(found).toEqual({ data: { node: { __typename: 'Tag', id: row.id, name: 'found' } } })
    await database.query(`DELETE FROM "Tag" WHERE name = 'found'`)
    expect((await results.next()).value.data.tagChanged).toEqual({ edge: null, new: null, deletedId: row.id })
  })

  it('gets the id of a row with a compound key whose old image the database does not send, beside fields of the application', async () => {
    await database.query('ALTER TABLE team_memberships REPLICA IDENTITY DEFAULT')
    const results = await open('subscription { membershipChanged { edge deletedId new { id isOwner } } }')
    await database.query(`WITH u AS (INSERT INTO users (email) VALUES ('ada@x') RETURNING id),
      t AS (INSERT INTO "Team" (name, slug) VALUES ('a', 'a') RETURNING id)
      INSERT INTO team_memberships (user_id, team_id) SELECT u.id, t.id FROM u, t`)
    const inserted = (await results.next()).value.data.membershipChanged
    expect(inserted).toEqual({
      ...{ edge: 'ours', deletedId: null },
      new: { id: expect.any(String), isOwner: false },
    })
    // Under another key it is another node: the one that it was has to go.
    await database.query(`WITH u AS (INSERT INTO users (email) VALUES ('bob@x') RETURNING id)
      UPDATE team_memberships SET user_id = u.id FROM u`)
    const moved = (await results.next()).value.data.membershipChanged
    expect(moved).toEqual({
      edge: 'ours',
      deletedId: inserted.new.id,
      new: { id: expect.any(String), isOwner: false },
    })
    expect(moved.new.id).not.toBe(inserted.new.id)
    await database.query('UPDATE team_memberships SET is_owner = true')
    expect((await results.next()).value.data.membershipChanged.deletedId).toBeNull()
    await database.query('DELETE FROM team_memberships')
    expect((await results.next()).value.data.membershipChanged).toEqual({
      ...{ edge: 'ours', deletedId: moved.new.id },
      new: null,
    })
  })
})
