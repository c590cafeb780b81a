/** A collection of TanStack DB, with the package itself, over a real server: what is in the database, whatever happens to the connection, without a flicker. */
import { createCollection } from '@tanstack/db'
import { expect, it } from 'vitest'
import { rowcastCollectionOptions } from '../../src/adapters/tanstack-db.ts'
import { overWebSocket } from '../support/change-clients.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

interface Tag {
  readonly id: string
  readonly name: string
}

const PATIENCE = { timeout: 60_000, interval: 20 }
const QUERY = `subscription ($after: Cursor) { tagChanged(initial: true, after: $after) {
  cursor action transition key { rowId } new { id name } transaction { last xid metadata { mutationId } } } }`

it('has what the database has, and its own rows once, from the first moment on', async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, {
    config: { models: { Tag: {} }, public: true, showMetadata: { fields: () => ['mutationId'] } },
  })
  await running.service.rowcast.ready()
  await database.query(`INSERT INTO "Tag" (name) VALUES ('first'), ('second')`)
  await using proxy = await openTcpProxy(Number(new URL(running.url).port))
  const client = overWebSocket(`http://127.0.0.1:${proxy.port}`)
  const commit = (sql: string, mutationId: string, others = '') =>
    database.query(`BEGIN; SELECT pg_logical_emit_message(true, 'rowcast.metadata', '${JSON.stringify({ mutationId })}');
      ${sql}; COMMIT; ${others}`)
  const insertedBy = async (values: string) => {
    const [written] = await database.query<{ txid: string }>(
      `INSERT INTO "Tag" (name) VALUES ${values} RETURNING pg_current_xact_id()::text AS txid`,
    )
    await database.query(`INSERT INTO "Tag" (name) VALUES ('of another ${values.replaceAll("'", '')}')`)
    return written
  }
  const fails = { next: false }
  const collection = createCollection(
    rowcastCollectionOptions<Tag>({
      client,
      request: { query: QUERY },
      key: 'id',
      reloadIntervalMs: 0,
      onInsert: async ({ transaction, mutationId }) => {
        if (fails.next) throw new Error('no such tag')
        const names = transaction.mutations.map(({ modified }) => `('${modified.name}')`)
        // A server that writes no metadata says which transaction it was.
        if (names[0]?.includes('by xid')) return await insertedBy(names.join(', '))
        if (names[0]?.includes('by two')) {
          const written = [await insertedBy(names[0]), await insertedBy(names[1] ?? '')]
          return { txid: written.map((each) => each?.txid) }
        }
        if (names[0]?.includes('by none')) return { txid: { of: 'nothing' } }
        await commit(
          ...([`INSERT INTO "Tag" (name) VALUES ${names.join(', ')}`, mutationId] as const),
          `INSERT INTO "Tag" (name) VALUES ('of another ${mutationId}')`,
        )
        return null
      },
      onUpdate: async ({
        transaction: {
          mutations: [mutation],
        },
        mutationId,
      }) => {
        await commit(
          `UPDATE "Tag" SET name = '${mutation?.changes.name}' WHERE id = ${mutation?.key}`,
          mutationId,
        )
      },
      onDelete: async ({
        transaction: {
          mutations: [mutation],
        },
        mutationId,
      }) => {
        await commit(`DELETE FROM "Tag" WHERE id = ${mutation?.key}`, mutationId)
      },
    }),
  )
  const names = () => collection.toArray.map(({ name }) => name).sort()
  const pictures: string[][] = []
  const followed = collection.subscribeChanges(() => pictures.push(names()))
  const agree = async () => {
    const rows = await database.query<Tag>('SELECT id, name FROM "Tag"')
    const wanted = rows.map(({ id, name }) => ({ id: String(id), name }))
    const byId = (rowsOf: readonly Tag[]) => rowsOf.toSorted((a, b) => Number(a.id) - Number(b.id))
    await expect
      .poll(() => byId(collection.toArray.map(({ id, name }) => ({ id, name }))), PATIENCE)
      .toEqual(byId(wanted))
  }
  await collection.preload()
  await agree()
  expect(collection.utils.liveState()).toMatchObject({ status: 'live', error: null })

  for (const name of ['a', 'b', 'c']) await collection.insert({ id: `new ${name}`, name }).isPersisted.promise
  await collection.insert([
    { id: 'new d', name: 'd' },
    { id: 'new e', name: 'e' },
  ]).isPersisted.promise
  for (const name of ['by xid 1', 'by xid 2'])
    await collection.insert({ id: `new ${name}`, name }).isPersisted.promise
  expect(names()).toEqual(expect.arrayContaining(['by xid 1', 'by xid 2']))
  await collection.insert(['by two 1', 'by two 2'].map((name) => ({ id: `new ${name}`, name }))).isPersisted
    .promise
  expect(names()).toEqual(expect.arrayContaining(['by two 1', 'by two 2']))
  const unreadable = collection.insert({ id: 'new none', name: 'by none' }).isPersisted.promise
  await expect(unreadable).rejects.toThrow('`txid` of the answer is no transaction id')
  await agree()
  for (const name of ['a', 'b', 'c', 'd', 'e', 'by xid 1', 'by xid 2', 'by two 1', 'by two 2']) {
    const counts = pictures.map((picture) => picture.filter((each) => each === name).length)
    expect([name, ...new Set(counts.slice(counts.indexOf(1)))]).toEqual([name, 1])
  }
  const idOf = (name: string) => collection.toArray.find((row) => row.name === name)?.id ?? ''
  pictures.length = 0
  await collection.update(idOf('a'), (draft) => {
    Object.assign(draft, { name: 'a changed' })
  }).isPersisted.promise
  expect(pictures.every((picture) => picture.includes('a changed') && !picture.includes('a'))).toBe(true)
  await collection.delete(idOf('b')).isPersisted.promise
  expect(names()).not.toContain('b')
  await agree()

  // What fails is taken back.
  fails.next = true
  const failed = collection.insert({ id: 'new f', name: 'f' }).isPersisted.promise
  expect(names()).toContain('f')
  await expect(failed).rejects.toThrow('no such tag')
  expect(names()).not.toContain('f')
  fails.next = false

  // What changes while the connection is away comes with it, one's own as well.
  proxy.cut()
  await database.query(
    `DELETE FROM "Tag" WHERE name = 'first'; INSERT INTO "Tag" (name) VALUES ('meanwhile')`,
  )
  await collection.insert({ id: 'new g', name: 'g' }).isPersisted.promise
  expect(names()).toContain('g')
  await agree()
  // What a gap may have hidden is loaded again.
  await database.query('TRUNCATE "Tag" CASCADE')
  await agree()

  followed.unsubscribe()
  await collection.cleanup()
  expect(collection.utils.liveState()).toBeNull()
  const open = () => running.service.rowcast.status().subscriptions.get('Tag') ?? 0
  await expect.poll(open, PATIENCE).toBe(0)
  await client.dispose()
})

it('says why it does not come to its rows', async () => {
  const subscribe = (_payload: unknown, sink: { error(errors: unknown): void }) => {
    sink.error([{ message: 'no', extensions: { code: 'FORBIDDEN' } }])
    return () => undefined
  }
  const options = { client: { subscribe } as never, request: { query: QUERY }, key: 'id' as const }
  const collection = createCollection(rowcastCollectionOptions<Tag>(options))
  await expect(collection.preload()).rejects.toMatchObject({ code: 'FORBIDDEN' })
  expect(collection.status).toBe('error')
})
