/** Beside the spine, cli. `rowcast status`: lag, the slot's health and its reader; of a running service, its subscribers. */
import type { RowcastError } from '../errors.ts'
import { memberOf } from '../member-of.ts'
import { withDatabaseSession } from '../source/db/sql.ts'
import type { SourceFacts } from '../source/slot/slot-facts.ts'
import { judgeBudget, judgeFacts } from '../source/slot/slot-verdict.ts'
import { readSourceFactsAt } from '../source/slot/standby-facts.ts'
import {
  describeWalHolders,
  HELD_BYTES_HIGH,
  readWalHolders,
  type WalHolders,
} from '../source/slot/wal-holders.ts'
import { type DriverTarget, serverOfSlot } from '../wire/driver-target.ts'
import { formatLsn, parseLsn } from '../wire/lsn.ts'
import { formatBytes } from './doctor/examination.ts'
import { errorLines } from './error-lines.ts'
import { ExitCode } from './exit-code.ts'
import { type Project, type ProjectOptions, reportOf, withProjects } from './project.ts'
import { configuredServiceUrl, parseServiceUrl } from './service-address.ts'
import type { PrintContext } from './setup-commands.ts'
import type { Terminal } from './terminal.ts'

/** Options of the command line. */
export interface StatusOptions extends ProjectOptions {
  readonly json?: boolean | undefined
  /** Address of a running service, `http://127.0.0.1:4000`. @default where the config lets it listen */
  readonly url?: string | undefined
}

/** What pg_stat_replication says of the slot's reader; what the role may not see is null. */
interface Reader {
  readonly name: string | null
  readonly state: string | null
  /** What the reader has dealt with. */
  readonly writtenLsn: string | null
  readonly lagSeconds: number | null
}

const READER_SQL = `
  SELECT application_name AS "name", state, write_lsn::text AS "writtenLsn",
         extract(epoch FROM write_lag)::float8 AS "lagSeconds"
    FROM pg_stat_replication WHERE pid = $1`

/** Looks once. Answers with `findings` where changes do not flow. @throws CLI_BAD_OPTION */
export async function status(options: StatusOptions, context: PrintContext): Promise<ExitCode> {
  // First: an address that cannot be one is no service that does not answer.
  parseServiceUrl(options.url)
  return withProjects(options, context, (project) => lookAt(project, options, context))
}

async function lookAt(
  project: Project,
  options: StatusOptions,
  { terminal }: PrintContext,
): Promise<ExitCode> {
  const { target, goal } = project
  const [facts, reader, holders] = await withDatabaseSession(target, async (sql) => {
    const found = await readSourceFactsAt(target, (text) => sql.query(text), goal)
    const pid = found.slot?.activePid ?? null
    const rows = pid === null ? [] : await readReader(target, pid)
    const isHeld = (found.slot?.restartBytes ?? 0) >= HELD_BYTES_HIGH
    return [found, rows[0] ?? null, isHeld ? await readWalHolders((text) => sql.query(text)) : null]
  })
  const service = await findService(options.url, project)
  const problem = judgeFacts(facts, goal)
  const report = createReport(project, { facts, reader, holders }, service, problem)
  if (options.json === true) terminal.print(reportOf(project, report))
  else printReport(terminal, report, problem)
  const isRead = (facts.slot?.activePid ?? null) !== null
  return problem === null && isRead && service?.isReady !== false ? ExitCode.ok : ExitCode.findings
}

/** Where the slot is: a standby's walsender is none of the primary's. */
function readReader(target: DriverTarget, pid: number): Promise<readonly Reader[]> {
  return withDatabaseSession(serverOfSlot(target), (sql) => sql.query<Reader>(READER_SQL, [pid]))
}

/** What the database says. */
interface Look {
  readonly facts: SourceFacts
  readonly reader: Reader | null
  /** Null where little is held. */
  readonly holders: WalHolders | null
}

type Report = ReturnType<typeof createReport>

function createReport(
  { config, goal, models }: Project,
  { facts, reader, holders }: Look,
  service: ServiceReport | null,
  problem: RowcastError | null,
) {
  const { slot, serverLsn } = facts
  const { slotBudget = null } = config.durability
  const confirmedLsn = slot?.confirmedLsn ?? null
  // What is confirmed is kept back on purpose, for cursors; how far the reader is, it says beside.
  const readLsn = reader?.writtenLsn == null ? confirmedLsn : parseLsn(reader.writtenLsn)
  const lagBytes = readLsn === null ? null : Math.max(Number(serverLsn - readLsn), 0)
  return {
    ...{ slot: goal.slot, publication: goal.publication, models: models.map((model) => model.name) },
    reader: reader === null ? null : { name: reader.name, state: reader.state },
    serverLsn: formatLsn(serverLsn),
    confirmedLsn: confirmedLsn === null ? null : formatLsn(confirmedLsn),
    lagBytes,
    // PostgreSQL keeps the last lag there was for a while after it is gone.
    lagSeconds: lagBytes === 0 ? 0 : (reader?.lagSeconds ?? null),
    keptBytes: confirmedLsn === null ? null : Math.max(Number(serverLsn - confirmedLsn), 0),
    retainedBytes: slot?.retainedBytes ?? null,
    restartBytes: slot?.restartBytes ?? null,
    heldFor: holders === null ? null : describeWalHolders(holders, facts.database),
    safeWalBytes: slot?.safeWalBytes ?? null,
    walStatus: slot?.walStatus ?? null,
    budget: slotBudget == null ? null : { ...slotBudget, state: judgeBudget(slot, slotBudget) },
    service,
    problem: problem === null ? null : { code: problem.code, message: problem.message, hint: problem.hint },
  }
}

function printReport(terminal: Terminal, report: Report, problem: RowcastError | null): void {
  const { slot, reader, service, walStatus, safeWalBytes, budget } = report
  const bytes = (count: number | null) => (count === null ? 'unknown' : formatBytes(count))
  const line = (label: string, text: string): void =>
    terminal.print(`${terminal.style('bold', label.padEnd(13))}${text}`)
  line('Slot', walStatus === null ? `${slot}: there is none` : `${slot}, WAL ${walStatus}`)
  if (walStatus !== null) {
    line('Reader', reader === null ? 'nobody' : `${reader.name ?? 'hidden'} (${reader.state ?? 'unknown'})`)
    const seconds = report.lagSeconds === null ? '' : `, ${(report.lagSeconds * 1_000).toFixed(1)} ms`
    line('Lag', `${bytes(report.lagBytes)}${seconds}`)
    line('For cursors', bytes(report.keptBytes))
    const limits = [
      ...(budget === null ? [] : [`budget ${formatBytes(budget.bytes)}, ${budget.state}`]),
      ...(safeWalBytes === null ? [] : [`${formatBytes(safeWalBytes)} until PostgreSQL gives the slot up`]),
    ]
    line('WAL held', [bytes(report.retainedBytes), ...limits].join('; '))
    if (report.heldFor !== null) {
      line('Of it', `${bytes(report.restartBytes)} by PostgreSQL itself. ${report.heldFor.why}`)
      line('', report.heldFor.hint)
    }
  }
  line('Live models', report.models.join(', '))
  line('Service', service === null ? 'none found; --url says where' : describeService(service))
  if (problem === null) return
  terminal.print('', ...errorLines(terminal, problem))
}

interface ServiceReport {
  readonly url: string
  readonly isReady: boolean
  /** State of its replication stream; `unreachable` where nobody answers. */
  readonly state: string
  /** Code of what keeps it from being ready, as its health says. */
  readonly error: string | null
  readonly subscriptions: number | null
}

function describeService({ url, isReady, state, error, subscriptions }: ServiceReport): string {
  const count = subscriptions === null ? '' : `, ${subscriptions} subscriptions`
  return `${url}: ${state}, ${isReady ? 'ready' : 'not ready'}${error === null ? '' : ` (${error})`}${count}`
}
const SERVICE_TIMEOUT_MS = 5_000

/** The one that was named, or one of the same slot where the config lets it listen. */
async function findService(
  named: string | undefined,
  { source, config, goal }: Project,
): Promise<ServiceReport | null> {
  if (named === undefined && config.port === 0) return null
  const url = named ?? configuredServiceUrl(config)
  try {
    const response = await fetch(new URL('/health/ready', url), {
      signal: AbortSignal.timeout(SERVICE_TIMEOUT_MS),
    })
    const answer: unknown = await response.json()
    const ofSource = source === null ? answer : memberOf(memberOf(answer, 'sources'), source)
    const details = Object(ofSource) as Record<string, unknown>
    if (named === undefined && details['slot'] !== goal.slot) return null
    const { replication, subscriptions, error } = details
    return {
      error: typeof error === 'string' ? error : null,
      // Of several sources one may be ready where another is not: only what is said of all of them counts as well.
      isReady:
        source === null ? response.ok : details['isReady'] === true && memberOf(answer, 'isWarm') !== false,
      ...{ url, state: String(replication ?? 'unknown') },
      subscriptions: typeof subscriptions === 'number' ? subscriptions : null,
    }
  } catch {
    // Whatever answered, or did not, is no service of ours.
    return named === undefined
      ? null
      : { url, isReady: false, state: 'unreachable', error: null, subscriptions: null }
  }
}
