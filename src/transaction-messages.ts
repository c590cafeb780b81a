/** Beside the spine. The messages of transactions that Prisma Client writes call by call, nested ones and what they are rolled back to. */
import { requestsOfPrisma } from './catalog/prisma-runtime.ts'
import { isRollback, isWrite, type PrismaCall, type PrismaTransaction } from './prisma-writes.ts'

/** What `$transaction` is given to do. */
export type Work = (tx: object) => unknown

/** Where the message of a transaction comes from. */
export interface MessageSource {
  /** What it says; null: nothing. */
  text(): string | null
  /** Writes it into the transaction. */
  emit(text: string): Promise<void>
}

/** The message of one transaction, and of all that are nested in it. */
interface Message {
  /** What it says; null: nothing. Undefined until the first write. */
  text: string | null | undefined
  isWritten: boolean
  /** What writing it failed with: the transaction has failed, and its writes say why. */
  fault: { readonly error: unknown } | null
  /** How often something was rolled back in the transaction: a message that was on its way by then is gone, too. */
  rollbacks: number
  readonly order: CallOrder
}

/** Calls of one transaction run in the order in which they are made, also where something has to come between two. */
class CallOrder {
  #isHeld = false
  readonly #waiting: (() => void)[] = []

  /** Runs a call: at once, or behind what holds up all. */
  run(call: () => PromiseLike<unknown>): PromiseLike<unknown> {
    if (!this.#isHeld) return call()
    return new Promise((resolve) => {
      // What throws rejects its own call, and those behind it go on.
      this.#waiting.push(() => resolve(new Promise((done) => done(call()))))
    })
  }

  /** Holds up all that comes from now on, until `first` is over; then comes `call`, and those that wait. */
  async runBehind(first: PromiseLike<unknown>, call: () => PromiseLike<unknown>): Promise<unknown> {
    this.#isHeld = true
    try {
      await first
    } catch {
      // Whoever made it hears of it.
    }
    this.#isHeld = false
    const result = settle(call)
    // Any of them may hold up the others again.
    while (!this.#isHeld && this.#waiting.length > 0) this.#waiting.shift()?.()
    return result
  }
}

/** One for each extended client. */
export class TransactionMessages {
  /** Of transactions that have written, and of those that others are nested in. */
  readonly #messages = new WeakMap<PrismaTransaction, Message>()

  /**
   * `$transaction(async (tx) => …)`. One within another has the message of that. What it is rolled back to may be before the message,
   * which is written again then: PostgreSQL sends none that was rolled back, and of several the first counts.
   */
  async transact(
    outer: PrismaTransaction | undefined,
    work: Work,
    run: (work: Work) => Promise<unknown>,
  ): Promise<unknown> {
    if (outer === undefined) return run(work)
    const message = this.#messageOf(outer)
    const nest: Work = async (tx) => {
      const transaction = await transactionOf(tx)
      if (transaction !== undefined) this.#messages.set(transaction, message)
      return work(tx)
    }
    try {
      // Behind the calls that were made before it, as without the message.
      return await message.order.run(() => run(nest))
    } catch (error) {
      forget(message)
      throw error
    }
  }

  /**
   * A call within `$transaction(async (tx) => …)`: the message stands before the first write. What is called while it is on its way
   * waits, so that all comes in the order in which it was called.
   */
  run(transaction: PrismaTransaction, call: PrismaCall, source: MessageSource): PromiseLike<unknown> {
    if (!this.#messages.has(transaction) && !isWrite(call)) return call.query(call.args)
    const message = this.#messageOf(transaction)
    return message.order.run(() => pass(message, call, source))
  }

  #messageOf(transaction: PrismaTransaction): Message {
    const known = this.#messages.get(transaction)
    if (known !== undefined) return known
    const message: Message = {
      ...{ text: undefined, isWritten: false, fault: null, rollbacks: 0 },
      order: new CallOrder(),
    }
    this.#messages.set(transaction, message)
    return message
  }
}

/** Runs a call: SQL that rolls back takes the message with it, and a write comes behind the message. */
function pass(message: Message, call: PrismaCall, source: MessageSource): PromiseLike<unknown> {
  if (isRollback(call)) {
    const over = settle(() => call.query(call.args)).finally(() => forget(message))
    return message.order.runBehind(over, () => over)
  }
  if (!isWrite(call)) return call.query(call.args)
  if (message.fault !== null) return Promise.reject(message.fault.error)
  if (message.text === undefined) message.text = source.text()
  if (message.isWritten || message.text === null) return call.query(call.args)
  const { rollbacks } = message
  const written = source.emit(message.text).then(
    () => {
      message.isWritten = rollbacks === message.rollbacks
    },
    (error: unknown) => {
      if (rollbacks === message.rollbacks) message.fault = { error }
    },
  )
  return message.order.runBehind(written, () => pass(message, call, source))
}

/** After a rollback, which may have been to a point before the message. */
function forget(message: Message): void {
  message.isWritten = false
  message.fault = null
  message.rollbacks += 1
}

/** As a promise, also where it throws. */
function settle(run: () => PromiseLike<unknown>): Promise<unknown> {
  return new Promise((resolve) => resolve(run()))
}

/** The transaction of a client that `$transaction` made, as its requests carry it; undefined of any other. */
export async function transactionOf(tx: object): Promise<PrismaTransaction | undefined> {
  let found: PrismaTransaction | undefined
  await requestsOfPrisma<PrismaTransaction | undefined>(tx)?.call(tx, async (own) => {
    found = own
    return null
  })
  return found
}
