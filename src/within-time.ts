/**
 * What the application's own code answers, in time or not at all: a resolver, a policy or a check that never answers would hold
 * whoever waits for it for ever. Whatever of it is awaited for a client is awaited here, or in a `CallGate`.
 */
import { contain } from './guard.ts'

/**
 * The answer, unless the time is over before. What comes later is nobody's: neither an answer nor a failure.
 * @throws what `late` makes at the end of the time, and what the answer rejects with
 */
export async function withinTime<Answer>(
  answer: PromiseLike<Answer>,
  timeoutMs: number,
  late: () => unknown,
): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined
  const end = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      contain(() => reject(late()), reject),
      timeoutMs,
    ).unref()
  })
  try {
    return await Promise.race([answer, end])
  } finally {
    clearTimeout(timer)
  }
}
