/** Stage 5, source. Whether a replication connection can be had: what poolers and pg_hba.conf refuse although SQL works. */
import type { RowcastError } from '../errors.ts'
import { openReplicationConnection } from '../wire/connection.ts'
import type { ConnectionTarget } from './connection-target.ts'
import { toRowcastError } from './sqlstate.ts'

/** Opens one and closes it. Null: it can be had. */
export async function probeReplication(target: ConnectionTarget): Promise<RowcastError | null> {
  try {
    const connection = await openReplicationConnection(target, {
      ...{ applicationName: 'rowcast doctor', answerTimeoutMs: 10_000 },
    })
    try {
      await connection.identify()
    } finally {
      await connection.close()
    }
    return null
  } catch (error) {
    return toRowcastError(error, target)
  }
}
