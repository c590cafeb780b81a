/** Prisma Client's edge: records each query and answers with the rows a test has put there. */
import type { PrismaClientLike } from '../../src/graphql/prisma-delegate.ts'

/** One call of a delegate. */
export interface PrismaCall {
  /** `user.findMany`. */
  readonly call: string
  readonly query: Record<string, unknown>
}

/** A client that answers from a table of calls. */
export interface RecordingPrisma extends PrismaClientLike {
  readonly calls: readonly PrismaCall[]
}

/**
 * Creates a client; `answers` maps `user.findMany` to what it returns, and a call without an answer fails.
 * @param readsTogether whether it has one delegate for each model, as Prisma Client has: then reads of a turn share a query
 */
export function createRecordingPrisma(
  answers: Readonly<Record<string, (query: Record<string, unknown>) => unknown>> = {},
  { readsTogether = false }: { readonly readsTogether?: boolean } = {},
): RecordingPrisma {
  const calls: PrismaCall[] = []
  const delegates = new Map<string, object>()
  const client = { calls, $connect: () => Promise.reject(new Error('No test connects.')) }
  return new Proxy(client, {
    has: () => true,
    get: (target, name) => (Reflect.has(target, name) ? Reflect.get(target, name) : delegate(String(name))),
  }) as RecordingPrisma

  function delegate(model: string): object {
    const known = delegates.get(model) ?? createDelegate(model)
    if (readsTogether) delegates.set(model, known)
    return known
  }

  function createDelegate(model: string): object {
    const method = (operation: string) => async (query: Record<string, unknown>) => {
      const call = `${model}.${operation}`
      calls.push({ call, query })
      const answer = answers[call]
      if (answer === undefined) throw new Error(`The test has no answer to ${call}.`)
      return answer(query)
    }
    const operations = ['findUnique', 'findUniqueOrThrow', 'findFirst', 'findMany', 'count']
    return Object.fromEntries(operations.map((operation) => [operation, method(operation)]))
  }
}
