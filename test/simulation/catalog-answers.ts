/** What the model of PostgreSQL answers to rowcast's statements. One that it does not know is a fault of the model. */
import { type Column, type Database, FOREIGN_COLUMN, type Slot, type Table } from './database.ts'

/** Rows of an answer; values in JavaScript, an object is json. */
export type Answer = readonly Readonly<Record<string, unknown>>[]

/** Who asks. */
export interface Asking {
  readonly database: Database
  readonly pid: number
  /** Ends the session of another process. */
  readonly terminate: (pid: number) => void
}

/** An error that PostgreSQL would report. */
export class SqlError extends Error {
  readonly sqlstate: string

  constructor(sqlstate: string, message: string) {
    super(message)
    this.sqlstate = sqlstate
  }
}

type Answerer = (text: string, parameters: readonly string[], asking: Asking) => Answer

/** What a statement contains that no other does, and how it is answered; the first that fits. */
const ANSWERS: readonly (readonly [string, Answerer])[] = [
  [
    'AS "isSlotWalLimited"',
    (text, _, { database }) => [facts(database, quotedAfter(text, 's.slot_name = '))],
  ],
  [
    'AS "unpublishedColumns"',
    (_, __, { database }) => [...database.tables.values()].map((table) => tableOf(database, table)),
  ],
  ['judged AS (', () => []],
  ["'baseName', base.name", (text, _, { database }) => shapes(database, text)],
  [
    'AS "heldXids"',
    (_, __, { database }) => [
      {
        snapshot: database.snapshot,
        heldXids: database.locking.map(({ xid }) => xid).join() || null,
      },
    ],
  ],
  ['l.virtualtransaction AS "writer"', (_, __, { database }) => writers(database)],
  ['pg_current_wal_insert_lsn()', (_, __, { database }) => [{ lsn: formatLsn(database.endLsn) }]],
  ['IDENTIFY_SYSTEM', (_, __, { database }) => [identity(database)]],
  ['TIMELINE_HISTORY', (_, __, { database }) => [historyOf(database)]],
  [`current_setting('wal_sender_timeout')`, (_, __, { pid }) => [{ pid, timeout: '10s' }]],
  ['pg_logical_emit_message(true, ', (text, _, { database }) => [emit(database, text)]],
  [
    'SELECT active_pid AS pid',
    (_, [name], { database }) => {
      const slot = database.slots.get(name ?? '')
      return slot === undefined ? [] : [{ pid: slot.activePid, confirmed: confirmedOf(slot) }]
    },
  ],
  [
    'SELECT pg_drop_replication_slot($1)',
    (_, [name], { database }) => {
      database.slots.delete(name ?? '')
      return []
    },
  ],
  ['SELECT pg_drop_replication_slot(slot_name)', (_, asked, { database }) => dropIfSame(database, asked)],
  [
    'SELECT pg_terminate_backend($1)',
    (_, [pid], { terminate }) => {
      terminate(Number(pid))
      return []
    },
  ],
  [
    'pg_log_standby_snapshot()',
    (_, __, { database }) => {
      database.checkpoint()
      return []
    },
  ],
  ['pg_control_system()', (_, __, { database }) => [{ systemId: database.systemId, id: database.systemId }]],
  ['AS "serverVersion"', () => [{ serverVersion: 180_000 }]],
  ['SET SESSION', () => []],
  ['BEGIN', () => []],
  ['COMMIT', () => []],
  ['ROLLBACK', () => []],
]

/** The answer. @throws SqlError */
export function answer(text: string, parameters: readonly string[], asking: Asking): Answer {
  const found = ANSWERS.find(([part]) => text.includes(part))
  if (found === undefined) throw new Error(`The model of PostgreSQL has no answer to: ${text.slice(0, 300)}`)
  return found[1](text, parameters, asking)
}

/** As PostgreSQL writes it. */
export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`
}

/** The quoted text behind it. */
export function quotedAfter(text: string, before: string): string {
  const from = text.indexOf(`${before}'`) + before.length + 1
  return text.slice(from, text.indexOf("'", from))
}

function identity({ systemId, timeline, endLsn }: Database): Answer[number] {
  return { systemid: systemId, timeline, xlogpos: formatLsn(endLsn), dbname: 'app' }
}

/** The content of the timeline's history file. */
function historyOf({ timeline, history }: Database): Answer[number] {
  const lines = history.map(
    (each) => `${each.timeline}\t${formatLsn(each.endLsn)}\tno recovery target specified\n`,
  )
  return { filename: `${timeline.toString(16).padStart(8, '0')}.history`, content: lines.join('') }
}

function facts(database: Database, slotName: string): Answer[number] {
  const slot = database.slots.get(slotName)
  const { publication } = database
  return {
    ...{
      serverVersion: 180_000,
      database: 'app',
      isInRecovery: false,
      serverLsn: formatLsn(database.endLsn),
    },
    ...{ snapshot: database.snapshot, heldXids: null },
    ...{ isSlotWalLimited: false, maySnapshot: true, mayEmit: true, moneyScale: 2, skips: [] },
    slot: slot === undefined ? null : slotFacts(database, slot),
    publication: publication === null ? null : { oid: publication.oid, actions: 'iudt' },
  }
}

function confirmedOf({ making, confirmedLsn }: Slot): string | null {
  return making === null ? formatLsn(confirmedLsn) : null
}

function slotFacts({ endLsn }: Database, slot: Slot): Answer[number] {
  return {
    ...{
      slot_name: slot.name,
      plugin: 'pgoutput',
      slot_type: 'logical',
      database: 'app',
      wal_status: slot.invalidation === null ? 'reserved' : 'lost',
    },
    ...{
      active: slot.activePid !== null,
      active_pid: slot.activePid,
      active_name: null,
      invalidation_reason: slot.invalidation,
    },
    confirmed_flush_lsn: confirmedOf(slot),
    ...(slot.invalidation === 'wal_removed'
      ? { restart_lsn: null, retained_bytes: null, restart_bytes: null }
      : {
          restart_lsn: formatLsn(slot.restartLsn),
          retained_bytes: Number(endLsn - slot.restartLsn),
          restart_bytes: Number(slot.confirmedLsn - slot.restartLsn),
        }),
    ...{ safe_wal_size: null, failover: slot.syncedLsn !== null, synced: slot.syncedLsn !== null },
  }
}

function tableOf({ publication }: Database, table: Table): Answer[number] {
  const member = publication?.members.get(table.model)
  const isPublished = member !== undefined && table.isLogged
  const { model, oid, name } = table
  return {
    ...{
      model,
      schema: 'public',
      table: name,
      doesExist: true,
      kind: 'r',
      persistence: table.isLogged ? 'p' : 'u',
    },
    ...{
      isPublished,
      rowSecurityExempt: null,
      isOlderThanSlot: false,
      unpublishedColumns: [],
      opaqueColumns: [],
    },
    published: isPublished
      ? {
          ...{ oid, parts: [], fileNode: table.fileNode, toastOid: table.toastOid, rewriteMeans: 'nothing' },
          columns: table.columns.map(writtenColumn),
          evidence: `${publication?.oid} ${publication?.xmin} r p table:${member.oid}:${member.xmin} type:${oid}:${table.xmin}`,
        }
      : null,
  }
}

/** Drops the slot where nobody reads it, and it is the one that was looked at. */
function dropIfSame(database: Database, [name = '', confirmed]: readonly string[]): Answer {
  const slot = database.slots.get(name)
  if (slot === undefined || slot.activePid !== null || formatLsn(slot.confirmedLsn) !== confirmed) return []
  database.slots.delete(name)
  return [{ pg_drop_replication_slot: '' }]
}

/** A column with a value for rows of before it has been written by nobody, until the table is written again. */
function writtenColumn({ number, name, xmin }: Column): readonly [number, string, number] {
  return [number, name, name === FOREIGN_COLUMN ? 0 : xmin]
}

/** What the tables look like that are asked for. */
function shapes(database: Database, text: string): Answer {
  return [...database.tables.values()]
    .filter(({ name }) => text.includes(`('public', '${name}')`))
    .map(({ oid, name: table, columns }) => ({
      ...{ oid, schema: 'public', table, identity: 'full', lsn: formatLsn(database.endLsn) },
      columns: columns.map(({ name, type }) => ({
        ...{ name, typeOid: type === 'int4' ? 23 : 25, typeModifier: -1, isKey: true },
        ...{ baseSchema: 'pg_catalog', baseName: type },
      })),
    }))
}

function writers(database: Database): Answer {
  return database.locking.flatMap(({ xid, models }) =>
    [...models].map((model) => ({ model, writer: `1/${xid}` })),
  )
}

/** Statements are transactions of their own. */
function emit(database: Database, text: string): Answer[number] {
  const match = /emit_message\(true, '((?:[^']|'')*)', '((?:[^']|'')*)'\)/.exec(text)
  if (match === null) throw new SqlError('42601', 'syntax error')
  const [prefix, content] = match.slice(1).map((part) => part.replaceAll("''", "'"))
  const transaction = database.begin()
  database.emit(transaction, { prefix: prefix ?? '', content: content ?? '' })
  database.commit(transaction)
  return { pg_logical_emit_message: formatLsn(database.endLsn) }
}
