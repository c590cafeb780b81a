/**
 * Beside the spine, cli. Facts → findings of `rowcast doctor`. Pure: each finding has a code, why it matters, and what
 * to run or set. What keeps changes from flowing is an error; the rest is good to know.
 */

import { isOfServer } from '../../source/db/replication-probe.ts'
import { judgeStandby } from '../../source/facts/standby-verdict.ts'
import { isRowSecurityBinding, rowSecurityFault } from '../../source/setup/row-security.ts'
import { planSetup } from '../../source/setup/setup-plan.ts'
import { judgeFacts } from '../../source/slot/slot-verdict.ts'
import { quoteQualified } from '../../wire/quote.ts'
import { formatServers } from '../../wire/server-choice.ts'
import { driftFindings } from './drift-findings.ts'
import { type Examination, type Finding, findingOf, type Severity } from './examination.ts'
import { hostFindings } from './host-findings.ts'
import { poolerFindings, providerFindings } from './provider-findings.ts'
import { serverFindings } from './server-findings.ts'
import { tableFindings } from './table-findings.ts'

const SEVERITIES: readonly Severity[] = ['error', 'warning', 'advice']

/** Everything there is to say; the worst first. */
export function findAll(examination: Examination): readonly Finding[] {
  return [
    ...setupFindings(examination),
    ...slotFindings(examination),
    ...replicationFindings(examination),
    ...serverFindings(examination),
    ...hostFindings(examination),
    ...tableFindings(examination),
    ...leftOutFindings(examination),
    ...rowSecurityFindings(examination),
    ...driftFindings(examination),
    ...providerFindings(examination.addresses, examination.doctor.server.providerSettings),
  ].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity))
}

/** What set-up would refuse, and what it would do. */
function setupFindings({ facts, goal }: Examination): Finding[] {
  const { problems, steps, skipped } = planSetup(facts, goal)
  const left = skipped.map((each): Finding => ({ ...findingOf(each), severity: 'advice' }))
  if (problems.length > 0) return [...problems.map((problem) => findingOf(problem)), ...left]
  const sql = steps.filter(({ kind }) => kind !== 'memory').map((step) => `${step.sql};`)
  if (sql.length === 0) return left
  return [
    ...left,
    {
      ...{ code: 'SETUP_PENDING', severity: 'advice', model: null },
      why: `${sql.length} ${sql.length === 1 ? 'statement is' : 'statements are'} still to run. \`rowcast serve\` runs them when it starts.`,
      hint: 'Run `rowcast enable`, or `rowcast plan` for a migration:',
      statements: sql,
    },
  ]
}

/** Models that GraphQL has no type for. */
function leftOutFindings({ leftOut }: Examination): Finding[] {
  return leftOut.map((model) => ({
    ...{ code: 'MODEL_NOT_SHOWN', severity: 'warning', model },
    why: `All visible fields of ${model} look like secrets or are omitted: it has no type, no query and no subscription.`,
    hint: 'Name a field in `expose` of the model if it may be shown, or mark the model `/// @rowcast.omit`.',
  }))
}

/** Beyond the slot that is merely not there yet. */
function slotFindings({ source, goal }: Examination): Finding[] {
  const problem = judgeFacts(source, goal)
  const isLost = problem?.code === 'SOURCE_SLOT_INVALIDATED'
  return [...(isLost ? [findingOf(problem)] : []), ...standbyFindings(source)]
}

function standbyFindings({ standby }: Examination['source']): Finding[] {
  const problem = standby === undefined ? null : judgeStandby(standby)
  if (problem !== null) return [findingOf(problem)]
  if (standby?.isInRecovery !== true || standby.hasFeedback) return []
  return [
    {
      ...{ code: 'STANDBY_FEEDBACK_OFF', severity: 'warning', model: null },
      why: 'The standby that sends the changes runs with hot_standby_feedback = off: the primary removes rows of its catalogs that the slot needs, and PostgreSQL gives the slot up.',
      hint: 'At the standby run ALTER SYSTEM SET hot_standby_feedback = on; SELECT pg_reload_conf(); and let primary_slot_name name a physical slot of the primary.',
    },
  ]
}

/** Where the right is missing, that is the finding. */
function replicationFindings({ refusal, isPooled, facts, senders }: Examination): Finding[] {
  if (refusal === null || !facts.mayReplicate) return []
  const isOwn = isOfServer(refusal)
  const ofPooler = isOwn ? [] : poolerFindings(senders, isPooled)
  if (ofPooler.length > 0) return [...ofPooler]
  const { why, hint } = findingOf(refusal)
  return [
    {
      ...{ code: 'REPLICATION_REFUSED', severity: 'error', model: null },
      why: `${formatServers(senders)} answers SQL, but refuses a replication connection: ${why}`,
      hint: isOwn
        ? hint
        : 'If a connection pooler answers there, give rowcast the direct address of the server. Else let pg_hba.conf admit the role.',
    },
  ]
}

/** What a production start refuses, and what only another role would see. */
function rowSecurityFindings({ source, queryRole, answered }: Examination): Finding[] {
  return source.modelTables.flatMap((table): Finding[] => {
    const { model, rowSecurityExempt = null } = table
    if (rowSecurityExempt === null || answered.has(model)) return []
    const fault = findingOf(rowSecurityFault(table, queryRole), model)
    if (isRowSecurityBinding(table, queryRole)) return [{ ...fault, severity: 'warning' }]
    return [
      {
        ...{ code: 'ROW_SECURITY_EXEMPT', severity: 'advice', model },
        why: `${quoteQualified(table.schema, table.table)} has row level security, which does not bind ${queryRole}. Where the application changes its role (SET ROLE), queries hide rows that subscriptions show.`,
        hint: fault.hint,
      },
    ]
  })
}
