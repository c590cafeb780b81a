/**
 * Stage 5, source. What an error of the replication stream means. The same SQLSTATE says different things
 * before and after the stream has begun. Source: PostgreSQL manual, Appendix A.
 */
import { RowcastError } from '../../errors.ts'
import type { ConnectionName } from '../db/database-address.ts'
import { sqlstateOf, toRowcastError } from '../db/sqlstate.ts'
import type { SetupGoal } from '../setup/setup-plan.ts'

const UNDEFINED_OBJECT = '42704'
const OBJECT_IN_USE = '55006'
const OBJECT_NOT_IN_PREREQUISITE_STATE = '55000'

/** How far the stream had come: `preparing` it, asking for it (`starting`), or `streaming`. */
export type StreamPhase = 'preparing' | 'starting' | 'streaming'

/** Turns what ended a stream, or kept it from beginning, into a RowcastError. */
export function toStreamError(
  error: unknown,
  phase: StreamPhase,
  connection: ConnectionName,
  goal: Pick<SetupGoal, 'slot' | 'publication'>,
): RowcastError {
  const known = toRowcastError(error, connection)
  const sqlstate = sqlstateOf(known)
  const options = { details: known.details }
  if (phase === 'preparing') return known
  if (sqlstate === UNDEFINED_OBJECT && phase === 'starting') {
    return new RowcastError('SOURCE_SLOT_MISSING', `There is no replication slot "${goal.slot}".`, options)
  }
  if (sqlstate === UNDEFINED_OBJECT) {
    return new RowcastError(
      'SOURCE_PUBLICATION_MISSING',
      `There is no publication "${goal.publication}".`,
      options,
    )
  }
  if (sqlstate === OBJECT_IN_USE) {
    return new RowcastError('SOURCE_SLOT_IN_USE', `Another process reads slot "${goal.slot}".`, options)
  }
  if (sqlstate === OBJECT_NOT_IN_PREREQUISITE_STATE) {
    return new RowcastError(
      'SOURCE_SLOT_INVALIDATED',
      `PostgreSQL has given up slot "${goal.slot}".`,
      options,
    )
  }
  return known
}
