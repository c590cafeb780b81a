/**
 * A model of PostgreSQL as a reader of a slot sees it: tables, a publication, transactions that write to them, the WAL they leave,
 * and slots. What its decoder would send is in `walsender.ts`, what its catalog would answer in `catalog-answers.ts`.
 */
import type { Random } from '../chaos/random.ts'

/** A row: column → value; all columns are of type integer or text. */
export type Row = Readonly<Record<string, number | string | null>>

/** A table as it stands. */
export interface Table {
  readonly model: string
  readonly name: string
  oid: number
  /** Of its row type, which is written when it is made or renamed. */
  xmin: number
  fileNode: number
  isLogged: boolean
  columns: readonly { readonly name: string; readonly type: 'int4' | 'text' }[]
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

export type Action = 'INSERT' | 'UPDATE' | 'DELETE'

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
  confirmedLsn: bigint
  /** What survives a crash of the server. */
  persistedLsn: bigint
  restartLsn: bigint
  readonly catalogXmin: number
  activePid: number | null
  /** What a standby knows of it; null: it does not. */
  syncedLsn: bigint | null
}

/** How tables and the publication stood, and from where on. */
interface CatalogState {
  readonly lsn: bigint
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
  /** What its standby has. */
  #standbyLsn: bigint
  readonly #catalogs: CatalogState[] = []
  #endLsn: bigint
  #nextXid = 700
  #nextOid = FIRST_OID
  readonly #locked = new Set<string>()
  /** Committed, and in no snapshot yet. */
  #unseen: { readonly xid: number; readonly models: ReadonlySet<string>; readonly untilMs: number }[] = []
  /** How long a commit that is on disk may be invisible to others. */
  visibleAfterMs = 0
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
      ...{ name, confirmedLsn: this.#endLsn, persistedLsn: this.#endLsn, restartLsn: this.#endLsn },
      ...{ catalogXmin: this.#nextXid, activePid: null, syncedLsn: null },
    }
    this.slots.set(name, slot)
    return slot
  }

  /** The standby receives all there is. */
  replicate(): void {
    this.#standbyLsn = this.#endLsn
  }

  /** The standby takes over what slots have confirmed, as far as it has the WAL. Source: PostgreSQL manual, "Replication Slot Synchronization". */
  synchronizeSlots(): void {
    for (const slot of this.slots.values())
      if (slot.confirmedLsn <= this.#standbyLsn) slot.syncedLsn = slot.confirmedLsn
  }

  /** The standby is promoted: a server with what it had received, and with the slots it knew. This one knows nothing of it. */
  promoteStandby(random: Random): Database {
    const endLsn = this.#standbyLsn
    const next = new Database(random, [])
    Object.assign(next, { timeline: this.timeline + 1, note: this.note, visibleAfterMs: this.visibleAfterMs })
    next.history = [...this.history, { timeline: this.timeline, endLsn }]
    next.wal.push(...this.wal.filter((record) => record.endLsn <= endLsn))
    const last = next.wal.findLast(({ kind }) => kind === 'commit')
    const lastLsn = last?.kind === 'commit' ? last.commitLsn : -1n
    next.ledger.push(...this.ledger.filter(({ commitLsn }) => commitLsn <= lastLsn))
    next.#restoreCatalog(this.#catalogs.filter(({ lsn }) => lsn <= endLsn))
    next.#endLsn = endLsn
    next.#nextXid = this.#nextXid
    next.#nextOid = this.#nextOid
    for (const slot of this.slots.values())
      if (slot.syncedLsn !== null) {
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
      const rows = new Map<number, Row>()
      for (const entry of this.ledger) {
        if (entry.model !== model || entry.oid !== table.oid) continue
        if (entry.new === null) rows.delete(Number(entry.old?.['id']))
        else rows.set(Number(entry.new['id']), entry.new)
      }
      this.tables.set(model, { ...table, rows })
    }
  }

  /** DDL is in the WAL, as all is: whoever is promoted has what it received. */
  #keepCatalog(): void {
    const tables = new Map([...this.tables].map(([model, { rows: _, ...table }]) => [model, table]))
    this.#catalogs.push({ lsn: this.#endLsn, tables, publication: this.publication })
  }

  begin(): OpenTransaction {
    const transaction: OpenTransaction = {
      ...{ xid: this.#takeXid(), items: [], models: new Set(), undo: [], locked: new Set() },
    }
    this.open.add(transaction)
    return transaction
  }

  /** Writes a row at random, as far as nobody else has it locked. */
  write(transaction: OpenTransaction, model: string): void {
    const table = this.tables.get(model) as Table
    const id = this.random.integer(1, 6)
    const key = `${model} ${id}`
    if (this.#locked.has(key) && !transaction.locked.has(key)) return
    const old = table.rows.get(id) ?? null
    const row: Row = {
      id,
      n: this.random.integer(0, 9),
      name: this.random.chance(0.2) ? null : `v${this.#nextXid}`,
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

  /** A message that is part of the transaction. */
  emit(transaction: OpenTransaction, message: Emitted): void {
    this.#grow(this.random.integer(8, 20))
    transaction.items.push({ ...message, lsn: this.#endLsn })
  }

  /** Notes what happens, for whoever looks for the cause of something. */
  note: (text: string) => void = () => {}

  commit(transaction: OpenTransaction): void {
    this.#end(transaction)
    const { xid, items } = transaction
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
    const atMs = performance.now()
    for (const item of items) if ('model' in item) this.ledger.push({ ...item, commitLsn, xid, atMs })
    if (this.visibleAfterMs > 0)
      this.#unseen.push({
        xid,
        models: transaction.models,
        untilMs: atMs + this.random.integer(0, this.visibleAfterMs),
      })
    this.onWal()
  }

  rollback(transaction: OpenTransaction): void {
    this.#end(transaction)
    for (const undo of transaction.undo.reverse()) undo()
    this.noise()
  }

  /** Who holds locks: what is open, and what has committed and cannot be seen yet. */
  get locking(): readonly { readonly xid: number; readonly models: ReadonlySet<string> }[] {
    const nowMs = performance.now()
    this.#unseen = this.#unseen.filter(({ untilMs }) => untilMs > nowMs)
    return [...this.open, ...this.#unseen]
  }

  /** pg_current_snapshot(), as text: what is open, and what has committed and cannot be seen yet, is not in it. */
  get snapshot(): string {
    const running = this.locking.map(({ xid }) => xid)
    const xmax = this.#nextXid + 1
    return `${Math.min(xmax, ...running)}:${xmax}:${running.sort((a, b) => a - b).join(',')}`
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
    for (const { models } of this.open) if (models.has(model)) return false
    this.unpublish(model)
    this.tables.set(model, this.#makeTable(model))
    this.noise()
    this.#keepCatalog()
    return true
  }

  /** The server crashes: what is not committed is undone, and slots stand where they were persisted. */
  crash(): void {
    for (const transaction of [...this.open]) this.rollback(transaction)
    for (const slot of this.slots.values()) {
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

  #end(transaction: OpenTransaction): void {
    this.open.delete(transaction)
    for (const key of transaction.locked) this.#locked.delete(key)
  }

  #makeTable(model: string): Table {
    return {
      ...{ model, name: model.toLowerCase(), oid: this.#takeOid(), xmin: this.#takeXid() },
      ...{ fileNode: this.#takeOid(), isLogged: true, rows: new Map() },
      columns: [
        { name: 'id', type: 'int4' },
        { name: 'n', type: 'int4' },
        { name: 'name', type: 'text' },
      ],
    }
  }

  /** Records begin at multiples of 8 bytes. */
  #grow(words: number): void {
    this.#endLsn += BigInt(words) * 8n
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
