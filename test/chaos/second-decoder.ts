/**
 * A second decoder of the same WAL: a slot of PostgreSQL's own `test_decoding`, which knows no publication and nothing of
 * rowcast. It says every committed change in commit order, with both rows. Source: PostgreSQL manual, "Logical Decoding Examples".
 */
import { type Lsn, parseLsn } from '../../src/wire/lsn.ts'
import { CHAOS_MODEL_NAMES, type ChaosModel } from './ledger.ts'
import { abridge, COLUMNS, type RowImage } from './rows.ts'

/** One change, as the WAL has it. */
export interface DecodedChange {
  readonly model: ChaosModel
  readonly action: 'INSERT' | 'UPDATE' | 'DELETE'
  readonly old: RowImage | null
  readonly new: RowImage | null
}

/** Columns of the tables that runs with sets write beside the models of the ledger. */
export const RELATED_COLUMNS = {
  Comment: ['id', 'body', 'postId', 'authorId'],
  team_memberships: ['user_id', 'team_id'],
} as const
/** One of them. */
export type RelatedTable = keyof typeof RELATED_COLUMNS

/** One change of theirs. */
export interface RelatedChange {
  readonly table: RelatedTable
  readonly old: RowImage | null
  readonly new: RowImage | null
}

/** One transaction, in commit order. */
export interface DecodedTransaction {
  readonly xid: string
  /** The end of its commit record. */
  readonly endLsn: Lsn
  /** Whether it is one that changed tables, not one of the writers. */
  readonly isDdl: boolean
  readonly changes: readonly DecodedChange[]
  readonly related: readonly RelatedChange[]
  /** Models of which it says, as a barrier of rowcast's own, that changes before it may be missing. */
  readonly cuts: readonly ChaosModel[]
}

/** Runs one statement. */
export type Query = <Row extends object>(
  text: string,
  parameters?: readonly unknown[],
) => Promise<readonly Row[]>

const SLOT = 'chaos_second_decoder'
/** Changes that are fetched at once, beyond whole transactions: some are of megabytes. */
const BATCH = 200
/** Logged by transactions that change tables. */
export const DDL_TABLE = 'chaos_ddl'

/** Begins to keep the WAL; before anything is written. */
export async function openSecondDecoder(query: Query): Promise<void> {
  await query(`SELECT pg_create_logical_replication_slot('${SLOT}', 'test_decoding')`)
}

/** Everything that was committed since it was opened. */
export async function decodeAll(query: Query): Promise<readonly DecodedTransaction[]> {
  const decoder = new TextDecoder()
  for (;;) {
    const rows = await query<{ lsn: string; data: string }>(
      `SELECT lsn::text, data FROM pg_logical_slot_get_changes('${SLOT}', NULL, ${BATCH}, 'skip-empty-xacts', '1')`,
    )
    if (rows.length === 0) return decoder.transactions
    for (const { lsn, data } of rows) decoder.read(lsn, data)
  }
}

/** Reads the lines of `test_decoding`. */
export class TextDecoder {
  readonly transactions: DecodedTransaction[] = []
  #changes: DecodedChange[] = []
  #related: RelatedChange[] = []
  #cuts: readonly ChaosModel[] = []
  #isDdl = false

  read(lsn: string, line: string): void {
    if (line.startsWith('BEGIN')) {
      this.#changes = []
      this.#related = []
      this.#cuts = []
      this.#isDdl = false
    } else if (line.startsWith('COMMIT')) {
      const xid = line.slice('COMMIT '.length)
      const said = { isDdl: this.#isDdl, changes: this.#changes, related: this.#related, cuts: this.#cuts }
      this.transactions.push({ xid, endLsn: parseLsn(lsn), ...said })
    } else if (line.startsWith(BARRIER)) this.#cuts = readCuts(line)
    else this.#readChange(line)
  }

  #readChange(line: string): void {
    if (line.startsWith(`table public.${DDL_TABLE}:`)) this.#isDdl = true
    const colon = line.indexOf(': ')
    // A partition is named as itself.
    const table = /^table public\."?([A-Za-z_]+?)(?:_\d+)?"?$/.exec(line.slice(0, colon))?.[1]
    const model = CHAOS_MODEL_NAMES.find((name) => name === table)
    const related = RELATED_TABLES.find((name) => name === table)
    if (model === undefined && related === undefined) return
    const rest = line.slice(colon + 2)
    const action = (['INSERT', 'UPDATE', 'DELETE'] as const).find((name) => rest.startsWith(`${name}: `))
    if (action === undefined) return
    const text = rest.slice(`${action}: `.length)
    if (model !== undefined) this.#changes.push({ model, action, ...readRows(COLUMNS[model], action, text) })
    else if (related !== undefined)
      this.#related.push({ table: related, ...readRows(RELATED_COLUMNS[related], action, text) })
  }
}

const RELATED_TABLES = Object.keys(RELATED_COLUMNS) as RelatedTable[]

/** A message of rowcast to the process that comes next. */
const BARRIER = 'message: transactional: 1 prefix: rowcast,'

function readCuts(line: string): readonly ChaosModel[] {
  const content = line.slice(line.indexOf('content:') + 'content:'.length)
  if (content === '') return []
  const { cut } = JSON.parse(content) as { readonly cut: readonly string[] }
  return CHAOS_MODEL_NAMES.filter((model) => cut.includes(model))
}

function readRows(columns: readonly string[], action: DecodedChange['action'], text: string) {
  if (action === 'INSERT') return { old: null, new: readRow(columns, text, 0, null).row }
  if (action === 'DELETE') return { old: readRow(columns, text, 0, null).row, new: null }
  const oldAt = text.startsWith('old-key: ') ? 'old-key: '.length : 0
  const old = oldAt === 0 ? null : readRow(columns, text, oldAt, null)
  const newAt = old === null ? 0 : old.end + 'new-tuple: '.length
  return { old: old?.row ?? null, new: readRow(columns, text, newAt, old?.row ?? null).row }
}

/** `name[type]:value` after another, up to `new-tuple:` or the end; what did not change stands in the row before. */
function readRow(columns: readonly string[], text: string, from: number, before: RowImage | null) {
  const row: Record<string, string | null> = Object.fromEntries(columns.map((column) => [column, null]))
  let at = from
  while (at < text.length && !text.startsWith('new-tuple: ', at)) {
    const typeAt = text.indexOf('[', at)
    const name = text.slice(at, typeAt).replaceAll('"', '')
    const value = readValue(text, text.indexOf(']:', typeAt) + 2)
    if (name in row) row[name] = value.isUnchanged ? (before?.[name] ?? null) : value.text
    at = value.end + 1
  }
  return { row, end: at }
}

function readValue(text: string, from: number) {
  if (text[from] !== "'") {
    const space = text.indexOf(' ', from)
    const end = space < 0 ? text.length : space
    const word = text.slice(from, end)
    return { end, isUnchanged: word === 'unchanged-toast-datum', text: word === 'null' ? null : word }
  }
  let end = text.indexOf("'", from + 1)
  while (text[end + 1] === "'") end = text.indexOf("'", end + 2)
  return { end: end + 1, isUnchanged: false, text: abridge(text.slice(from + 1, end).replaceAll("''", "'")) }
}
