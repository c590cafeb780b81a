/** The model of PostgreSQL beside PostgreSQL: the same random workload on both, and the streams compared message by message. */
import { Buffer } from 'node:buffer'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import { isSamePublished, type PublishedTable } from '../../src/source/published/published-tables.ts'
import { publishedTableSql } from '../../src/source/published/published-tables-sql.ts'
import { columnsOf, type RawColumn } from '../../src/source/published/table-columns.ts'
import { createRandom, type Random } from '../chaos/random.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { describeMessage, type MessageSpec } from '../support/message-builder.ts'
import { answer } from './catalog-answers.ts'
import {
  type Alteration,
  type Column,
  Database,
  FOREIGN_COLUMN,
  FOREIGN_VALUE,
  type OpenTransaction,
  OTHER_NAME,
  type Row,
  type Write,
} from './database.ts'
import type { PostgresSession } from './postgres-session.ts'
import { Walsender } from './walsender.ts'

const MODELS = ['Red', 'Blue']
const STEPS = 60

const tableSql = (model: string): string =>
  `CREATE TABLE ${model.toLowerCase()} (id int, n int, name text);
   ALTER TABLE ${model.toLowerCase()} REPLICA IDENTITY FULL`

/** A transaction of both. */
interface Both {
  readonly model: OpenTransaction
  readonly client: pg.Client
}

const ALTERATIONS: Readonly<Record<Alteration, string>> = {
  add: `ADD COLUMN ${FOREIGN_COLUMN} text DEFAULT '${FOREIGN_VALUE}'`,
  rename: `RENAME COLUMN name TO ${OTHER_NAME}`,
  drop: 'DROP COLUMN name',
  retype: 'ALTER COLUMN n TYPE text USING n::text',
}

const FIELDS = ['id', 'n', 'name']

type RawPublished = Omit<PublishedTable, 'columns'> & { readonly columns: readonly RawColumn[] }

function readLook(published: RawPublished | null | undefined): PublishedTable | null {
  return published ? { ...published, columns: columnsOf(published.columns, FIELDS) } : null
}

/** What is published of a model's table, as rowcast asks for it. */
function lookAtModel(database: Database, model: string): PublishedTable | null {
  const rows = answer('AS "unpublishedColumns"', [], { database, pid: 1, terminate() {} })
  const found = rows.find((row) => row['model'] === model)
  return readLook(found?.['published'] as RawPublished | null | undefined)
}

async function lookAtReal(real: TestDatabase, model: string): Promise<PublishedTable | null> {
  const [version] = await real.query<{ number: number }>(
    "SELECT current_setting('server_version_num')::int AS number",
  )
  const table = model.toLowerCase()
  const [row] = await real.query<{ published: RawPublished | null }>(
    `SELECT CASE WHEN m.prrelid IS NOT NULL THEN e.published END AS published
       FROM (SELECT '${table}'::regclass::oid AS oid) f
       LEFT JOIN pg_publication_rel m ON m.prrelid = f.oid
       LEFT JOIN LATERAL (${publishedTableSql('sim', version?.number ?? 0)}) e ON true`,
  )
  return readLook(row?.published)
}

function judgeLooks(before: PublishedTable | null, now: PublishedTable | null): string {
  if (before === null || now === null) return now === null ? 'not published' : 'published'
  return isSamePublished([before], [now]) ? 'the same' : 'changes may be missing'
}

/** What makes of these columns those. */
function clausesBetween(before: readonly Column[], now: readonly Column[]): readonly string[] {
  const has = (columns: readonly Column[], name: string) => columns.some((each) => each.name === name)
  const isText = (columns: readonly Column[]) =>
    columns.some(({ name, type }) => name === 'n' && type === 'text')
  return [
    ...(has(before, OTHER_NAME) ? [`RENAME COLUMN ${OTHER_NAME} TO name`] : []),
    ...(!has(before, OTHER_NAME) && !has(before, 'name') ? ['ADD COLUMN name text'] : []),
    ...(isText(before) ? ['ALTER COLUMN n TYPE int USING n::int'] : []),
    ...(has(before, FOREIGN_COLUMN) && !has(now, FOREIGN_COLUMN) ? [`DROP COLUMN ${FOREIGN_COLUMN}`] : []),
  ]
}

/** Does the same in the model and in PostgreSQL. */
class Twins {
  readonly database: Database
  readonly #real: TestDatabase
  readonly #random: Random
  #open: Both[] = []
  readonly #idle: pg.Client[] = []
  readonly #looks = new Map<string, PublishedTable | null>()

  constructor(real: TestDatabase, random: Random) {
    this.#real = real
    this.#random = random
    this.database = new Database(random.fork(), MODELS)
  }

  async step(): Promise<void> {
    const random = this.#random
    if (this.#open.length < 3 && random.chance(0.5)) await this.#begin()
    for (const both of [...this.#open]) {
      if (random.chance(0.7)) await this.#write(both, random.pick(MODELS))
      if (random.chance(0.1)) await this.#emit(both)
      if (random.chance(0.3)) await this.#end(both, random.chance(0.2))
    }
    if (random.chance(0.1)) await this.#emitAtOnce()
    if (random.chance(0.1)) await this.#truncate()
    // What PostgreSQL sends of who writes meanwhile depends on what its caches hold: the model leaves it to chance.
    if (this.#open.some(({ model }) => model.models.size > 0)) return
    if (random.chance(0.3)) await this.#alterPublication()
    if (random.chance(0.1)) await this.#recreateTable()
    if (random.chance(0.1)) await this.#recreatePublication()
    if (random.chance(0.3)) await this.#alterTable()
  }

  /** Whether two looks at the catalog, one step apart, show that changes may be missing: both have to say the same. */
  async compareLooks(step: number): Promise<void> {
    const said = { model: '', real: '' }
    for (const model of MODELS) {
      const looks = { model: lookAtModel(this.database, model), real: await lookAtReal(this.#real, model) }
      for (const of of ['model', 'real'] as const) {
        const [key, now] = [`${of} ${model}`, looks[of]]
        said[of] += ` ${model} ${step}: ${judgeLooks(this.#looks.get(key) ?? null, now)}`
        this.#looks.set(key, now)
      }
    }
    expect(said.model).toBe(said.real)
  }

  async finish(): Promise<void> {
    for (const both of [...this.#open]) await this.#end(both, false)
    for (const client of this.#idle) await client.end()
  }

  async #begin(): Promise<void> {
    const client = this.#idle.pop() ?? new pg.Client({ connectionString: this.#real.url })
    if (client.listenerCount('error') === 0) {
      client.on('error', () => {})
      await client.connect()
    }
    await client.query('BEGIN')
    this.#open.push({ model: this.database.begin(), client })
  }

  async #write({ model: transaction, client }: Both, model: string): Promise<void> {
    const before = transaction.items.length
    this.database.write(transaction, model)
    // Somebody else has the row: the model does nothing, where PostgreSQL would wait.
    if (transaction.items.length === before) return
    const write = transaction.items.at(-1) as Write
    const table = model.toLowerCase()
    const { id, n, name } = (write.new ?? write.old) as Row
    // By whatever it is called; null where it is not there.
    const nameColumn = write.columns.find((each) => each.name === 'name' || each.name === OTHER_NAME)?.name
    const set = [['id', id] as const, ['n', n] as const, ...(nameColumn ? [[nameColumn, name] as const] : [])]
    const values = set.map(([, value]) => value)
    const [columns, numbers] = [set.map(([column]) => column), set.map((_, index) => `$${index + 1}`)]
    if (write.action === 'INSERT')
      await client.query(`INSERT INTO ${table} (${columns}) VALUES (${numbers})`, values)
    else if (write.action === 'DELETE') await client.query(`DELETE FROM ${table} WHERE id = $1`, [id])
    else await client.query(`UPDATE ${table} SET (${columns}) = ROW(${numbers}) WHERE id = $1`, values)
  }

  async #emit({ model, client }: Both): Promise<void> {
    this.database.emit(model, { prefix: 'app', content: 'part' })
    await client.query("SELECT pg_logical_emit_message(true, 'app', 'part')")
  }

  async #emitAtOnce(): Promise<void> {
    this.database.emitAtOnce({ prefix: 'app', content: 'at once' })
    await this.#real.query("SELECT pg_logical_emit_message(false, 'app', 'at once')")
  }

  async #end(both: Both, isUndone: boolean): Promise<void> {
    this.#open = this.#open.filter((each) => each !== both)
    this.#idle.push(both.client)
    if (isUndone) this.database.rollback(both.model)
    else this.database.commit(both.model)
    await both.client.query(isUndone ? 'ROLLBACK' : 'COMMIT')
  }

  /** In a transaction of its own, where nobody writes to the table. */
  async #truncate(): Promise<void> {
    const random = this.#random
    const [model, other] = random.shuffle(MODELS) as [string, string]
    if (this.#open.some(({ model: { models } }) => models.has(model))) return
    await this.#begin()
    const both = this.#open.at(-1) as Both
    if (random.chance(0.5)) await this.#write(both, other)
    if (!this.database.truncate(both.model, model)) throw new Error(`Somebody writes to ${model}.`)
    await both.client.query(`TRUNCATE ${model.toLowerCase()}`)
    if (random.chance(0.5)) await this.#write(both, model)
    await this.#end(both, random.chance(0.2))
  }

  async #alterTable(): Promise<void> {
    const model = this.#random.pick(MODELS)
    const before = this.database.tables.get(model)?.columns ?? []
    const how = this.#random.pick(Object.keys(ALTERATIONS) as Alteration[])
    const isBack = !this.database.fits(model) && this.#random.chance(0.5)
    if (!(isBack ? this.database.restoreColumns(model) : this.database.alterTable(model, how))) return
    const now = this.database.tables.get(model)?.columns ?? []
    const clauses = isBack ? clausesBetween(before, now) : [ALTERATIONS[how]]
    for (const clause of clauses) await this.#real.query(`ALTER TABLE ${model.toLowerCase()} ${clause}`)
  }

  async #alterPublication(): Promise<void> {
    const model = this.#random.pick(MODELS)
    const isMember = this.database.publication?.members.has(model) === true
    if (isMember) this.database.unpublish(model)
    else this.database.publish(model)
    await this.#real.query(`ALTER PUBLICATION sim ${isMember ? 'DROP' : 'ADD'} TABLE ${model.toLowerCase()}`)
  }

  async #recreateTable(): Promise<void> {
    const model = this.#random.pick(MODELS)
    if (!this.database.recreateTable(model)) return
    await this.#real.query(`DROP TABLE ${model.toLowerCase()}`)
    for (const sql of tableSql(model).split(';')) await this.#real.query(sql)
  }

  async #recreatePublication(): Promise<void> {
    const members = [...(this.database.publication?.members.keys() ?? [])]
    this.database.recreatePublication()
    const tables = members.length === 0 ? '' : ` FOR TABLE ${members.join(', ').toLowerCase()}`
    await this.#real.query('BEGIN')
    await this.#real.query('DROP PUBLICATION sim')
    await this.#real.query(`CREATE PUBLICATION sim${tables}`)
    await this.#real.query('COMMIT')
  }
}

/** What the model's walsender sends of everything. */
function readModel(database: Database, startLsn: bigint, isBinary: boolean): Buffer[] {
  const sent: Buffer[] = []
  const session = {
    ...{ pid: 1, link: { backlog: 0 } },
    copyData: (_head: Buffer, body?: Buffer) => void (body === undefined ? 0 : sent.push(body)),
  } as unknown as PostgresSession
  const slot = database.createSlot('sim')
  const sender = new Walsender({ database, slot, session, startLsn, isBinary })
  sender.pump()
  sender.stop()
  return sent
}

/** What PostgreSQL sends of it. */
async function readReal(real: TestDatabase, isBinary: boolean): Promise<Buffer[]> {
  const rows = await real.query<{ data: Buffer }>(
    `SELECT data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, 'proto_version', '1', 'messages', 'true',
       'publication_names', 'sim', 'binary', '${isBinary}')`,
    [slotName(isBinary, real)],
  )
  return rows.map(({ data }) => data)
}

const slotName = (isBinary: boolean, real: TestDatabase): string => `${real.name}_${isBinary ? 'b' : 't'}`

/**
 * Messages without what differs from one server to another: positions, times, ids, OIDs by their order. PostgreSQL describes a table
 * again whenever its caches were emptied, and the model when chance says so: what only repeats is left out.
 */
function normalise(payloads: readonly Buffer[]): string[] {
  const names = new Map<string, string>()
  const nameOf = (kind: string, id: number | null): string | null => {
    if (id === null) return null
    const key = `${kind} ${id}`
    if (!names.has(key)) names.set(key, `${kind} ${names.size}`)
    return names.get(key) ?? null
  }
  const plain = (spec: MessageSpec): unknown => {
    if (spec.kind === 'begin') return { kind: 'begin', xid: nameOf('transaction', spec.xid) }
    if (spec.kind === 'commit') return { kind: 'commit' }
    if (spec.kind === 'message') return { ...spec, lsn: 0, content: Buffer.from(spec.content).toString() }
    if (spec.kind === 'relation') return { ...spec, oid: nameOf('relation', spec.oid) }
    if (spec.kind === 'truncate')
      return { ...spec, relationOids: spec.relationOids.map((oid) => nameOf('relation', oid)) }
    return 'relationOid' in spec ? { ...spec, relationOid: nameOf('relation', spec.relationOid) } : spec
  }
  const described = payloads.map((bytes) =>
    describeMessage(decodeMessage(bytes, 0, bytes.length, { protocolVersion: 1, isStreamed: false })),
  )
  // Until 14 an empty transaction is sent, and its number says nothing.
  const isEmptyEnd = (index: number): boolean =>
    described[index]?.kind === 'commit' && described[index - 1]?.kind === 'begin'
  return described
    .filter((_, index) => !isEmptyEnd(index) && !isEmptyEnd(index + 1))
    .map((spec) => JSON.stringify(plain(spec)))
    .filter((text, index, all) => !text.includes('"kind":"relation"') || all.indexOf(text) === index)
}

describe('the model of PostgreSQL', () => {
  it.each([1, 2, 3, 4, 5, 6])('sends what PostgreSQL sends, workload %i', async (seed) => {
    await using real = await openDatabase()
    for (const model of MODELS) for (const sql of tableSql(model).split(';')) await real.query(sql)
    await real.query('CREATE PUBLICATION sim FOR TABLE red, blue')
    for (const isBinary of [false, true])
      await real.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [
        slotName(isBinary, real),
      ])
    const twins = new Twins(real, createRandom(seed))
    const startLsn = twins.database.endLsn
    for (let step = 0; step < STEPS; step += 1) {
      await twins.step()
      await twins.compareLooks(step)
    }
    await twins.finish()
    for (const isBinary of [false, true]) {
      const expected = normalise(await readReal(real, isBinary))
      expect(expected.length).toBeGreaterThan(STEPS / 3)
      expect(normalise(readModel(twins.database, startLsn, isBinary))).toEqual(expected)
    }
  })
})
