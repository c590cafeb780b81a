/** The words at the end of a run. */
import type { Gap } from './gaps.ts'
import { FAULT_KINDS, type Fault, type SubscriberRecord } from './record.ts'
import type { DecodedTransaction } from './second-decoder.ts'
import type { SetsReport } from './sets.ts'

/** What happened in a run. */
export interface RunReport {
  readonly seed: number
  readonly seconds: number
  readonly transactions: number
  readonly changes: number
  readonly hugestTransaction: number
  readonly rolledBack: number
  readonly doubtfulCommitted: number
  readonly doubtfulRolledBack: number
  readonly ddl: number
  readonly injected: ReadonlyMap<string, number>
  readonly missed: ReadonlyMap<string, number>
  readonly records: readonly (SubscriberRecord & { readonly attempts: number })[]
  readonly faults: readonly Fault[]
  readonly gaps: readonly Gap[]
  /** Null without them. */
  readonly sets: SetsReport | null
  readonly decoded: readonly DecodedTransaction[]
  /** Whether every subscriber had the time to get everything. */
  readonly isDrained: boolean
  /** What no fault explains. */
  readonly troubles: readonly string[]
}

const EXAMPLES_MAX = 10

/** Whether nothing was wrong. */
export function isGood({ faults, troubles, sets }: RunReport): boolean {
  return faults.length === 0 && troubles.length === 0 && (sets?.faults ?? []).length === 0
}

/** Formats it for a person. */
export function formatReport(report: RunReport): string {
  const { records, faults } = report
  const injected = [...report.injected].sort(([a], [b]) => a.localeCompare(b))
  const total = injected.reduce((sum, [, count]) => sum + count, 0)
  const resyncs = records.reduce((sum, record) => sum + record.resyncs.length, 0)
  const received = records.reduce((sum, record) => sum + record.seen.length, 0)
  const countOf = (kind: string) => faults.filter((fault) => fault.kind === kind).length
  return [
    '',
    `seed ${report.seed}, ${Math.round(report.seconds)} s`,
    `committed    ${report.changes} changes in ${report.transactions} transactions, the largest of ${report.hugestTransaction}; ` +
      `${report.rolledBack} rolled back, ${report.ddl} with an ALTER TABLE; ` +
      `${report.doubtfulCommitted + report.doubtfulRolledBack} commits without an answer, ${report.doubtfulCommitted} of them committed`,
    `injected     ${total} faults`,
    ...injected.map(([name, count]) => `  ${String(count).padStart(4)}  ${name}`),
    ...[...report.missed].map(([name, count]) => `  ${String(count).padStart(4)}  not reached: ${name}`),
    `received     ${received} changes`,
    ...records.map(
      ({ name, seen, resyncs: reported, attempts }) =>
        `  ${String(seen.length).padStart(7)}  ${name}: ${attempts} connections, ${reported.length} resyncs`,
    ),
    `resyncs      ${resyncs} of ${report.gaps.length} gaps, ${countOf('unexpected resync')} that nothing explains`,
    ...(report.sets?.lines ?? []),
    ...(report.sets?.faults ?? []).slice(0, EXAMPLES_MAX).map((words) => `  ${words}`),
    FAULT_KINDS.map((kind) => `${kind}: ${countOf(kind)}`).join(', '),
    ...faults
      .slice(0, EXAMPLES_MAX)
      .map(({ kind, subscriber, detail }) => `  ${subscriber}: ${kind}: ${detail}`),
    ...(faults.length > EXAMPLES_MAX ? [`  … and ${faults.length - EXAMPLES_MAX} more`] : []),
    ...(report.isDrained ? [] : ['The run ended early: what is called lost may only not have come yet.']),
    ...report.troubles.map((words) => `trouble: ${words}`),
    isGood(report)
      ? 'Nothing lost, nothing twice, order kept.'
      : `FAILED. Again with: npm run test:chaos -- --seed ${report.seed}`,
    '',
  ].join('\n')
}

/** Every gap, barrier, resync and fault: where in the WAL, and what. */
export function formatDetails({ gaps, decoded, records, faults, sets }: RunReport): string {
  const hex = (lsn: bigint | null) => lsn?.toString(16).padStart(16, '0') ?? 'on'
  return [
    ...gaps.map(
      ({ name, models, fromLsn, toLsn }) => `gap ${hex(fromLsn)} to ${hex(toLsn)}: ${name}: ${models}`,
    ),
    ...decoded
      .filter(({ cuts }) => cuts.length > 0)
      .map(({ endLsn, cuts }) => `barrier up to ${hex(endLsn)} cuts ${cuts}`),
    ...records.flatMap(({ name, resyncs }) =>
      resyncs.map(
        ({ reason, before, after }) => `resync ${before.slice(26)} to ${after.slice(26)}: ${name}: ${reason}`,
      ),
    ),
    ...faults.map(({ kind, subscriber, detail }) => `${subscriber}: ${kind}: ${detail}`),
    ...(sets?.faults ?? []),
    '',
  ].join('\n')
}
