/**
 * A client whose session is a row, kept as a server keeps it: a Blue, for as long as its `n` is below a bound. It is let in where the row is
 * there, and from the commit on that takes the row away nothing more is given to it.
 */
import type { BusSubscription } from '../../src/bus/bus.ts'
import type { AnyChange } from '../../src/changes/change.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import type { RowcastError } from '../../src/errors.ts'
import type { Random } from '../chaos/random.ts'
import { Violation } from './client.ts'
import type { LedgerEntry } from './database.ts'
import { NEWEST, NOTICE_MS } from './folding-client.ts'
import type { Reader } from './reader.ts'
import type { Site } from './site.ts'
import { runOn } from './virtual-time.ts'

/** The model of sessions, and up to where they are good. */
const MODEL = 'Blue'
const GOOD_BELOW = 4
const ANSWER_MS = 10_000
const AGAIN_MS = 300

/** The rows that are sessions, for `followSessions`. */
export const sessionOf = ({ id }: { readonly id: number }) => ({ id, n: { lt: GOOD_BELOW } })

/** What it works with. */
export interface SessionClientParts {
  readonly name: string
  readonly site: Site
  readonly random: Random
  readonly log: (text: string) => void
}

/** A session that is open. */
interface OpenSession {
  readonly id: number
  readonly reader: Reader
  /** Of the model's entries: what ends it is there or behind. */
  readonly from: number
  readonly timelines: number
  readonly begunAtMs: number
  /** When the process last had no changes of the model to give. */
  blindAtMs: number
  stop: () => void
}

/** The client. */
export class SessionClient {
  readonly #parts: SessionClientParts
  #reader: Reader | null = null
  #session: OpenSession | null = null
  #subscription: BusSubscription | null = null
  /** That it asks to be let in; null: it does not. */
  #asking: object | null = null
  #askAgainAtMs = 0
  #violation: Violation | null = null
  received = 0
  resyncs = 0

  constructor(parts: SessionClientParts) {
    this.#parts = parts
  }

  /** Whether it is let in, and may be; or nobody could be. */
  get isComplete(): boolean {
    const rows = this.#parts.site.database.rowsAt(MODEL, NEWEST)
    const good = rows.filter(({ n }) => isGood(n))
    const session = this.#session
    return session === null ? good.length === 0 : good.some(({ id }) => id === session.id)
  }

  get description(): string {
    const { name } = this.#parts
    return this.#session === null
      ? `${name} is not let in`
      : `${name} has session ${this.#session.id}, whose row is ${this.isComplete ? 'there' : 'gone'}`
  }

  /** Asks to be let in where it is not, and takes what is there. @throws Violation */
  step(reader: Reader | null): void {
    if (this.#violation !== null) throw this.#violation
    if (this.#reader !== reader) this.drop()
    if (reader === null || reader.isPaused) return
    this.#reader = reader
    if (this.#session === null) this.#ask(reader)
    else {
      if (!reader.isReadable(MODEL)) this.#session.blindAtMs = performance.now()
      this.#take(this.#session)
    }
  }

  /** The socket is lost. */
  drop(): void {
    this.#session?.stop()
    this.#session = null
    this.#asking = null
    this.#reader = null
    this.#unsubscribe()
  }

  #unsubscribe(): void {
    void this.#subscription?.return()
    this.#subscription = null
  }

  #ask(reader: Reader): void {
    if (this.#asking !== null || !reader.isAccepting || performance.now() < this.#askAgainAtMs) return
    this.#askAgainAtMs = performance.now() + AGAIN_MS
    const asking = {}
    this.#asking = asking
    void runOn(reader.machine, () => this.#enter(reader, asking)).finally(() => {
      if (this.#asking === asking) this.#asking = null
    })
  }

  async #enter(reader: Reader, asking: object): Promise<void> {
    const { site, random, name, log } = this.#parts
    const { sessions } = reader.face ?? {}
    const begunAtMs = performance.now()
    const timelines = site.branches.length
    const id = random.integer(1, site.database.idMax)
    const row = await inTime(sessions?.find({ id })).catch(() => null)
    if (row == null || sessions === undefined || this.#asking !== asking) return
    const entries = site.database.entriesOf(MODEL)
    const last = entries.findLastIndex((entry) => concerns(entry, id))
    const isOver = last >= 0 && ends(entries[last] as LedgerEntry, id)
    const session: OpenSession = {
      ...{ id, reader, timelines, begunAtMs, from: isOver ? last : entries.length },
      blindAtMs: reader.isReadable(MODEL) ? Number.NEGATIVE_INFINITY : performance.now(),
      stop: () => {},
    }
    log(`${name} is let in with session ${id}`)
    this.#session = session
    session.stop = sessions.watch(row, (why) => this.#end(session, why))
  }

  #end(session: OpenSession, why: RowcastError): void {
    if (this.#session !== session) return
    const { name, log } = this.#parts
    log(`${name} is sent away: ${why.message}`)
    if (why.happened === 'The session is over.' && !this.#mayBeOver(session))
      this.#violation = new Violation(`${name}: session ${session.id} is over, and its row is there.`)
    this.#session = null
    this.#unsubscribe()
  }

  #take(session: OpenSession): void {
    try {
      this.#subscription ??= session.reader.subscribe('Red', null)
    } catch {
      return
    }
    const { pull } = this.#subscription
    for (let delivery = pull?.take(); delivery !== undefined; delivery = pull?.take()) {
      this.received += 1
      this.#check(session, delivery.change)
    }
    if (pull?.isEnded !== true) return
    this.#subscription.next().catch(() => {})
    this.#subscription = null
  }

  /** Nothing from the commit on that ends the session. @throws Violation */
  #check(session: OpenSession, { transaction, cursor }: AnyChange): void {
    const { name, site } = this.#parts
    const { database } = site
    const isOld = parseCursor(cursor).origin.timeline !== database.timeline
    if (isOld || this.#isInDoubt(session)) return
    const entries = database.entriesOf(MODEL)
    const end = entries.find((entry, index) => index >= session.from && ends(entry, session.id))
    if (end === undefined || !end.isPublished || end.commitLsn > transaction.commitLsn) return
    // Changes of the model waited for who was writing to it: rows were looked for instead.
    if (end.atMs <= session.blindAtMs + NOTICE_MS) return
    throw new Violation(
      `${name} got a change of ${transaction.commitLsn.toString(16)}, and its session ${session.id} ended at ${end.commitLsn.toString(16)}. Revoked.`,
    )
  }

  /** What takes a row away is in no stream, or in another one; while its changes do not come, it is looked for every second. */
  #isInDoubt({ timelines, begunAtMs }: OpenSession): boolean {
    const { branches, database } = this.#parts.site
    const sinceMs = begunAtMs - NOTICE_MS
    const isInStream = !database.hasGap(MODEL, sinceMs) && !database.wasUnpublished(MODEL, sinceMs)
    return branches.length !== timelines || !isInStream || database.hasNewSlot(begunAtMs)
  }

  /**
   * Whether something took the row away; a stream that is behind may bring what took away an earlier one of the same key, and that of a primary
   * that lives on what it did there.
   */
  #mayBeOver(session: OpenSession): boolean {
    const entries = this.#parts.site.servers.flatMap(({ database }) => database.entriesOf(MODEL))
    const sinceMs = session.begunAtMs - NOTICE_MS
    return this.#isInDoubt(session) || entries.some((each) => each.atMs >= sinceMs && ends(each, session.id))
  }
}

function isGood(n: unknown): boolean {
  return typeof n === 'number' && n < GOOD_BELOW
}

function concerns(entry: LedgerEntry, id: number): boolean {
  const { action, old, new: row } = entry
  return action === 'TRUNCATE' || old?.['id'] === id || row?.['id'] === id
}

/** Whether the session of that key is none behind it. */
function ends(entry: LedgerEntry, id: number): boolean {
  return concerns(entry, id) && !(entry.new?.['id'] === id && isGood(entry.new['n']))
}

/** A server lets nobody wait for ever. */
function inTime<T>(answer: Promise<T> | undefined): Promise<T | null> {
  const late = new Promise<null>((resolve) => {
    setTimeout(resolve, ANSWER_MS, null)
  })
  return Promise.race([answer ?? null, late])
}
