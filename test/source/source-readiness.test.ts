import { expect, test } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import {
  errorOf,
  isFlowing,
  isReady,
  type ReadinessReading,
} from '../../src/source/session/source-readiness.ts'

const lastError = new RowcastError('WIRE_CONNECTION_LOST', 'The last attempt failed.')
const stall = new RowcastError('SOURCE_STALLED', 'Nothing comes.')
const watchFault = new RowcastError('SOURCE_WATCH_FAILED', 'Nothing is seen.')
const WELL: ReadinessReading = {
  state: 'streaming',
  lastError: null,
  isBlocked: false,
  isInDoubt: false,
  isCatchingUp: false,
  stall: null,
  watchFault: null,
}

/** What differs from a stream that is well; whether changes flow, whether the source is ready, and the error that is shown. */
const TABLE: readonly (readonly [Partial<ReadinessReading>, boolean, boolean, RowcastError | null])[] = [
  [{}, true, true, null],
  // Not yet forgotten, and no longer of interest.
  [{ lastError }, true, true, null],
  [{ state: 'idle' }, false, false, null],
  [{ state: 'connecting', lastError }, false, false, lastError],
  [{ state: 'standby', lastError }, false, false, lastError],
  [{ state: 'waiting', lastError, stall }, false, false, lastError],
  [{ state: 'stopped' }, false, false, null],
  [{ isBlocked: true, lastError }, false, false, lastError],
  [{ isInDoubt: true, lastError }, false, false, lastError],
  [{ isInDoubt: true, stall }, false, false, stall],
  [{ isCatchingUp: true }, true, false, null],
  [{ stall, lastError }, true, false, stall],
  [{ stall, watchFault }, true, false, stall],
  [{ watchFault, lastError }, true, false, watchFault],
]

test.each(TABLE)('%o', (differences, flows, ready, shown) => {
  const reading = { ...WELL, ...differences }
  expect([isFlowing(reading), isReady(reading), errorOf(reading)]).toEqual([flows, ready, shown])
})
