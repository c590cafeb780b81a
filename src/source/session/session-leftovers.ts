/**
 * Stage 5, source. What a stream has brought and the broker has not accepted when the stream ends. Where it ends before a
 * change that cannot be sent, as soon as it has begun each time, what stands before that change gets through only so.
 */
import { setTimeout as delay } from 'node:timers/promises'

/** A broker that is well takes milliseconds; what it does not accept is sent again. */
const PATIENCE_MS = 1_000
const POLL_MS = 10

/** Resolves once nothing waits any more, at the latest after a second, or with the signal. */
export async function whileWaiting(
  position: { readonly isWaiting: boolean },
  signal: AbortSignal,
): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS
  while (position.isWaiting && !signal.aborted && performance.now() < untilMs) await delay(POLL_MS)
}
