/** Messages of `pg_logical_emit_message`. Behaviours of PostgreSQL's 020_messages. */
import { describe, expect, it } from 'vitest'
import type { EmittedMessage } from '../../src/changes/emitted-message.ts'
import { formatLsn } from '../../src/wire/lsn.ts'
import { openScenario } from './scenario.ts'

const textOf = (message: EmittedMessage) => new TextDecoder().decode(message.content)

async function take(messages: AsyncIterator<EmittedMessage>, count: number): Promise<EmittedMessage[]> {
  const taken: EmittedMessage[] = []
  while (taken.length < count) {
    const result = await messages.next()
    if (result.done) throw new Error(`The messages ended after ${taken.length} of ${count}.`)
    taken.push(result.value)
  }
  return taken
}

describe('messages of a transaction', () => {
  it('come once it has committed, in its order and between its changes; of a rolled back one, none', async () => {
    const { rowcast, sql, watch } = await openScenario()
    const messages = rowcast.messages({ prefix: 'app' })
    const items = watch()
    await sql(`BEGIN; SELECT pg_logical_emit_message(true, 'app', 'lost'); ROLLBACK`)
    await sql(`BEGIN; SELECT pg_logical_emit_message(true, 'app', 'first'); INSERT INTO items VALUES (1);
      SAVEPOINT s; SELECT pg_logical_emit_message(true, 'app', 'undone'); ROLLBACK TO s;
      SELECT pg_logical_emit_message(true, 'other', 'not asked for');
      SELECT pg_logical_emit_message(true, 'app', 'Zweite Ünï'); INSERT INTO items VALUES (2); COMMIT`)
    const [first, second] = await take(messages, 2)
    const [one, two] = await items.take(2)
    expect([first, second].map((each) => each && [textOf(each), each.index])).toEqual([
      ['first', 0],
      ['Zweite Ünï', 1],
    ])
    expect([one?.index, two?.index]).toEqual([0, 1])
    expect(first?.transaction?.xid).toBe(one?.transaction.xid)
    expect(first?.transaction?.commitLsn).toBe(one?.transaction.commitLsn)
  })

  it('come from a transaction that changed no row, and let the slot move on', async () => {
    const { rowcast, sql } = await openScenario()
    const messages = rowcast.messages()
    await sql(`SELECT pg_logical_emit_message(true, 'p', '\\x00ff'::bytea)`)
    const [message] = await take(messages, 1)
    expect(message).toMatchObject({ prefix: 'p', index: 0 })
    expect(message?.content).toEqual(new Uint8Array([0, 255]))
  })
})

describe('messages outside a transaction', () => {
  it('come at once, also from a transaction that is open or rolls back', async () => {
    const { rowcast, sql } = await openScenario()
    const messages = rowcast.messages()
    await sql('BEGIN')
    const [row] = await sql(`SELECT pg_logical_emit_message(false, 'now', 'a')::text AS lsn`)
    const first = take(messages, 1)
    // From 17 on PostgreSQL can flush such a message by itself; before, another commit has to.
    await rowcastFlush(sql)
    const [message] = await first
    expect(message).toMatchObject({ prefix: 'now', transaction: null, index: null })
    expect(formatLsn(message?.lsn as never)).not.toBe('0/0')
    expect(row).toBeDefined()
    await sql('ROLLBACK')
  })
})

/** Forces WAL out without ending the open transaction: the log switch does. */
async function rowcastFlush(sql: (text: string) => Promise<unknown>): Promise<void> {
  await sql('SELECT pg_switch_wal()')
}

describe('a listener', () => {
  it('that is too slow is ended alone, with an error that says so', async () => {
    const { rowcast, sql } = await openScenario({ options: { queueLengthMax: 2 } })
    const slow = rowcast.messages()
    const quick = rowcast.messages({ prefix: 'last' })
    await sql(`SELECT pg_logical_emit_message(true, 'x', i::text) FROM generate_series(1, 3) i`)
    await sql(`SELECT pg_logical_emit_message(true, 'last', '')`)
    await take(quick, 1)
    await expect(slow.next()).rejects.toMatchObject({ code: 'SUBSCRIBER_TOO_SLOW' })
    expect(await slow.next()).toEqual({ done: true, value: undefined })
  })

  it('ends with its signal, and with rowcast', async () => {
    const { rowcast } = await openScenario()
    const abort = new AbortController()
    const [aborted, stopped] = [rowcast.messages({ signal: abort.signal }), rowcast.messages()]
    abort.abort()
    expect(await aborted.next()).toEqual({ done: true, value: undefined })
    await rowcast.stop()
    expect(await stopped.next()).toEqual({ done: true, value: undefined })
  })

  it('hears each message once, whatever happens to the connection', async () => {
    const { rowcast, sql } = await openScenario()
    const messages = rowcast.messages()
    await sql(`SELECT pg_logical_emit_message(false, 'a', '1')`)
    await sql(`SELECT pg_logical_emit_message(true, 'a', '2')`)
    const before = await take(messages, 2)
    await sql(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database()`,
    )
    await sql(`SELECT pg_logical_emit_message(true, 'a', '3')`)
    const after = await take(messages, 1)
    expect([...before, ...after].map(textOf)).toEqual(['1', '2', '3'])
  })
})
