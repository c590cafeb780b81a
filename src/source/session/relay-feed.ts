/** Stage 5, source. What a relay's words do to the stream: positions move, reading pauses, the stream ends. */
import { setTimeout as delay } from 'node:timers/promises'
import type { RowcastError } from '../../errors.ts'
import type { Lsn } from '../../wire/lsn.ts'
import type { ReplicationConnection } from '../../wire/replication-connection.ts'
import type { PublicationGuard } from '../watch/publication-guard.ts'
import type { RelayFeed, StreamRelay } from '../watch/session-relay.ts'
import type { StreamPosition } from './ack-state.ts'
import type { BlockedModels } from './blocked-models.ts'
import type { OwnFaults } from './own-faults.ts'
import type { ReplicationSourceOptions } from './source-options.ts'

/** What it works on. */
export interface RelayFeedOptions {
  readonly relay: StreamRelay | undefined
  readonly position: StreamPosition
  readonly guard: PublicationGuard
  readonly blocked: BlockedModels
  readonly faults: Pick<OwnFaults, 'guard'>
  /** The connection that streams now, if one does. */
  readonly connectionNow: () => ReplicationConnection | null
  readonly onProgress: () => void
}

/** How long a stream without its broker holds on to the slot: another process may have one. */
const PATIENCE_MS = 5_000
const RECONNECT_INTERVAL_MS = 200

/**
 * What a gap of one model does. Gateways hear only of gaps that are written into the stream: one that could not be written ends
 * the stream, and with it all cursors. Without a broker it is a gap up to where the stream has come.
 */
export function createCut(
  { relay, onCut, onPassed }: Pick<ReplicationSourceOptions, 'relay' | 'onCut' | 'onPassed'>,
  connectionNow: () => ReplicationConnection | null,
  passedNow: () => Lsn,
): ReplicationSourceOptions['onCut'] {
  return (model, cut) => {
    if (relay !== undefined && cut.position === null) return connectionNow()?.abort(cut.error)
    // Cursors stand there, too, of what was quiet: no keepalive may have said yet that all before it has come.
    if (cut.position === null) onPassed(passedNow())
    onCut(model, cut)
  }
}

export function createRelayFeed(options: RelayFeedOptions): RelayFeed {
  const { relay, position, guard, blocked, faults, connectionNow, onProgress } = options
  /** Reading stands still until the broker is back or somebody else's turn has come; then the stream restarts. */
  async function holdOut(connection: ReplicationConnection, error: RowcastError): Promise<void> {
    connection.pause()
    const untilMs = performance.now() + PATIENCE_MS
    while (connection === connectionNow() && performance.now() < untilMs) {
      const isBack = await relay?.connect().then(
        () => true,
        () => false,
      )
      if (isBack) break
      await delay(RECONNECT_INTERVAL_MS)
    }
    connection.abort(error)
  }
  const end = faults.guard.wrap('wait for the broker', holdOut, (_failure, connection, error) =>
    connection.abort(error),
  )

  return {
    onBegin: (begin) => position.transactionBegins(begin),
    seenNow: () => position.seenLsn,
    onHandedOver: (lsn) => position.handsOver(lsn),
    onOwnMessage(message) {
      guard.takeMessage(message)
    },
    onTable: (model, oid) => guard.seeTable(model, oid),
    onDoubt: (model) => guard.doubt(model),
    onWritten(lsn) {
      position.reaches(lsn)
      guard.noteProgress(position.isCatchingUp)
      blocked.reaches(position.reachedLsn)
      onProgress()
    },
    onAccepted(lsn) {
      position.accepts(lsn)
      onProgress()
    },
    onPressure(isFull) {
      const connection = connectionNow()
      if (isFull) connection?.pause()
      else connection?.resume()
    },
    onFailure(error) {
      const connection = connectionNow()
      if (connection !== null) end(connection, error)
    },
  }
}
