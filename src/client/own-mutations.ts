/**
 * Beside the spine, client. What this client itself has changed, or is about to: a list shows it before the server has it, and
 * knows its change when that comes.
 */
import { applyChange, type ListChange, type ListShape } from './apply-change.ts'

/** How a mutation was settled: its change has come, or the list was loaded again and cannot know. */
export type Settled = 'change' | 'reload'

/**
 * Why a mutation is not waited for any more. `ended`: the list has ended. `timeout`: its change did not come in time. `reverted`: it was
 * taken back. `unknown`: the list has not made this id, or has forgotten it: it knows the latest 1,000.
 */
export type MutationFailure = 'ended' | 'timeout' | 'reverted' | 'unknown'

/** A mutation that is not settled. */
export class MutationError extends Error {
  override readonly name = 'MutationError'
  readonly reason: MutationFailure

  constructor(reason: MutationFailure, mutationId: string, cause?: unknown) {
    super(`Mutation ${mutationId} is not settled: ${SENTENCES[reason]}`, { cause })
    this.reason = reason
  }
}

const SENTENCES: Readonly<Record<MutationFailure, string>> = {
  ended: 'the list has ended.',
  timeout:
    'its change did not come in time. Does the subscription select `transaction { metadata { mutationId } }`, or `transaction { xid }` where the server says that?',
  reverted: 'it was taken back.',
  unknown: 'the list does not know it. Make ids with `newMutationId()`; it knows the latest 1,000.',
}

export interface Mutation<Row extends object> {
  /** What is shown of it before its change has come. */
  shown: readonly ListChange<Row>[]
  outcome: Settled | null
  /** The list was loaded again since it was made: its change may have come with the rows. */
  isUncertain: boolean
  /** The rows were being read when it was made: its change may have come with them, or be on its way. */
  mayHaveCome: boolean
  /** The transactions that wrote it and have not come, once the server has said which they are. */
  xids: ReadonlySet<string>
  readonly waiting: Set<Waiter>
}

/** How the change of a mutation is waited for. */
export interface SettledOptions {
  /** How long. @default 30_000 // ms */
  readonly timeoutMs?: number | undefined
  /**
   * The transaction that the server wrote it in, where its metadata does not name the mutation: `pg_current_xact_id()`, of which changes have the
   * lower 32 bits as `transaction { xid }`. Of several all are waited for. PostgreSQL manual, 9.27.9 "Transaction ID and Snapshot Information Functions".
   */
  readonly xid?: TransactionId | readonly TransactionId[] | null | undefined
}

/** As PostgreSQL shows it: of 64 bits, or the lower 32 of them. */
export type TransactionId = string | number | bigint

/** A transaction id as changes have it: of 64 bits the lower 32. @throws where it is no whole number */
function xidText(xid: TransactionId): string {
  return String(BigInt.asUintN(32, BigInt(xid)))
}

interface Waiter {
  resolve(outcome: Settled): void
  reject(error: MutationError): void
  /** Waits no longer than for a change that is on its way, and not beyond its own time. */
  hurry(): void
}

/** What a change says of its transaction, as far as that is selected. */
interface ComingTransaction {
  readonly xid: string | null
  /** Of the mutation. */
  readonly id: string | null
}

function isSame(one: ComingTransaction, other: ComingTransaction): boolean {
  return one.xid === other.xid && one.id === other.id
}

/** As many are remembered, the oldest is forgotten first. */
const REMEMBERED_MAX = 1_000
const SETTLED_WITHIN_MS = 30_000
/** How long a change may take that was written before the server answered. */
const ON_ITS_WAY_MS = 1_000

/** Those of one list. */
export class OwnMutations<Row extends object> {
  readonly #byId = new Map<string, Mutation<Row>>()
  /** Those that are waited for by their transaction, which may have written several. */
  readonly #byXid = new Map<string, Set<Mutation<Row>>>()
  /** The latest transactions that have come whole: a change may come before the answer that says which it is. */
  readonly #come = new Set<string>()
  /** The one of which not all has come. */
  #coming: ComingTransaction | null = null
  #end: { readonly cause: unknown } | null = null

  /** An id that no other client has, known from now on. */
  create(): string {
    // Not `randomUUID`: browsers have that on secure pages only.
    const bytes = crypto.getRandomValues(new Uint8Array(16))
    const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    const [oldest] = this.#byId.keys()
    if (this.#byId.size >= REMEMBERED_MAX && oldest !== undefined) this.#forget(oldest, 'unknown')
    this.#byId.set(id, {
      ...{ shown: [], outcome: null, isUncertain: false, mayHaveCome: false },
      ...{ xids: new Set(), waiting: new Set() },
    })
    return id
  }

  /** Shows the changes until that of the mutation comes. @throws MutationError */
  show(id: string, changes: readonly ListChange<Row>[]): void {
    const mutation = this.#byId.get(id)
    if (mutation === undefined || this.#end !== null)
      throw new MutationError(mutation === undefined ? 'unknown' : 'ended', id)
    if (mutation.outcome === null) mutation.shown = changes
  }

  /** Takes back what is shown of a mutation that has failed, and forgets it. */
  revert(id: string): void {
    this.#forget(id, 'reverted')
  }

  /** Resolves once it is settled. @throws MutationError */
  async settled(
    id: string,
    { timeoutMs = SETTLED_WITHIN_MS, xid }: SettledOptions,
    onTimeout: () => void,
  ): Promise<Settled> {
    const mutation = this.#byId.get(id)
    if (mutation === undefined) throw new MutationError('unknown', id)
    if (mutation.isUncertain) this.#settle(mutation, 'reload')
    if (xid != null) this.#awaitXids(mutation, new Set([xid].flat().map(xidText)))
    if (mutation.outcome !== null) return mutation.outcome
    if (this.#end !== null) throw new MutationError('ended', id, this.#end.cause)
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        if (mutation.mayHaveCome) this.#settle(mutation, 'reload')
        else {
          mutation.waiting.delete(waiter)
          mutation.shown = []
          reject(new MutationError('timeout', id))
        }
        onTimeout()
      }
      const endsAtMs = performance.now() + timeoutMs
      const soonMs = () => Math.max(0, Math.min(endsAtMs - performance.now(), ON_ITS_WAY_MS))
      let timer = setTimeout(giveUp, mutation.mayHaveCome ? soonMs() : timeoutMs)
      const waiter: Waiter = {
        resolve(outcome) {
          clearTimeout(timer)
          resolve(outcome)
        },
        reject(error) {
          clearTimeout(timer)
          reject(error)
        },
        hurry() {
          clearTimeout(timer)
          timer = setTimeout(giveUp, soonMs())
        },
      }
      mutation.waiting.add(waiter)
    })
  }

  #awaitXids(mutation: Mutation<Row>, xids: ReadonlySet<string>): void {
    // One of several has come, which named the mutation before the server did.
    if (mutation.outcome === 'change' && xids.size > 1) mutation.outcome = null
    if (mutation.outcome !== null) return
    this.#leaveXids(mutation)
    mutation.xids = new Set([...xids].filter((xid) => !this.#come.has(xid)))
    if (mutation.xids.size === 0) this.#settle(mutation, 'change')
    for (const xid of mutation.xids) {
      const written = this.#byXid.get(xid) ?? new Set()
      this.#byXid.set(xid, written.add(mutation))
    }
  }

  #leaveXids(mutation: Mutation<Row>): void {
    for (const xid of mutation.xids) {
      const written = this.#byXid.get(xid)
      written?.delete(mutation)
      if (written?.size === 0) this.#byXid.delete(xid)
    }
    mutation.xids = new Set()
  }

  /** The rows with what is shown before it has come. The same array where that is nothing. */
  over(rows: readonly Row[], shape: ListShape<Row>): readonly Row[] {
    let shown = rows
    for (const mutation of this.#byId.values())
      for (const change of mutation.shown) shown = applyChange(shown, change, shape)
    return shown
  }

  /** A change has come, and is applied. Whether it is of one of them. */
  accept({ transaction }: ListChange<Row>): boolean {
    const id = transaction?.metadata?.mutationId
    const xid = transaction?.xid == null ? null : String(transaction.xid)
    const come: ComingTransaction = { xid, id: id == null ? null : String(id) }
    // Its last change may have fallen away, where the server conflates: the next transaction says that it is over.
    if (this.#coming !== null && !isSame(this.#coming, come)) this.#finish(this.#coming)
    const named = come.id !== null && this.#byId.has(come.id)
    const isOwn = named || this.#byXid.has(xid ?? '')
    // With `last` selected, what is shown stays until all of the transaction has come.
    if (transaction?.last === false) this.#coming = come
    else this.#finish(come)
    return isOwn
  }

  /** All of a transaction has come. */
  #finish({ xid, id }: ComingTransaction): void {
    this.#coming = null
    const named = id === null ? undefined : this.#byId.get(id)
    const written = [...(this.#byXid.get(xid ?? '') ?? [])]
    if (xid !== null) this.#noteCome(xid)
    for (const mutation of written) this.#awaitXids(mutation, mutation.xids)
    // What names the mutation is all there is, unless it is one of several transactions.
    if (named !== undefined && !written.includes(named)) this.#settle(named, 'change')
  }

  #noteCome(xid: string): void {
    this.#come.delete(xid)
    this.#come.add(xid)
    const [oldest] = this.#come
    if (this.#come.size > REMEMBERED_MAX && oldest !== undefined) this.#come.delete(oldest)
  }

  /** Those whose change has not come. */
  unsettled(): readonly Mutation<Row>[] {
    return [...this.#byId.values()].filter(({ outcome }) => outcome === null)
  }

  /** The rows have been loaded again, and changes of these may have come with them alone. */
  reloaded(missed: readonly Mutation<Row>[]): void {
    // It may be another database by now, whose transactions have the same numbers.
    this.#come.clear()
    this.#coming = null
    for (const mutation of missed) {
      if (mutation.outcome !== null) continue
      if (mutation.waiting.size > 0) this.#settle(mutation, 'reload')
      else mutation.isUncertain = true
    }
  }

  /** The first rows of a subscription are there: what was made since it was asked for may be among them, and no change of it comes then. */
  begun(): void {
    for (const mutation of this.unsettled()) {
      // Patches may follow each other faster than that time passes: it counts from the first.
      if (mutation.mayHaveCome) continue
      mutation.mayHaveCome = true
      for (const waiter of mutation.waiting) waiter.hurry()
    }
  }

  /** The list has ended: nothing comes any more. */
  end(cause: unknown): void {
    this.#end = { cause }
    for (const [id, { waiting }] of this.#byId) {
      for (const waiter of waiting) waiter.reject(new MutationError('ended', id, cause))
      waiting.clear()
    }
  }

  #settle(mutation: Mutation<Row>, outcome: Settled): void {
    mutation.outcome = outcome
    mutation.isUncertain = false
    mutation.shown = []
    this.#leaveXids(mutation)
    for (const waiter of mutation.waiting) waiter.resolve(outcome)
    mutation.waiting.clear()
  }

  #forget(id: string, reason: MutationFailure): void {
    const mutation = this.#byId.get(id)
    this.#byId.delete(id)
    if (mutation !== undefined) this.#leaveXids(mutation)
    for (const waiter of mutation?.waiting ?? []) waiter.reject(new MutationError(reason, id))
  }
}
