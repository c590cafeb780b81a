/** Beside the spine, cli. Tables whose rows PostgreSQL hides from queries and not from replication. Pure. */
import { isRowSecurityBinding, rowSecurityFault } from '../../source/setup/row-security.ts'
import { quoteQualified } from '../../wire/quote.ts'
import { type Examination, type Finding, findingOf } from './examination.ts'

/** What a production start refuses, and what only another role would see. */
export function rowSecurityFindings({ source, queryRole, answered }: Examination): Finding[] {
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
