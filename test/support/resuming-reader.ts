/** A reader of one subscription that goes on at its cursor after whatever ends it, and says what it got on the way. */
import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql'
import { invariant } from '../../src/errors.ts'
import type { Result, ResultQueue } from './result-queue.ts'

/** A change as its subscription selects it. */
export interface ReadChange {
  readonly action: string
  readonly cursor: string
  readonly new?: Readonly<Record<string, unknown>> | null
  readonly old?: Readonly<Record<string, unknown>> | null
}

/** What came of one change: the change, or what came in its place. */
export interface ReadAnswer {
  readonly change: ReadChange | null
  readonly errors: readonly GraphQLFormattedError[]
}

/** A subscription that can be left. */
export interface OpenedSubscription extends ResultQueue<Record<string, unknown>> {
  unsubscribe(): void
}

/** Opens the subscription after a cursor. */
export type OpenSubscription = (after: string) => Promise<OpenedSubscription>

/** One reader. */
export interface ResumingReader {
  /** What comes of the next change; reads on past ends of the subscription. @throws when an answer has no cursor to go on after */
  next(): Promise<ReadAnswer>
  /** How often the subscription has ended. */
  readonly ends: number
  leave(): void
}

/** Reads at most so long past ends that bring nothing. */
const FRUITLESS_MAX = 5

/** @param root the subscription's field */
export async function openResumingReader(
  open: OpenSubscription,
  root: string,
  after: string,
): Promise<ResumingReader> {
  const state = { queue: await open(after), cursor: after, ends: 0 }
  async function read(): Promise<ReadAnswer | null> {
    const result = await pull(state.queue)
    if (result === null) return null
    const answer = answerOf(result, root)
    const cursor = answer.change?.cursor ?? answer.errors[0]?.extensions?.['cursor']
    invariant(typeof cursor === 'string', `There is no cursor in ${JSON.stringify(result).slice(0, 500)}`)
    state.cursor = cursor
    return answer
  }
  return {
    async next() {
      for (let attempt = 0; attempt < FRUITLESS_MAX; attempt += 1) {
        const answer = await read()
        if (answer !== null) return answer
        state.ends += 1
        state.queue = await open(state.cursor)
      }
      throw new Error(`${root} ends without a change ${FRUITLESS_MAX} times after ${state.cursor}.`)
    },
    leave: () => state.queue.unsubscribe(),
    get ends() {
      return state.ends
    },
  }
}

/** The next result, also where it ends the subscription; null once that has ended. */
async function pull(
  queue: ResultQueue<Record<string, unknown>>,
): Promise<Result<Record<string, unknown>> | null> {
  const seen = ended.has(queue)
  try {
    return await queue.next(60_000)
  } catch (error) {
    const end = await queue.ended(1).catch(() => {
      throw error
    })
    ended.add(queue)
    return end.kind === 'errors' && !seen ? { data: null, errors: end.errors } : null
  }
}

/** Queues whose end was read. */
const ended = new WeakSet<object>()

function answerOf({ data, errors = [] }: FormattedExecutionResult, root: string): ReadAnswer {
  const change = data?.[root]
  return { change: (change ?? null) as ReadChange | null, errors }
}
