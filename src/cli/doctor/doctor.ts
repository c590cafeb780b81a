/** Beside the spine, cli. `rowcast doctor`: looks at config and database and says what is, or may become, amiss. */
import { isRowcastError } from '../../errors.ts'
import { modelsWithRowRule } from '../../graphql/policy/model-policy.ts'
import { describeServers, listServers } from '../../source/db/database-address.ts'
import { isOfServer, isPooledAt, probeReplication } from '../../source/db/replication-probe.ts'
import { withDatabaseSession } from '../../source/db/sql.ts'
import { readDatabaseFactsAt } from '../../source/facts/database-facts.ts'
import { readSourceFactsAt } from '../../source/slot/standby-facts.ts'
import { serverOfSlot } from '../../wire/driver-target.ts'
import { ExitCode } from '../exit-code.ts'
import { findPackageManager, hintFor } from '../package-manager.ts'
import { type Project, type ProjectOptions, reportOf, withProjects } from '../project.ts'
import type { PrintContext } from '../setup-commands.ts'
import type { Terminal } from '../terminal.ts'
import { readDoctorFacts } from './doctor-facts.ts'
import { type Finding, findingOf, type Severity } from './examination.ts'
import { findAll } from './findings.ts'
import { readHosts } from './host-states.ts'
import { poolerFindings, providerFindings } from './provider-findings.ts'

/** Options of the command line. */
export interface DoctorOptions extends ProjectOptions {
  readonly json?: boolean | undefined
}

const STYLES = { error: 'red', warning: 'yellow', advice: 'cyan' } as const satisfies Record<Severity, string>

/** What an examination came to. */
interface Diagnosis {
  /** Null when nobody answered. */
  readonly serverVersion: string | null
  readonly findings: readonly Finding[]
}

/** Examines, and answers with `findings` when something stops changes. */
export function doctor(options: DoctorOptions, context: PrintContext): Promise<ExitCode> {
  return withProjects(options, context, (project) => examineOne(project, options, context))
}

async function examineOne(
  project: Project,
  options: DoctorOptions,
  { terminal, ...place }: PrintContext,
): Promise<ExitCode> {
  const manager = findPackageManager(place.folder, place.env)
  const { serverVersion, findings } = await examine(project)
  const diagnosis: Diagnosis = {
    serverVersion,
    findings: findings.map((each) => ({ ...each, hint: hintFor(manager, each.hint) })),
  }
  if (options.json === true) terminal.print(reportOf(project, diagnosis))
  else print(terminal, diagnosis, project)
  return diagnosis.findings.some(({ severity }) => severity === 'error') ? ExitCode.findings : ExitCode.ok
}

/** A database that nobody reaches is a finding, too. */
async function examine({ target, goal, models, config, queryRole }: Project): Promise<Diagnosis> {
  const addresses = listServers(target)
  const sender = serverOfSlot(target)
  const answered = modelsWithRowRule(new Map(Object.entries(config.models)))
  try {
    const refusal = await probeReplication(sender)
    return await withDatabaseSession(target, async (sql) => {
      const facts = await readDatabaseFactsAt(target, sql, goal)
      const source = await readSourceFactsAt(target, (text) => sql.query(text), goal)
      const more = await readDoctorFacts(sql, goal.tables, target)
      const hosts = await readHosts(target, goal.slot)
      const isPooled = refusal !== null && !isOfServer(refusal) && (await isPooledAt(sender))
      const findings = findAll({
        enums: config.catalog.enums,
        ...{ facts, source, doctor: more, refusal, isPooled, goal, models, addresses, hosts, queryRole },
        ...{ answered, senders: listServers(sender) },
        leftOut: config.leftOut,
      })
      return { serverVersion: more.server.version, findings }
    })
  } catch (error) {
    if (!isRowcastError(error)) throw error
    const findings = [findingOf(error), ...poolerFindings(addresses), ...providerFindings(addresses, [])]
    return { serverVersion: null, findings }
  }
}

const INDENT = '         '

function print(
  terminal: Terminal,
  { serverVersion, findings }: Diagnosis,
  { models, target }: Project,
): void {
  const server = serverVersion === null ? 'no answer' : `PostgreSQL ${serverVersion}`
  const sender = target.standby === undefined ? '' : ` Changes come from ${describeServers(target.standby)}.`
  const about = `${describeServers(target)}, database ${target.database}: ${server}.${sender} Live: ${models.map(({ name }) => name).join(', ')}.`
  terminal.print(terminal.style('dim', about))
  for (const group of groupFindings(findings)) {
    for (const finding of group.slice(0, GROUP_PRINTED)) printFinding(terminal, finding)
    const more = group.slice(GROUP_PRINTED)
    if (more.length > 0) terminal.print('', `${INDENT}${terminal.style('dim', moreOf(more))}`)
  }
  terminal.print('', summary(terminal, findings))
}

/** The same finding is printed for so many models; of the others, it is said which. `--json` has each. */
const GROUP_PRINTED = 3
const NAMES_PRINTED = 20

/** The findings of one code and severity, at the position of the first. */
function groupFindings(findings: readonly Finding[]): readonly (readonly Finding[])[] {
  const groups = new Map<string, Finding[]>()
  for (const finding of findings) {
    const key = `${finding.severity} ${finding.code}`
    groups.set(key, [...(groups.get(key) ?? []), finding])
  }
  return [...groups.values()]
}

function moreOf(findings: readonly Finding[]): string {
  const names = [...new Set(findings.flatMap(({ model }) => model ?? []))]
  const listed = names.slice(0, NAMES_PRINTED).join(', ')
  const rest = names.length > NAMES_PRINTED ? `, … and ${names.length - NAMES_PRINTED} more models` : ''
  const of = names.length === 0 ? '' : `, of ${listed}${rest}`
  return `and ${findings.length} more ${findings[0]?.code ?? ''}${of}. --json shows each.`
}

function printFinding(
  terminal: Terminal,
  { code, severity, model, why, hint, statements = [] }: Finding,
): void {
  const head = `${terminal.style(STYLES[severity], severity.padEnd(INDENT.length))}${terminal.style('bold', code)}${model === null ? '' : `  ${model}`}`
  const lines = [
    ...wrap(why, (terminal.width ?? Number.POSITIVE_INFINITY) - INDENT.length),
    ...[hint, ...statements].map((line) => terminal.style('dim', line)),
  ]
  terminal.print('', head, ...lines.map((line) => `${INDENT}${line}`))
}

/** At spaces; what is to be copied is never wrapped. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

function summary(terminal: Terminal, findings: readonly Finding[]): string {
  const count = (severity: Severity, word: string): string => {
    const found = findings.filter((each) => each.severity === severity).length
    return `${found} ${word}${found === 1 ? '' : 's'}`
  }
  if (findings.some(({ severity }) => severity === 'error'))
    return terminal.style('red', `Changes cannot flow: ${count('error', 'error')}.`)
  return `${terminal.style('green', 'Changes can flow.')} ${count('warning', 'warning')}, ${count('advice', 'hint')}.`
}
