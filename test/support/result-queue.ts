/** What a subscription received, to be awaited one by one with a bound, never by sleeping. */
import type { DocumentNode, FormattedExecutionResult, GraphQLFormattedError } from 'graphql'
import { print } from 'graphql'
import { PATIENCE_MS } from './patience-ms.ts'

/** A document: text, or a typed one as GraphQL Code Generator makes them. */
export type SubscriptionDocument<Data, Variables> =
  | string
  | (DocumentNode & { readonly __apiType?: (variables: Variables) => Data })

/** One result as it came over the wire. */
export type Result<Data> = FormattedExecutionResult<Data, Record<string, unknown>>

/** How a subscription ended: by `complete`, by an error of the protocol, or with its connection. */
export type StreamEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'errors'; readonly errors: readonly GraphQLFormattedError[] }
  | { readonly kind: 'closed'; readonly reason: string }

/** The reading side of one subscription. */
export interface ResultQueue<Data> {
  /** The next result; fails when the stream ended or nothing came within the bound. */
  next(timeoutMs?: number): Promise<Result<Data>>
  /** The next result's data; fails on a result with errors. */
  nextData(timeoutMs?: number): Promise<Data>
  /** How the subscription ended; fails when it did not within the bound. */
  ended(timeoutMs?: number): Promise<StreamEnd>
  /** How many results wait to be taken. */
  readonly length: number
}

/** The writing side, for the clients. */
export interface ResultSink<Data> {
  push(result: Result<Data>): void
  end(end: StreamEnd): void
}

/** Creates both sides. */
export function createResultQueue<Data>(): ResultQueue<Data> & ResultSink<Data> {
  const results: Result<Data>[] = []
  /** Of the first that waits: `shift()` would move all behind it, of which there may be 400,000. */
  let first = 0
  const waiting = new Set<() => void>()
  let received = 0
  let streamEnd: StreamEnd | null = null
  const wake = (): void => {
    for (const check of [...waiting]) check()
  }
  const waitFor = <T>(what: string, timeoutMs: number, take: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer)
        waiting.delete(check)
        finish()
      }
      const check = (): void => {
        try {
          const value = take()
          if (value !== undefined) settle(() => resolve(value))
        } catch (error) {
          settle(() => reject(error))
        }
      }
      const timer = setTimeout(() => {
        settle(() => reject(new Error(`No ${what} within ${timeoutMs} ms; ${received} results came before.`)))
      }, timeoutMs)
      waiting.add(check)
      check()
    })
  const queue: ResultQueue<Data> & ResultSink<Data> = {
    next: (timeoutMs = PATIENCE_MS) =>
      waitFor('result', timeoutMs, () => {
        const result = results[first]
        if (result !== undefined) {
          first += 1
          if (first * 2 > results.length) {
            results.splice(0, first)
            first = 0
          }
        } else if (streamEnd !== null) {
          throw new Error(`The subscription ended after ${received} results: ${JSON.stringify(streamEnd)}.`)
        }
        return result
      }),
    async nextData(timeoutMs) {
      const { data, errors } = await queue.next(timeoutMs)
      if (errors !== undefined || data === undefined || data === null) {
        throw new Error(`The result has no data but errors: ${JSON.stringify(errors)}.`)
      }
      return data
    },
    ended: (timeoutMs = PATIENCE_MS) => waitFor('end', timeoutMs, () => streamEnd ?? undefined),
    get length() {
      return results.length - first
    },
    push(result) {
      received += 1
      results.push(result)
      wake()
    },
    end(end) {
      streamEnd ??= end
      wake()
    },
  }
  return queue
}

/** The document's text. */
export function formatDocument<Data, Variables>(document: SubscriptionDocument<Data, Variables>): string {
  return typeof document === 'string' ? document : print(document)
}
