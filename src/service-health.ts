/** Beside the spine, service. What `/health/ready` answers: the status of rowcast in a few words and numbers. */
import type { BrokerStatus } from './broker/scaled-source.ts'
import type { Rowcast, RowcastStatus } from './rowcast.ts'
import type { HealthReport } from './server/health.ts'

/** Of several databases it is ready while all are, and says how each is. */
export function healthOf(
  sources: readonly { readonly name: string | null; readonly rowcast: Pick<Rowcast, 'status'> }[],
): HealthReport {
  const reports = sources.map(({ name, rowcast }) => ({ name, ...toHealthReport(rowcast.status()) }))
  const [first] = reports
  if (first === undefined || first.name === null) return first ?? { isReady: false }
  const each = reports.map(({ name, isReady, details }) => [name, { isReady, ...details }] as const)
  return {
    isReady: reports.every(({ isReady }) => isReady),
    details: { sources: Object.fromEntries(each) },
  }
}

/** Ready only while changes flow and none from before is still to come. The code says what is in the way; its text is for the log. */
export function toHealthReport({
  state,
  isReady,
  isCatchingUp,
  slot,
  positions,
  slotHealth,
  lastError,
  drifted,
  identityFaults,
  subscriptions,
  role,
  broker,
}: RowcastStatus): HealthReport {
  const { confirmedLsn, lagBytes } = positions
  return {
    isReady,
    details: {
      role,
      ...{ replication: state, isCatchingUp, slot, confirmedLsn, lagBytes },
      ...(broker === null ? {} : brokerDetails(broker)),
      slotRetainedBytes: slotHealth?.retainedBytes ?? null,
      slotRestartBytes: slotHealth?.restartBytes ?? null,
      subscriptions: [...subscriptions.values()].reduce((sum, count) => sum + count, 0),
      driftedModels: drifted.length,
      identityFaults: identityFaults.length,
      error: lastError?.code ?? drifted[0]?.error.code ?? null,
    },
  }
}

/** Which tap is the one that writes, and how far this process is on the stream. */
function brokerDetails(status: BrokerStatus) {
  const { isConnected, isActive, epoch, lastEntry, waitingBytes, tapSilentMs, replicas } = status
  return {
    ...{ isBrokerConnected: isConnected, epoch, lastEntry },
    ...(isActive === null ? {} : { isActiveTap: isActive, waitingBytes }),
    ...(replicas === null ? {} : replicaDetails(replicas)),
    ...(tapSilentMs === null ? {} : { tapSilentMs: Math.round(tapSilentMs) }),
  }
}

const replicaDetails = ({ wanted, reached, behindMs }: NonNullable<BrokerStatus['replicas']>) => ({
  ...{ replicasWanted: wanted, replicasReached: reached, replicasBehindMs: Math.round(behindMs) },
})
