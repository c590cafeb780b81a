/**
 * A client: subscribes to one model, takes what comes at its own pace, goes on where it was after every end, and compares all of it
 * with what was committed. What it holds is contiguous, or an error has said that it is not.
 */
import { AFTER_EARLIEST, type BusSubscription, type Delivery } from '../../src/bus/bus.ts'
import type { AnyChange } from '../../src/changes/change.ts'
import { isRowcastError } from '../../src/errors.ts'
import { parseSnapshot } from '../../src/source/db/visibility.ts'
import type { Random } from '../chaos/random.ts'
import { type AskedChanges, type Wanted, wantedOf } from './asked-changes.ts'
import { type Database, firstAt, type LedgerEntry } from './database.ts'
import type { Reader } from './reader.ts'
import { type Branch, type Site, sharedOf } from './site.ts'

/** Something that must never be. */
export class Violation extends Error {}

/** What it does between two looks of the world. */
export interface ClientSettings {
  readonly name: string
  readonly model: string
  /** Changes that it takes at once, at most; 0: all there are. */
  readonly pace: number
  /** Where it has no cursor it asks for all there is, as a worker does. @default false */
  readonly isWorker?: boolean | undefined
  /** @default all changes of the model */
  readonly asked?: AskedChanges | undefined
}

const ALL: AskedChanges = { actions: [] }

/** The client. */
export class Client {
  readonly #settings: ClientSettings
  readonly #site: Site
  readonly #random: Random
  readonly #log: (text: string) => void
  #subscription: BusSubscription | null = null
  #reader: Reader | null = null
  #cursor: string | null = null
  /** It reads all there is, which may be given before it is known what was missed before its process began. */
  #readsAll = false
  /** Entries of the ledger of its model that it has, or must never lack, begin here; null until it is known. */
  #next: number | null = null
  /** Committed before this entry: may come or not, because it subscribed while they were under way. */
  #mustHaveFrom = 0
  /** The same on timelines that were given up. */
  readonly #mustHaveOfOld = new Map<Branch, number>()
  /** What PostgreSQL does not send is noticed at the next look: until then it has a gap without knowing. */
  #isOwed = false
  /** It holds changes that the server which took over had never received: it is owed an end. */
  #diverged: Branch | null = null
  received = 0
  resyncs = 0
  #failure: unknown = null

  constructor(settings: ClientSettings, site: Site, parts: { random: Random; log: (text: string) => void }) {
    this.#settings = settings
    this.#site = site
    this.#random = parts.random
    this.#log = parts.log
  }

  get #entries(): readonly LedgerEntry[] {
    return this.#entriesOf(this.#diverged?.server.database ?? this.#site.database)
  }

  #entriesOf(database: Database): readonly LedgerEntry[] {
    return database.entriesOf(this.#settings.model)
  }

  /** A standby has taken over. What it had not received is no longer committed. */
  onFailover(branch: Branch): void {
    const shared = sharedOf(branch, this.#settings.model)
    if (this.#diverged === null && this.#next !== null && this.#next > shared) this.#diverge(branch)
    this.#mustHaveOfOld.set(branch, this.#mustHaveFrom)
    // What it has seen of the lost is its own query's, and no business of a stream.
    this.#mustHaveFrom = Math.min(this.#mustHaveFrom, shared)
  }

  #diverge(branch: Branch): void {
    this.#log(`${this.#settings.name} has what was lost, and is owed the end of its subscription`)
    this.#diverged = branch
  }

  /** Whether everything committed is with it. */
  get isComplete(): boolean {
    return (
      !this.#isOwed &&
      this.#diverged === null &&
      this.#subscription !== null &&
      !this.#wanted.some((entry) => this.#wants(entry) !== null)
    )
  }

  /** What is still to come. */
  get #wanted(): readonly LedgerEntry[] {
    return this.#entries.slice(this.#next ?? this.#mustHaveFrom)
  }

  #wants(entry: LedgerEntry): Wanted | null {
    return wantedOf(this.#settings.asked ?? ALL, entry)
  }

  get description(): string {
    const { name, model } = this.#settings
    const all = this.#entries.length
    return `${name} (${model}${JSON.stringify(this.#settings.asked ?? '')})${this.#isOwed || this.#diverged !== null ? ', which is owed an end' : ''}: next ${this.#next}, must have from ${this.#mustHaveFrom}, of ${all}; ${this.#subscription === null ? 'not subscribed' : 'subscribed'}; ${String(this.#failure)}`
  }

  /** Subscribes where it is not, and takes what is there. */
  step(reader: Reader | null): void {
    // Another process is ready, or theirs is gone.
    if (this.#reader !== reader) this.#leave()
    // Who is paused answers nobody.
    if (reader === null || reader.isPaused) return
    this.#reader = reader
    if (this.#subscription === null) this.#subscribe(reader)
    const { pull } = this.#subscription ?? {}
    if (pull == null) return
    const count =
      this.#settings.pace === 0 ? Number.POSITIVE_INFINITY : this.#random.integer(0, this.#settings.pace)
    for (let taken = 0; taken < count; taken += 1) {
      const delivery = pull.take()
      if (delivery === undefined) {
        if (pull.isEnded) this.#end()
        return
      }
      this.#receive(delivery)
    }
  }

  /** The socket is lost: it comes back with its cursor. */
  drop(): void {
    this.#log(`${this.#settings.name} loses its socket`)
    this.#leave()
  }

  #leave(): void {
    // It has been asked about all up to the bookmark, and goes on from there.
    if (this.#reader?.isPaused === false && this.#random.chance(0.5))
      this.#cursor = this.#subscription?.pull?.bookmark?.() ?? this.#cursor
    void this.#subscription?.return()
    this.#subscription = null
    this.#reader = null
  }

  #subscribe(reader: Reader): void {
    const { model, name, isWorker = false, asked = ALL } = this.#settings
    if (!reader.isAccepting) return
    if (this.#cursor === null) this.#restart()
    if (this.#cursor === null && !isWorker) this.#askForCursor(reader)
    this.#readsAll = isWorker && this.#cursor === null
    const after = this.#readsAll ? AFTER_EARLIEST : this.#cursor
    if (this.#failure === null) this.#log(`${name} subscribes ${after === null ? 'now' : `after ${after}`}`)
    try {
      this.#subscription = reader.subscribe(model, after, asked)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** As whoever asks for a position before it queries: all that its query does not see has to come. */
  #askForCursor(reader: Reader): void {
    if (!this.#random.chance(0.4) || this.#site.branches.some(({ server }) => server.isUp)) return
    const isSeen = parseSnapshot(this.#site.database.snapshot)
    this.#cursor = reader.cursorNow()
    if (this.#cursor === null) return
    const unseen = this.#entries.findIndex(({ xid }) => !isSeen(xid))
    if (unseen >= 0) this.#mustHaveFrom = unseen
  }

  /** A reader that is still connected with a server that was given up gives what only that one has. */
  #followOld(change: AnyChange): void {
    if (this.#diverged !== null || findEntry(this.#entries, this.#next ?? 0, change) >= 0) return
    for (const branch of this.#site.branches) {
      const shared = sharedOf(branch, this.#settings.model)
      const isBefore = this.#next === null || this.#next <= shared
      if (isBefore && findEntry(this.#entriesOf(branch.server.database), shared, change) >= 0) {
        this.#diverge(branch)
        this.#mustHaveFrom = this.#mustHaveOfOld.get(branch) ?? this.#mustHaveFrom
        return
      }
    }
  }

  #receive({ change, transition, isLastOfTransaction }: Delivery): void {
    this.#followOld(change)
    const entries = this.#entries
    // A transaction may do the same twice.
    const later = findEntry(entries, this.#next ?? 0, change)
    const at = later < 0 ? findEntry(entries, 0, change) : later
    const { name } = this.#settings
    const said = `${name} got ${change.action} ${JSON.stringify(change.new ?? change.old)} of ${change.transaction.commitLsn}`
    if (at < 0) throw new Violation(`${said}, which was never committed.`)
    if (this.#next !== null && at < this.#next)
      throw new Violation(`${said}: entry ${at} instead of ${this.#next}. Twice.`)
    const entry = entries[at] as LedgerEntry
    const wanted = this.#wants(entry)
    if (wanted === null) throw new Violation(`${said}, which it has not asked for.`)
    if (wanted.becomes !== transition)
      throw new Violation(`${said} as ${transition} and not as ${wanted.becomes}.`)
    const missed = entries
      .slice(this.#next ?? this.#mustHaveFrom, at)
      .filter((entry) => this.#wants(entry) !== null)
    if (missed.some(({ isPublished }) => isPublished))
      throw new Violation(`${said}: entry ${at}, and not the ${missed.length} before it. Lost.`)
    // A process that begins reads what happened before it, before it serves anybody but who reads all there is.
    const startedAtMs = this.#reader?.isAlone === true && !this.#readsAll ? this.#reader.startedAtMs : 0
    if (missed.some(({ atMs }) => atMs < startedAtMs) && this.#next !== null)
      throw new Violation(
        `${said}: entry ${at}, and the ${missed.length} before it were missed before its process began. Late.`,
      )
    if (missed.length > 0 && !this.#isOwed) {
      this.#log(
        `${name} lacks ${missed.length} changes that were not published, and is owed the end of its subscription`,
      )
      this.#isOwed = true
    }
    const isFollowed = entries
      .slice(at + 1)
      .some((each) => each.commitLsn === entry.commitLsn && each.isPublished && this.#wants(each) !== null)
    if (isFollowed === isLastOfTransaction)
      throw new Violation(
        `${said}, which is ${isLastOfTransaction ? '' : 'not '}said to be the last of its transaction.`,
      )
    this.#next = at + 1
    this.#cursor = change.cursor
    this.received += 1
    this.#failure = null
  }

  #end(): void {
    const subscription = this.#subscription
    this.#subscription = null
    subscription?.next().then(
      () => {},
      (error: unknown) => this.#fail(error),
    )
  }

  #fail(error: unknown): void {
    const isNews = String(this.#failure) !== String(error)
    this.#failure = error
    if (isNews) this.#log(`${this.#settings.name} ends: ${String(error)}`)
    if (!isRowcastError(error, 'RESYNC_REQUIRED')) return
    this.resyncs += 1
    this.#isOwed = false
    this.#diverged = null
    this.#cursor = null
    this.#restart()
  }

  #restart(): void {
    this.#next = null
    this.#mustHaveFrom = this.#entries.length
    for (const branch of this.#site.branches)
      this.#mustHaveOfOld.set(branch, this.#entriesOf(branch.server.database).length)
  }
}

/** The index of the change's entry, from one on; -1 for none. */
export function findEntry(entries: readonly LedgerEntry[], from: number, change: AnyChange): number {
  const { commitLsn } = change.transaction
  let index = Math.max(from, firstAt(entries, commitLsn))
  for (; entries[index]?.commitLsn === commitLsn; index += 1)
    if (isSame(entries[index] as LedgerEntry, change)) return index
  return -1
}

function isSame(entry: LedgerEntry, change: AnyChange): boolean {
  return (
    entry.action === change.action &&
    isSameRow(entry.new, change.new) &&
    (entry.action === 'INSERT' || isSameRow(entry.old, change.old))
  )
}

function isSameRow(
  a: Readonly<Record<string, unknown>> | null,
  b: Readonly<Record<string, unknown>> | null,
): boolean {
  if (a === null || b === null) return a === b
  return Object.keys(a).every((name) => a[name] === b[name])
}
