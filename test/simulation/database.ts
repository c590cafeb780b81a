/**
 * A model of PostgreSQL as a reader of a slot sees it: tables, a publication, transactions that write to them, the WAL they leave,
 * and slots. What its decoder would send is in `walsender.ts`, what its catalog would answer in `catalog-answers.ts`.
 */
import type { Random } from '../chaos/random.ts'

const [PAGE_BYTES, PAGE_HEADER_BYTES] = [8_192n, 24n]

/** A row: column → value; all columns are of type integer or text. */
export type Row = Readonly<Record<string, number | string | null>>

/** A column of a table. */
export interface Column {
  readonly name: string
  readonly type: 'int4' | 'text'
  /** pg_attribute.attnum: one that is made again has another. */
  readonly number: number
  /** The transaction that wrote it into the catalog. */
  readonly xmin: number
}

/** A table as it stands. */
export interface Table {
  readonly model: string
  readonly name: string
  oid: number
  /** Another one whenever ALTER TABLE writes it again. */
  toastOid: number
  /** Of its row type, which is written when it is made or renamed. */
  xmin: number
  fileNode: number
  isLogged: boolean
  /** How many columns it has ever had. */
  columnsMade: number
  columns: readonly Column[]
  readonly rows: Map<number, Row>
}

/** A table's membership in the publication. */
interface Member {
  readonly oid: number
  readonly xmin: number
}

/** The publication. */
export interface Publication {
  readonly oid: number
  readonly xmin: number
  readonly members: ReadonlyMap<string, Member>
}

export type Action = 'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE'

/** One change, and how the table and its publication stood then. */
export interface Write {
  readonly model: string
  readonly action: Action
  readonly old: Row | null
  readonly new: Row | null
  readonly oid: number
  readonly columns: Table['columns']
  readonly isPublished: boolean
}

/** A logical message. */
export interface LogicalMessage {
  readonly prefix: string
  readonly content: string
  /** Where its record ends. */
  readonly lsn: bigint
}

/** What somebody emits. */
export type Emitted = Omit<LogicalMessage, 'lsn'>

/** What stands in the WAL, as far as a decoder cares. */
export type WalRecord =
  | {
      readonly kind: 'commit'
      /** Where the commit record begins, and ends. */
      readonly commitLsn: bigint
      readonly endLsn: bigint
      readonly xid: number
      readonly atMs: number
      readonly items: readonly (Write | LogicalMessage)[]
    }
  | {
      readonly kind: 'message'
      readonly startLsn: bigint
      readonly endLsn: bigint
      readonly message: LogicalMessage
    }
  /** Of other databases, or of no interest. */
  | { readonly kind: 'noise'; readonly endLsn: bigint }

/** A logical slot. */
export interface Slot {
  readonly name: string
  madeAtMs: number
  /** Null: it is made. Else how many are waited for before it is. */
  making: SlotMaking | null
  confirmedLsn: bigint
  /** What survives a crash of the server. */
  persistedLsn: bigint
  restartLsn: bigint
  readonly catalogXmin: number
  activePid: number | null
  /** Why PostgreSQL has given it up; null: it has not. */
  invalidation: 'wal_removed' | 'idle_timeout' | null
  /** What a standby knows of it; null: it does not. */
  syncedLsn: bigint | null
}

/** What a slot waits for before it is made: whoever writes, and then whoever began to write meanwhile. */
interface SlotMaking {
  awaited: ReadonlySet<number>
  readonly isLast: boolean
}

/** How tables and the publication stood, and from where on. */
interface CatalogState {
  readonly lsn: bigint
  readonly atMs: number
  /** The model whose table was made. */
  readonly made: string | null
  readonly tables: ReadonlyMap<string, Omit<Table, 'rows'>>
  readonly publication: Publication | null
}

/** A timeline that has ended, and where. */
export interface TimelineEnd {
  readonly timeline: number
  readonly endLsn: bigint
}

/** A transaction that is open. */
export interface OpenTransaction {
  readonly xid: number
  readonly items: (Write | LogicalMessage)[]
  readonly models: Set<string>
  /** Undoes what it did. */
  readonly undo: (() => void)[]
  /** Rows it has locked: `model id`. */
  readonly locked: Set<string>
  /** Models whose tables it has emptied. */
  readonly emptied: Set<string>
}

/** A transaction that has committed, and is in no snapshot yet. */
interface Unseen extends Pick<OpenTransaction, 'xid' | 'models' | 'locked' | 'emptied'> {
  readonly untilMs: number
}

/** What a snapshot sees, taken at a moment. */
export interface Sight {
  /** As PostgreSQL writes it. */
  readonly text: string
  /** By model: how many entries the ledger had. */
  readonly lengths: ReadonlyMap<string, number>
  readonly running: ReadonlySet<number>
  /** By model; null: another one than it has now. */
  readonly fileNodes: ReadonlyMap<string, number | null>
}

/** A change that was committed. */
export interface LedgerEntry {
  readonly model: string
  /** Of its table. */
  readonly oid: number
  readonly action: Action
  readonly commitLsn: bigint
  readonly xid: number
  /** When it was committed, in the world's time. */
  readonly atMs: number
  readonly old: Row | null
  readonly new: Row | null
  readonly isPublished: boolean
}

/** Rows lose what they have in a column, of which the stream says nothing: of the entries of the model from before. */
interface ColumnLoss {
  readonly model: string
  readonly oid: number
  readonly lsn: bigint
  /** How many entries the model had. */
  readonly entries: number
}

/** What ALTER TABLE does: each is undone by `restoreColumns`, but for a column that nobody asks for. */
export type Alteration = 'add' | 'rename' | 'drop' | 'retype'

/** A column that no model has, and what each row has there. */
export const FOREIGN_COLUMN = 'extra'
export const FOREIGN_VALUE = 'x'
/** What `name` is called meanwhile. */
export const OTHER_NAME = 'label'

const FIRST_OID = 16_384
/** Where the WAL begins: also shortly before what numbers of fewer bits, or with a sign, cannot distinguish. */
const FIRST_LSNS: readonly bigint[] = [0x1000000n, 0x7fff_e000n, 0xffff_e000n, 0x7fff_ffff_ffff_e000n]

/** One server. */
export class Database {
  readonly systemId = '7712772921593811416'
  timeline = 1
  /** Of its ancestors, the oldest first. */
  history: readonly TimelineEnd[] = []
  /** Of the present step. */
  random: Random
  readonly tables = new Map<string, Table>()
  publication: Publication | null
  readonly slots = new Map<string, Slot>()
  readonly wal: WalRecord[] = []
  readonly open = new Set<OpenTransaction>()
  readonly ledger: LedgerEntry[] = []
  /** The ledger by model: whoever looks something up need not look through all of it. */
  readonly #byModel = new Map<string, LedgerEntry[]>()
  /** What each entry's table had right behind it, in the order of its key. */
  readonly #rowsBehind = new Map<LedgerEntry, readonly Row[]>()
  /** The same of the newest entry, by the table's OID. */
  readonly #newestRows = new Map<number, readonly Row[]>()
  /** What its standby has. */
  #standbyLsn: bigint
  readonly #catalogs: CatalogState[] = []
  readonly #losses: ColumnLoss[] = []
  #endLsn: bigint
  #nextXid = 700
  #nextOid = FIRST_OID
  readonly #locked = new Set<string>()
  /** By model: how many transactions that read have its table. */
  readonly #reading = new Map<string, number>()
  /** Committed, and in no snapshot yet. */
  #unseen: Unseen[] = []
  /** How long a commit that is on disk may be invisible to others. */
  visibleAfterMs = 0
  /** Greatest key of a row, and greatest `n`: the fewer there are, the more rows have to do with each other. */
  idMax = 6
  numberMax = 9
  /** Called when the WAL has grown. */
  onWal: () => void = () => {}

  constructor(random: Random, models: readonly string[]) {
    this.random = random
    this.#endLsn = random.pick(FIRST_LSNS)
    for (const model of models) this.tables.set(model, this.#makeTable(model))
    const xmin = this.#takeXid()
    const members = new Map(models.map((model) => [model, { oid: this.#takeOid(), xmin }]))
    this.publication = { oid: this.#takeOid(), xmin, members }
    this.#standbyLsn = this.#endLsn
    this.#keepCatalog()
  }

  get endLsn(): bigint {
    return this.#endLsn
  }

  get nextXid(): number {
    return this.#nextXid
  }

  /** Makes the slot where the WAL ends. */
  createSlot(name: string): Slot {
    const slot: Slot = {
      madeAtMs: performance.now(),
      ...{ name, confirmedLsn: this.#endLsn, persistedLsn: this.#endLsn, restartLsn: this.#endLsn },
      ...{ catalogXmin: this.#nextXid, activePid: null, syncedLsn: null, invalidation: null, making: null },
    }
    this.slots.set(name, slot)
    return slot
  }

  /** As pg_create_logical_replication_slot does, for a session: it waits. */
  beginSlot(name: string, pid: number): Slot {
    const slot = this.createSlot(name)
    slot.activePid = pid
    slot.making = { awaited: this.#writing, isLast: this.#writing.size === 0 }
    this.lookAtSlot(slot)
    return slot
  }

  /**
   * Makes it, where nobody is waited for any more; it sends what commits from here on, and whoever that is began after it was asked for.
   * Source: PostgreSQL, SnapBuildFindSnapshot.
   */
  lookAtSlot(slot: Slot): void {
    const writing = this.#writing
    const isWaiting = (): boolean => [...(slot.making?.awaited ?? [])].some((xid) => writing.has(xid))
    if (slot.making === null || isWaiting()) return
    if (!slot.making.isLast) slot.making = { awaited: writing, isLast: true }
    if (isWaiting()) return
    const { endLsn } = this
    Object.assign(slot, { confirmedLsn: endLsn, persistedLsn: endLsn, restartLsn: endLsn })
    Object.assign(slot, { madeAtMs: performance.now(), making: null, activePid: null })
  }

  get #writing(): ReadonlySet<number> {
    return new Set(this.locking.map(({ xid }) => xid))
  }

  /** The standby receives all there is. */
  replicate(): void {
    this.#standbyLsn = this.#endLsn
  }

  /** The standby takes over what slots have confirmed, as far as it has the WAL. Source: PostgreSQL manual, "Replication Slot Synchronization". */
  synchronizeSlots(): void {
    for (const slot of this.slots.values())
      if (slot.confirmedLsn <= this.#standbyLsn && slot.invalidation === null && slot.making === null)
        slot.syncedLsn = slot.confirmedLsn
  }

  /** The standby is promoted: a server with what it had received, and with the slots it knew. This one knows nothing of it. */
  promoteStandby(random: Random): Database {
    const endLsn = this.#standbyLsn
    const next = new Database(random, [])
    const { note, visibleAfterMs, idMax, numberMax } = this
    Object.assign(next, { timeline: this.timeline + 1, note, visibleAfterMs, idMax, numberMax })
    next.history = [...this.history, { timeline: this.timeline, endLsn }]
    next.wal.push(...this.wal.filter((record) => record.endLsn <= endLsn))
    const last = next.wal.findLast(({ kind }) => kind === 'commit')
    const lastLsn = last?.kind === 'commit' ? last.commitLsn : -1n
    const losses = this.#losses.filter(({ lsn }) => lsn <= endLsn)
    for (const entry of this.ledger.filter(({ commitLsn }) => commitLsn <= lastLsn)) {
      next.#loseDue(losses, entry.model)
      next.#enter(entry)
    }
    for (const model of this.tables.keys()) next.#loseDue(losses, model)
    next.#restoreCatalog(this.#catalogs.filter(({ lsn }) => lsn <= endLsn))
    next.#endLsn = endLsn
    next.#nextXid = this.#nextXid
    next.#nextOid = this.#nextOid
    for (const slot of this.slots.values())
      if (slot.syncedLsn !== null && slot.invalidation === null) {
        const own = next.createSlot(slot.name)
        Object.assign(own, { confirmedLsn: slot.syncedLsn, persistedLsn: slot.syncedLsn })
        Object.assign(own, { restartLsn: slot.syncedLsn, syncedLsn: slot.syncedLsn })
      }
    next.noise()
    next.#standbyLsn = next.#endLsn
    return next
  }

  #restoreCatalog(catalogs: readonly CatalogState[]): void {
    this.#catalogs.splice(0, Number.POSITIVE_INFINITY, ...catalogs)
    const state = catalogs.at(-1)
    this.publication = state?.publication ?? null
    this.tables.clear()
    for (const [model, table] of state?.tables ?? []) {
      const rows = (this.#newestRows.get(table.oid) ?? []).map((row) => [Number(row['id']), row] as const)
      this.tables.set(model, { ...table, rows: new Map(rows) })
    }
  }

  /** DDL is in the WAL, as all is: whoever is promoted has what it received. */
  #keepCatalog(made: string | null = null): void {
    const tables = new Map([...this.tables].map(([model, { rows: _, ...table }]) => [model, table]))
    const { publication } = this
    this.#catalogs.push({ lsn: this.#endLsn, atMs: performance.now(), made, tables, publication })
  }

  begin(): OpenTransaction {
    const transaction: OpenTransaction = {
      ...{ xid: this.#takeXid(), items: [], models: new Set(), undo: [] },
      ...{ locked: new Set(), emptied: new Set() },
    }
    this.open.add(transaction)
    return transaction
  }

  /** Writes a row at random, as far as nobody else has it locked. */
  write(transaction: OpenTransaction, model: string): void {
    this.#seeDue()
    const table = this.tables.get(model) as Table
    const id = this.random.integer(1, this.idMax)
    const key = `${model} ${id}`
    if (this.#locked.has(key) && !transaction.locked.has(key)) return
    const old = table.rows.get(id) ?? null
    const row: Row = {
      id,
      n: this.random.integer(0, this.numberMax),
      name: this.random.chance(0.2) || !hasName(table) ? null : `v${this.#nextXid}`,
    }
    const action = old === null ? 'INSERT' : this.random.chance(0.3) ? 'DELETE' : 'UPDATE'
    this.#locked.add(key)
    transaction.locked.add(key)
    transaction.models.add(model)
    const next = action === 'DELETE' ? null : row
    if (next === null) table.rows.delete(id)
    else table.rows.set(id, next)
    transaction.undo.push(() => {
      if (old === null) table.rows.delete(id)
      else table.rows.set(id, old)
    })
    transaction.items.push({
      ...{ model, action, old, new: next, oid: table.oid, columns: table.columns },
      isPublished: table.isLogged && (this.publication?.members.has(model) ?? false),
    })
    this.#grow(this.random.integer(8, 30))
  }

  /** TRUNCATE, which waits for nobody: false where somebody writes to the table, or reads it. */
  truncate(transaction: OpenTransaction, model: string): boolean {
    const others = this.locking.filter(({ xid }) => xid !== transaction.xid)
    if (this.isRead(model) || others.some(({ models }) => models.has(model))) return false
    const table = this.tables.get(model) as Table
    const rows = new Map(table.rows)
    const { fileNode } = table
    table.rows.clear()
    table.fileNode = this.#takeOid()
    transaction.models.add(model)
    transaction.emptied.add(model)
    transaction.undo.push(() => {
      for (const [id, row] of rows) table.rows.set(id, row)
      table.fileNode = fileNode
    })
    transaction.items.push({
      ...{ model, action: 'TRUNCATE', old: null, new: null, oid: table.oid, columns: table.columns },
      isPublished: table.isLogged && (this.publication?.members.has(model) ?? false),
    })
    this.#grow(this.random.integer(8, 30))
    return true
  }

  /** A message that is part of the transaction. */
  emit(transaction: OpenTransaction, message: Emitted): void {
    this.#grow(this.random.integer(8, 20))
    transaction.items.push({ ...message, lsn: this.#endLsn })
  }

  /** Notes what happens, for whoever looks for the cause of something. */
  note: (text: string) => void = () => {}

  commit(transaction: OpenTransaction): void {
    this.open.delete(transaction)
    const { xid, items, locked } = transaction
    const commitLsn = this.#endLsn
    this.#grow(6)
    for (const item of items) {
      const text =
        'model' in item
          ? `${item.action} ${item.model} ${JSON.stringify(item.new ?? item.old)}${item.isPublished ? '' : ', not published'}`
          : `message ${item.prefix} ${item.content}`
      this.note(`  ${commitLsn.toString(16)}: ${text}`)
    }
    this.wal.push({ kind: 'commit', commitLsn, endLsn: this.#endLsn, xid, atMs: Date.now(), items })
    if (transaction.emptied.size > 0) this.#keepCatalog()
    const atMs = performance.now()
    for (const item of items) if ('model' in item) this.#enter({ ...item, commitLsn, xid, atMs })
    // Its locks are held until others see it.
    if (this.visibleAfterMs > 0)
      this.#unseen.push({
        ...{ xid, models: transaction.models, locked, emptied: transaction.emptied },
        untilMs: atMs + this.random.integer(0, this.visibleAfterMs),
      })
    else this.#unlock(locked)
    this.onWal()
  }

  #enter(entry: LedgerEntry): void {
    const rows = rowsAfter(this.#newestRows.get(entry.oid) ?? [], entry)
    this.ledger.push(entry)
    this.#rowsBehind.set(entry, rows)
    this.#newestRows.set(entry.oid, rows)
    const entries = this.#byModel.get(entry.model)
    if (entries === undefined) this.#byModel.set(entry.model, [entry])
    else entries.push(entry)
  }

  /** What the ledger has of a model. */
  entriesOf(model: string): readonly LedgerEntry[] {
    return this.#byModel.get(model) ?? []
  }

  rollback(transaction: OpenTransaction): void {
    this.open.delete(transaction)
    this.#unlock(transaction.locked)
    for (const undo of transaction.undo.reverse()) undo()
    this.noise()
  }

  /** Who holds locks: what is open, and what has committed and cannot be seen yet. */
  get locking(): readonly Pick<OpenTransaction, 'xid' | 'models' | 'emptied'>[] {
    this.#seeDue()
    return [...this.open, ...this.#unseen]
  }

  /** pg_current_snapshot(), as text: what is open, and what has committed and cannot be seen yet, is not in it. */
  get snapshot(): string {
    const running = this.locking.map(({ xid }) => xid)
    const xmax = this.#nextXid + 1
    return `${Math.min(xmax, ...running)}:${xmax}:${running.sort((a, b) => a - b).join(',')}`
  }

  /** Whoever reads keeps a table as it is until the transaction ends. */
  lockForRead(model: string, isHeld: boolean): void {
    this.#reading.set(model, (this.#reading.get(model) ?? 0) + (isHeld ? 1 : -1))
  }

  /** Whether somebody has emptied its table, and cannot be seen yet. */
  isRewriting(model: string): boolean {
    return this.locking.some(({ emptied }) => emptied.has(model))
  }

  isRead(model: string): boolean {
    return (this.#reading.get(model) ?? 0) > 0
  }

  /** A snapshot. */
  see(): Sight {
    const running = new Set(this.locking.map(({ xid }) => xid))
    // Of a table that is being emptied, the catalog says to the snapshot which file it had before that.
    const fileNodes = new Map(
      [...this.tables].map(([model, { fileNode }]) => [model, this.isRewriting(model) ? null : fileNode]),
    )
    const lengths = new Map([...this.#byModel].map(([model, { length }]) => [model, length]))
    return { text: this.snapshot, lengths, running, fileNodes }
  }

  /** The rows of a model that a snapshot sees, of the table as it is now: DDL keeps to no snapshot. */
  rowsSeen(model: string, { lengths, running }: Sight): readonly Row[] {
    const entries = this.entriesOf(model)
    // TRUNCATE keeps to no snapshot: the table is empty for those from before.
    const emptied = entries.findLastIndex(({ action }) => action === 'TRUNCATE')
    const oid = this.tables.get(model)?.oid
    const lost = this.#losses.findLast((loss) => loss.model === model && loss.oid === oid)?.entries ?? 0
    const rowsOf = (from: number, to: number, before: readonly Row[]) =>
      entries
        .slice(from, to)
        .filter((entry) => entry.oid === oid && !running.has(entry.xid))
        .reduce(rowsAfter, before)
    const length = lengths.get(model) ?? 0
    const first = rowsOf(emptied + 1, Math.min(lost, length), []).map(withoutName)
    return rowsOf(Math.max(emptied + 1, lost), length, first)
  }

  /** The rows of a model after all that committed up to a position. */
  rowsAt(model: string, lsn: bigint): readonly Row[] {
    const table = this.#catalogs.findLast((state) => state.lsn <= lsn)?.tables.get(model)
    const entries = this.entriesOf(model)
    for (let index = firstAt(entries, lsn + 1n) - 1; index >= 0; index -= 1) {
      const entry = entries[index] as LedgerEntry
      if (entry.oid !== table?.oid) continue
      const rows = this.#rowsBehind.get(entry) ?? []
      const isLost = this.#losses.some(
        (loss) => loss.oid === entry.oid && loss.entries > index && loss.lsn <= lsn,
      )
      return isLost ? rows.map(withoutName) : rows
    }
    return []
  }

  /** Whether a model's table has become another one since a moment, or something of it was not published. */
  hasGap(model: string, sinceMs: number): boolean {
    return (
      this.#catalogs.some(({ atMs, made }) => made === model && atMs >= sinceMs) ||
      this.ledger.some((entry) => entry.model === model && !entry.isPublished && entry.atMs >= sinceMs)
    )
  }

  /** Whether a slot was made since a moment: what was written while there was none is in no stream. */
  hasNewSlot(sinceMs: number): boolean {
    return [...this.slots.values()].some(({ madeAtMs }) => madeAtMs >= sinceMs)
  }

  /** Whether a model's changes were not published at some time since a moment, though nothing may have been written meanwhile. */
  wasUnpublished(model: string, sinceMs: number): boolean {
    const first = this.#catalogs.findLastIndex(({ atMs }) => atMs <= sinceMs)
    return this.#catalogs
      .slice(Math.max(0, first))
      .some(({ publication }) => publication?.members.has(model) !== true)
  }

  /** A message that is sent at once, whatever becomes of the transaction that wrote it. */
  emitAtOnce(message: Emitted): void {
    const startLsn = this.#endLsn
    this.#grow(this.random.integer(8, 20))
    this.wal.push({
      kind: 'message',
      startLsn,
      endLsn: this.#endLsn,
      message: { ...message, lsn: this.#endLsn },
    })
    this.onWal()
  }

  /** Another database writes. */
  noise(): void {
    this.#grow(this.random.integer(1, 2_000))
    this.wal.push({ kind: 'noise', endLsn: this.#endLsn })
    this.onWal()
  }

  /** ALTER PUBLICATION … DROP TABLE; true where there was one. */
  unpublish(model: string): void {
    this.#alterPublication((members) => members.delete(model))
  }

  /** ALTER PUBLICATION … ADD TABLE. */
  publish(model: string): void {
    const member = { oid: this.#takeOid(), xmin: this.#nextXid }
    this.#alterPublication((members) => {
      if (!members.has(model)) members.set(model, member)
    })
  }

  /** DROP PUBLICATION; CREATE PUBLICATION, with the same tables. */
  recreatePublication(): void {
    const { publication } = this
    if (publication === null) return
    const xmin = this.#takeXid()
    const members = new Map(
      [...publication.members.keys()].map((model) => [model, { oid: this.#takeOid(), xmin }]),
    )
    this.publication = { oid: this.#takeOid(), xmin, members }
    this.noise()
    this.#keepCatalog()
  }

  /** DROP TABLE, CREATE TABLE: no rows, another OID, and no longer published. False where somebody writes to it. */
  recreateTable(model: string): boolean {
    if (this.isRead(model) || this.locking.some(({ models }) => models.has(model))) return false
    this.unpublish(model)
    this.tables.set(model, this.#makeTable(model))
    this.noise()
    this.#keepCatalog(model)
    return true
  }

  /** ALTER TABLE. False where somebody writes to it or reads it, or it is altered already. */
  alterTable(model: string, how: Alteration): boolean {
    const table = this.tables.get(model) as Table
    const { columns } = table
    if (!this.#mayAlter(model)) return false
    if (how === 'add') {
      if (columns.some(({ name }) => name === FOREIGN_COLUMN)) return false
      this.#addColumn(table, FOREIGN_COLUMN)
    } else {
      if (!this.fits(model)) return false
      const xmin = this.#takeXid()
      if (how === 'rename')
        table.columns = columns.map((each) =>
          each.name === 'name' ? { ...each, name: OTHER_NAME, xmin } : each,
        )
      else if (how === 'drop') this.#dropName(table)
      else this.#retype(table, 'text')
    }
    this.noise()
    this.#keepCatalog(how === 'drop' ? model : null)
    return true
  }

  /** ALTER TABLE, so that all fields of the model have their columns again. False where somebody writes to it or reads it. */
  restoreColumns(model: string): boolean {
    const table = this.tables.get(model) as Table
    if (!this.#mayAlter(model)) return false
    const xmin = this.#takeXid()
    const { columns } = table
    let isMade = false
    if (columns.some(({ name }) => name === OTHER_NAME))
      table.columns = columns.map((each) =>
        each.name === OTHER_NAME ? { ...each, name: 'name', xmin } : each,
      )
    else if (!hasName(table)) {
      this.#addColumn(table, 'name')
      isMade = true
    }
    if (table.columns.some(({ name, type }) => name === 'n' && type === 'text')) {
      this.#retype(table, 'int4')
      isMade = true
    }
    if (table.columns.some(({ name }) => name === FOREIGN_COLUMN) && this.random.chance(0.5))
      table.columns = table.columns.filter(({ name }) => name !== FOREIGN_COLUMN)
    this.noise()
    this.#keepCatalog(isMade ? model : null)
    return true
  }

  /** Whether the table has all columns that the model reads, of their types. */
  fits(model: string): boolean {
    const { columns } = this.tables.get(model) as Table
    return (
      columns.some(({ name }) => name === 'name') &&
      columns.some(({ name, type }) => name === 'n' && type === 'int4')
    )
  }

  #mayAlter(model: string): boolean {
    return !this.isRead(model) && !this.locking.some(({ models }) => models.has(model))
  }

  #addColumn(table: Table, name: string): void {
    const number = table.columnsMade + 1
    table.columnsMade = number
    table.columns = [...table.columns, { name, type: 'text', number, xmin: this.#takeXid() }]
  }

  #dropName(table: Table): void {
    table.columns = table.columns.filter(({ name }) => name !== 'name')
    const { model, oid } = table
    this.#lose({ model, oid, lsn: this.#endLsn, entries: this.entriesOf(model).length })
    for (const [id, row] of table.rows) table.rows.set(id, withoutName(row))
  }

  /** Those of the losses that come before the next entry of the model. */
  #loseDue(losses: readonly ColumnLoss[], model: string): void {
    for (const loss of losses)
      if (
        loss.model === model &&
        loss.entries === this.entriesOf(model).length &&
        !this.#losses.includes(loss)
      )
        this.#lose(loss)
  }

  #lose(loss: ColumnLoss): void {
    this.#losses.push(loss)
    const { oid } = loss
    this.#newestRows.set(oid, (this.#newestRows.get(oid) ?? []).map(withoutName))
  }

  /** Which writes the table again. */
  #retype(table: Table, type: Column['type']): void {
    const xmin = this.#takeXid()
    table.columns = table.columns.map((each) => (each.name === 'n' ? { ...each, type, xmin } : each))
    table.fileNode = this.#takeOid()
    table.toastOid = this.#takeOid()
  }

  /** The server crashes: what is not committed is undone, and slots stand where they were persisted. */
  crash(): void {
    for (const transaction of [...this.open]) this.rollback(transaction)
    for (const slot of [...this.slots.values()]) {
      if (slot.making !== null) this.slots.delete(slot.name)
      slot.activePid = null
      slot.confirmedLsn = slot.persistedLsn
    }
    // An immediate restart writes a checkpoint.
    this.noise()
  }

  /** A checkpoint persists what slots have confirmed. */
  checkpoint(): void {
    for (const slot of this.slots.values()) {
      slot.persistedLsn = slot.confirmedLsn
      slot.restartLsn = slot.confirmedLsn
    }
    this.noise()
  }

  #alterPublication(change: (members: Map<string, Member>) => void): void {
    if (this.publication === null) return
    const members = new Map(this.publication.members)
    const before = new Set(members.keys())
    change(members)
    for (const model of this.tables.keys()) if (before.has(model) !== members.has(model)) this.#doubt(model)
    this.publication = { ...this.publication, members }
    this.#takeXid()
    this.noise()
    this.#keepCatalog()
  }

  /** Who writes while the publication is altered: by what its caches hold, a walsender sends what was written before, or not. */
  #doubt(model: string): void {
    for (const { items } of this.open)
      for (const [index, item] of items.entries())
        if ('model' in item && item.model === model && this.random.chance(0.3))
          items[index] = { ...item, isPublished: !item.isPublished }
  }

  /** What becomes visible by now is locked no more. */
  #seeDue(): void {
    const nowMs = performance.now()
    if (!this.#unseen.some(({ untilMs }) => untilMs <= nowMs)) return
    for (const { untilMs, locked } of this.#unseen) if (untilMs <= nowMs) this.#unlock(locked)
    this.#unseen = this.#unseen.filter(({ untilMs }) => untilMs > nowMs)
  }

  #unlock(locked: ReadonlySet<string>): void {
    for (const key of locked) this.#locked.delete(key)
  }

  #makeTable(model: string): Table {
    const xmin = this.#takeXid()
    const [oid, fileNode] = [this.#takeOid(), this.#takeOid()]
    return {
      ...{ model, name: model.toLowerCase(), oid, toastOid: oid + 1, xmin },
      ...{ fileNode, isLogged: true, rows: new Map(), columnsMade: 3 },
      columns: [
        { name: 'id', type: 'int4', number: 1, xmin },
        { name: 'n', type: 'int4', number: 2, xmin },
        { name: 'name', type: 'text', number: 3, xmin },
      ],
    }
  }

  /**
   * Records begin at multiples of 8 bytes, and none ends where the header of a page does: the position there says that nothing stands on
   * the page. Source: PostgreSQL, XLogBytePosToEndRecPtr.
   */
  #grow(words: number): void {
    this.#endLsn += BigInt(words) * 8n
    if (this.#endLsn % PAGE_BYTES === PAGE_HEADER_BYTES) this.#endLsn += 8n
  }

  #takeXid(): number {
    this.#nextXid += 1
    return this.#nextXid
  }

  #takeOid(): number {
    this.#nextOid += 1
    return this.#nextOid
  }
}

function hasName({ columns }: Table): boolean {
  return columns.some(({ name }) => name === 'name' || name === OTHER_NAME)
}

function withoutName(row: Row): Row {
  return { ...row, name: null }
}

/** What a table has behind a change, in the order of its key. */
function rowsAfter(rows: readonly Row[], { action, old, new: row }: LedgerEntry): readonly Row[] {
  if (action === 'TRUNCATE') return []
  const id = Number((row ?? old)?.['id'])
  const others = rows.filter((each) => each['id'] !== id)
  if (row === null) return others
  const at = others.findIndex((each) => Number(each['id']) > id)
  return others.toSpliced(at < 0 ? others.length : at, 0, row)
}

/** The index of the first entry that commits there or behind. */
export function firstAt(entries: readonly Pick<LedgerEntry, 'commitLsn'>[], lsn: bigint): number {
  let [low, high] = [0, entries.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((entries[middle]?.commitLsn ?? lsn) < lsn) low = middle + 1
    else high = middle
  }
  return low
}
