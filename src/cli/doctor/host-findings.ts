/** Beside the spine, cli. What several servers in one address mean for a failover. Pure. */
import { formatServers } from '../../wire/server-choice.ts'
import type { Examination, Finding, Severity } from './examination.ts'
import type { FindingCode } from './finding-codes.ts'
import type { HostState } from './host-states.ts'

/** What concerns each, and all of them. */
export function hostFindings({
  hosts,
  goal,
  source,
}: Pick<Examination, 'hosts' | 'goal' | 'source'>): Finding[] {
  const primaries = hosts.filter((each) => each.refusal === null && !each.isInRecovery)
  return [
    ...hosts.flatMap((host) => ofHost(host, goal.slot, source.standby !== undefined)),
    ...(primaries.length > 1 ? [severalPrimaries(primaries)] : []),
  ]
}

function finding(code: FindingCode, severity: Severity, why: string, hint: string): Finding {
  return { code, severity, model: null, why, hint }
}

function ofHost(host: HostState, slot: string, isOnStandby: boolean): readonly Finding[] {
  const name = formatServers([host.server])
  if (host.refusal !== null) {
    const why = `${name} does not let rowcast in: ${host.refusal.happened}`
    return [finding('HOST_UNREACHABLE', 'warning', why, host.refusal.hint)]
  }
  // A slot on a standby follows no failover, and is copied to nobody.
  if (!host.isInRecovery || isOnStandby) return []
  const isCopied = host.slot?.isSynced === true && host.slot.invalidationReason === null
  if (isCopied && host.walLevel === 'logical') return []
  const what =
    host.walLevel === 'logical' ? `has no copy of slot "${slot}"` : `runs with wal_level = ${host.walLevel}`
  return [
    finding(
      ...(['STANDBY_LACKS_SLOT', 'advice'] as const),
      `${name} is a standby and ${what}: once it is promoted, every subscription ends with RESYNC_REQUIRED.`,
      'PostgreSQL 17 and later copy the slot: `failover: true` in the config, wal_level = logical and sync_replication_slots = on at the standby (docs/failure-modes.md, 30).',
    ),
  ]
}

function severalPrimaries(primaries: readonly HostState[]): Finding {
  return finding(
    ...(['SEVERAL_PRIMARIES', 'warning'] as const),
    `${formatServers(primaries.map(({ server }) => server))} are all primaries: rowcast stays with the first that it finds.`,
    'Stop the one that was taken over from, or make it a standby of the other.',
  )
}
