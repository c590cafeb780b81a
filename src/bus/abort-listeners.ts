/** Beside the spine, bus. What ends with a signal. */

import type { Guard } from '../guard.ts'
import { onAborted } from '../wire/shared-listener.ts'

/** Ends it with the signal, if there is one; returns what takes that back. */
export function endOnAbort(
  ended: { end(): void },
  signal: AbortSignal | undefined,
  guard: Guard,
): () => void {
  if (signal === undefined) return () => {}
  return onAborted(
    signal,
    guard.wrap('end with a signal', () => ended.end()),
  )
}
