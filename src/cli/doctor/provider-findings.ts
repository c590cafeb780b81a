/** Beside the spine, cli. What providers need, by address and by settings that only their servers have. Pure. */
import type { ServerFacts } from '../../source/facts/server-facts.ts'
import { formatServers, type ServerAddress } from '../../wire/server-choice.ts'
import type { Finding } from './examination.ts'
import type { FindingCode } from './finding-codes.ts'

interface Provider {
  readonly code: FindingCode
  readonly hosts: RegExp
  /** Begins of names of settings. */
  readonly settings: RegExp | null
  readonly why: string
  readonly hint: string
}

const PROVIDERS: readonly Provider[] = [
  {
    code: 'PROVIDER_RDS',
    hosts: /\.rds\.amazonaws\.com(\.cn)?$/,
    settings: /^rds\./,
    why: 'On Amazon RDS and Aurora, wal_level follows the parameter rds.logical_replication, a role replicates by membership, and RDS Proxy passes no replication.',
    hint: 'Set rds.logical_replication = 1 in the parameter group and reboot; GRANT rds_replication TO the role; use the address of the instance or cluster writer.',
  },
  {
    code: 'PROVIDER_CLOUD_SQL',
    hosts: /\.sql\.goog$/,
    settings: /^cloudsql\./,
    why: 'On Cloud SQL, wal_level follows the flag cloudsql.logical_decoding.',
    hint: 'Set the flag cloudsql.logical_decoding = on (the instance restarts), and ALTER USER … WITH REPLICATION;',
  },
  {
    code: 'PROVIDER_AZURE',
    hosts: /\.postgres\.(cosmos\.)?database\.azure\.com$/,
    settings: /^azure\./,
    why: 'On Azure, wal_level is a server parameter, and port 6432 is PgBouncer.',
    hint: 'Set wal_level = logical in the server parameters and restart; ALTER ROLE … WITH REPLICATION; use port 5432.',
  },
  {
    code: 'PROVIDER_NEON',
    hosts: /\.neon\.(tech|build)$/,
    settings: /^neon\./,
    why: 'Neon keeps a compute awake while somebody replicates from it, and removes slots that nobody has read for about 40 hours.',
    hint: 'Enable logical replication in the project’s settings, use the address without -pooler, and expect no scale to zero while rowcast runs.',
  },
  {
    code: 'PROVIDER_SUPABASE',
    hosts: /\.supabase\.(co|com)$/,
    settings: null,
    why: 'Supabase’s direct address (db.….supabase.co) speaks IPv6 only, unless the project has the IPv4 add-on; its poolers pass no replication.',
    hint: 'Use the direct address, where IPv6 works or with the add-on.',
  },
]

/** What concerns these servers. */
export function providerFindings(
  addresses: readonly ServerAddress[],
  settings: ServerFacts['providerSettings'],
): readonly Finding[] {
  return PROVIDERS.filter(
    (provider) =>
      addresses.some(({ host }) => provider.hosts.test(host)) ||
      settings.some(({ name }) => provider.settings?.test(name) === true),
  ).map(({ code, why, hint }) => ({ ...{ code, severity: 'advice', model: null }, why, hint }))
}

/**
 * Which addresses are those of poolers, by its sessions (`isPooled`, of the one that answers) or as far as an address can show; asked only where no
 * replication connection was had, because newer versions of PgBouncer can pass one.
 */
export function poolerFindings(addresses: readonly ServerAddress[], isPooled = false): readonly Finding[] {
  const ofPoolers = addresses.filter(isPoolerAddress)
  const named = ofPoolers.length === 0 && isPooled ? addresses : ofPoolers
  if (named.length === 0) return []
  return [
    {
      ...{ code: 'POOLER', severity: 'error', model: null },
      why: `${formatServers(named)} is the address of a connection pooler (PgBouncer, Supavisor, Neon’s -pooler, RDS Proxy): replication does not pass through it.`,
      hint: 'Give rowcast the direct address of the server, usually port 5432 and the host without "pooler"; the ORM can keep the other.',
    },
  ]
}

function isPoolerAddress({ host, port }: ServerAddress): boolean {
  return (
    port === 6432 ||
    (port === 6543 && /\.supabase\.(co|com)$/.test(host)) ||
    /-pooler\.|^pooler\.|\.pooler\./.test(host) ||
    (host.includes('.proxy-') && host.endsWith('.rds.amazonaws.com'))
  )
}
