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
  /** The transaction that wrote it, once the server has said so. */
  xid: string | null
  readonly waiting: Set<Waiter>
}

/** How the change of a mutation is waited for. */
export interface SettledOptions {
  /** How long. @default 30_000 // ms */
  readonly timeoutMs?: number | undefined
  /**
   * The transaction that the server wrote it in, where its metadata does not name the mutation: `pg_current_xact_id()`, of which changes have the
   * lower 32 bits as `transaction { xid }`. PostgreSQL manual, 9.27.9 "Transaction ID and Snapshot Information Functions".
   */
  readonly xid?: string | number | bigint | null | undefined
}

/** A transaction id as changes have it: of 64 bits the lower 32. @throws where it is no whole number */
function xidText(xid: string | number | bigint): string {
  return String(BigInt.asUintN(32, BigInt(xid)))
}

interface Waiter {
  resolve(outcome: Settled): void
  reject(error: MutationError): void
}

/** As many are remembered, the oldest is forgotten first. */
const REMEMBERED_MAX = 1_000
const SETTLED_WITHIN_MS = 30_000

/** Those of one list. */
export class OwnMutations<Row extends object> {
  readonly #byId = new Map<string, Mutation<Row>>()
  /** Those that are waited for by their transaction. */
  readonly #byXid = new Map<string, Mutation<Row>>()
  /** The latest transactions that have come whole: a change may come before the answer that says which it is. */
  readonly #come = new Set<string>()
  #end: { readonly cause: unknown } | null = null

  /** An id that no other client has, known from now on. */
  create(): string {
    // Not `randomUUID`: browsers have that on secure pages only.
    const bytes = crypto.getRandomValues(new Uint8Array(16))
    const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    const [oldest] = this.#byId.keys()
    if (this.#byId.size >= REMEMBERED_MAX && oldest !== undefined) this.#forget(oldest, 'unknown')
    this.#byId.set(id, { shown: [], outcome: null, isUncertain: false, xid: null, waiting: new Set() })
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
    if (xid != null) this.#awaitXid(mutation, xidText(xid))
    if (mutation.outcome !== null) return mutation.outcome
    if (this.#end !== null) throw new MutationError('ended', id, this.#end.cause)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        mutation.waiting.delete(waiter)
        mutation.shown = []
        reject(new MutationError('timeout', id))
        onTimeout()
      }, timeoutMs)
      const waiter: Waiter = {
        resolve(outcome) {
          clearTimeout(timer)
          resolve(outcome)
        },
        reject(error) {
          clearTimeout(timer)
          reject(error)
        },
      }
      mutation.waiting.add(waiter)
    })
  }

  #awaitXid(mutation: Mutation<Row>, xid: string): void {
    if (mutation.outcome !== null) return
    if (this.#come.has(xid)) {
      this.#settle(mutation, 'change')
      return
    }
    mutation.xid = xid
    this.#byXid.set(xid, mutation)
  }

  /** The rows with what is shown before it has come. The same array where that is nothing. */
  over(rows: readonly Row[], shape: ListShape<Row>): readonly Row[] {
    let shown = rows
    for (const mutation of this.#byId.values())
      for (const change of mutation.shown) shown = applyChange(shown, change, shape)
    return shown
  }

  /** A change has come, and is applied. Whether it is of one of them. */
  take({ transaction }: ListChange<Row>): boolean {
    const id = transaction?.metadata?.mutationId
    const xid = transaction?.xid == null ? null : String(transaction.xid)
    const mutation = (id == null ? undefined : this.#byId.get(String(id))) ?? this.#byXid.get(xid ?? '')
    // With `last` selected, what is shown stays until all of the transaction has come.
    const isLast = transaction?.last !== false
    if (xid !== null && isLast) this.#noteCome(xid)
    if (mutation === undefined) return false
    if (isLast) this.#settle(mutation, 'change')
    return true
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
    for (const mutation of missed) {
      if (mutation.outcome !== null) continue
      if (mutation.waiting.size > 0) this.#settle(mutation, 'reload')
      else mutation.isUncertain = true
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
    this.#byXid.delete(mutation.xid ?? '')
    for (const waiter of mutation.waiting) waiter.resolve(outcome)
    mutation.waiting.clear()
  }

  #forget(id: string, reason: MutationFailure): void {
    const mutation = this.#byId.get(id)
    this.#byId.delete(id)
    this.#byXid.delete(mutation?.xid ?? '')
    for (const waiter of mutation?.waiting ?? []) waiter.reject(new MutationError(reason, id))
  }
}
