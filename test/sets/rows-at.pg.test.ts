/**
 * Rows of a boundary on a real PostgreSQL: many sessions write at once, transactions commit out of the order of their ids, and
 * snapshots are taken in between. Whatever a snapshot saw, the rows of each boundary that it covers come out as a replay has them.
 */
import pg from 'pg'
import { expect, it } from 'vitest'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import { readRowsAt } from '../../src/sets/rows-at.ts'
import { rowIdOf } from '../../src/sets/written-rows.ts'
import { type IsVisible, parseSnapshot } from '../../src/source/db/visibility.ts'
import { type Lsn, parseLsn } from '../../src/wire/lsn.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { Dice, WorldTransaction } from '../support/live-world.ts'
import { plainChange } from '../support/plain-change.ts'
import { provideRelationProject, RELATION_TABLES } from '../support/relation-schema.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 7)
const WRITERS = 6
const TRANSACTIONS_EACH = 40
const READS_MAX = 400
const KEYS = 12

/** What one snapshot saw. */
interface Seen {
  readonly isVisible: IsVisible
  readonly endLsn: Lsn
  readonly rows: readonly AnyRow[]
}

/** A transaction as the stream has it. */
interface Committed {
  readonly transaction: WorldTransaction
  readonly xid: number
  readonly commitLsn: Lsn
}

async function withClient(database: TestDatabase, run: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  try {
    await run(client)
  } finally {
    await client.end()
  }
}

/** Random writes on few rows, in transactions of which some stay open for a while and some are rolled back. */
async function write(client: pg.Client, dice: Dice): Promise<void> {
  const statements = [
    `INSERT INTO "Team" (id, name, open) VALUES ($1, $2, true) ON CONFLICT (id) DO UPDATE SET name = excluded.name`,
    `UPDATE "Team" SET name = name || $2 WHERE id = $1`,
    `UPDATE "Team" SET id = id + 100 WHERE id = $1 AND NOT EXISTS (SELECT FROM "Team" WHERE id = $1 + 100) AND $2 <> ''`,
    `DELETE FROM "Team" WHERE id IN ($1, $1 + 100) AND $2 <> ''`,
  ]
  for (let count = 0; count < TRANSACTIONS_EACH; count++) {
    await client.query('BEGIN')
    // One order of locks, so that nobody waits for each other.
    const keys = Array.from({ length: 1 + dice.below(3) }, () => 1 + dice.below(KEYS)).sort((a, b) => a - b)
    await client.query('SELECT pg_advisory_xact_lock(k) FROM unnest($1::int[]) k ORDER BY k', [keys])
    for (const key of keys) await client.query(dice.pick(statements), [key, String(dice.below(10))])
    if (dice.chance(0.3)) await client.query('SELECT pg_sleep(0.005)')
    await client.query(dice.chance(0.1) ? 'ROLLBACK' : 'COMMIT')
  }
}

/** The position is read last, and so stands behind what the snapshot does not see as well. */
async function read(client: pg.Client): Promise<Seen> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  const snapshots = await client.query('SELECT pg_current_snapshot()::text AS snapshot')
  const { rows } = await client.query('SELECT * FROM "Team"')
  const positions = await client.query('SELECT pg_current_wal_insert_lsn()::text AS lsn')
  await client.query('COMMIT')
  return {
    isVisible: parseSnapshot(snapshots.rows[0].snapshot),
    endLsn: parseLsn(positions.rows[0].lsn),
    rows,
  }
}

/** The whole stream, by transaction. */
async function streamOf(database: TestDatabase, slot: string): Promise<readonly Committed[]> {
  const { catalog } = await provideRelationProject('relations')
  const registry = createRelationRegistry({ catalog, models: Object.values(catalog.models) })
  const messages = await database.query<{ data: Buffer }>(
    `SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL,
      'proto_version', '1', 'publication_names', 'everything', 'binary', 'true')`,
    [slot],
  )
  const stream: Committed[] = []
  for (const { data } of messages) {
    const message = decodeMessage(data, 0, data.length)
    if (message.kind === 'relation') registry.update(message)
    if (message.kind === 'begin') {
      const transaction = new WorldTransaction(stream.length + 1)
      stream.push({ transaction, xid: message.xid, commitLsn: message.finalLsn })
    }
    if (message.kind !== 'insert' && message.kind !== 'update' && message.kind !== 'delete') continue
    const reader = registry.readerOf(message.relationOid)
    const rowOf = (tuple: typeof message.old) =>
      tuple === null || reader === null ? null : reader.readRow(tuple)
    const action = message.kind === 'insert' ? 'INSERT' : message.kind === 'update' ? 'UPDATE' : 'DELETE'
    const images = { old: rowOf(message.old), new: rowOf(message.new) }
    stream.at(-1)?.transaction.changes.push(plainChange({ model: 'Team', action, ...images }))
  }
  return stream
}

it('come out of any snapshot that sees what was delivered', { timeout: 120_000 }, async () => {
  const { catalog } = await provideRelationProject('relations')
  const model = catalog.models['Team']
  if (model === undefined) throw new Error('The schema has teams.')
  await using database = await openDatabase()
  await database.query(RELATION_TABLES)
  await database.query('ALTER TABLE "Team" REPLICA IDENTITY FULL')
  await database.query('CREATE PUBLICATION everything FOR ALL TABLES')
  const slot = `slot_${database.name}`
  await database.query('SELECT pg_create_logical_replication_slot($1, $2)', [slot, 'pgoutput'])
  const seen: Seen[] = []
  const writers = Array.from({ length: WRITERS }, (_, index) =>
    withClient(database, (client) => write(client, new Dice(SEED + index))),
  )
  let isWriting = true
  const reader = withClient(database, async (client) => {
    while (isWriting && seen.length < READS_MAX) seen.push(await read(client))
  })
  await Promise.all(writers)
  isWriting = false
  await reader

  const stream = await streamOf(database, slot)
  const states = [new Map<string, AnyRow>()]
  for (const { transaction } of stream) {
    const state = new Map(states.at(-1))
    for (const { old, new: after } of transaction.changes) {
      if (old !== null) state.delete(rowIdOf(model, old))
      if (after !== null) state.set(rowIdOf(model, after), after)
    }
    states.push(state)
  }
  const taken = { seen: 0, unseen: 0 }
  for (const { isVisible, endLsn, rows } of seen) {
    expect(stream.filter(({ xid, commitLsn }) => isVisible(xid) && commitLsn >= endLsn)).toEqual([])
    const unseen = stream.findIndex(({ xid }) => !isVisible(xid))
    const covered = unseen < 0 ? stream.length : unseen
    for (const ordinal of new Set([covered, covered >> 1, 0])) {
      const later = stream.filter(
        ({ transaction, commitLsn }) => transaction.ordinal > ordinal && commitLsn < endLsn,
      )
      for (const { xid } of later) taken[isVisible(xid) ? 'seen' : 'unseen'] += 1
      const source = {
        read: async () => ({ rows, later: async () => later.map(({ transaction }) => transaction) }),
      }
      const found = await readRowsAt(source, ordinal, { model, keyed: null })
      const byId = new Map(found.map((row) => [rowIdOf(model, row), row]))
      expect(byId, `of ${ordinal}, ${covered} covered`).toEqual(states[ordinal])
    }
  }
  process.stdout.write(
    `Rows of a boundary, seed ${SEED}: ${stream.length} transactions, ${seen.length} snapshots; taken back ${taken.seen} ` +
      `transactions that they saw and ${taken.unseen} that they did not see.
`,
  )
  expect(taken.seen).toBeGreaterThan(0)
})
