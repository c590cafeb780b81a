/**
 * Stage 5, source. Row level security: PostgreSQL hides rows from the queries of a role that its policies bind, and sends all of
 * them to replication. A model whose table has it needs somebody who says who sees what of its changes.
 * Source: PostgreSQL manual, "Row Security Policies"; check_enable_rls in rls.c.
 */
import { RowcastError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import { quoteQualified } from '../../wire/quote.ts'

/** A model's table, as far as row level security goes. */
export interface RowSecuredTable {
  readonly model: string
  readonly schema: string
  readonly table: string
  /**
   * Login roles that row level security does not bind; null, or absent from an older tap, where the table has none. Of the
   * model's own table only: queries go by its policies.
   */
  readonly rowSecurityExempt?: readonly string[] | null | undefined
}

/** More roles than these are not listed: whoever is not, is taken for bound. */
const EXEMPT_ROLES_MAX = 200

/** SQL for the roles that the policies of a table do not bind; NULL where the table has no row level security. */
export function rowSecurityExemptSql(oid: string): string {
  return `(SELECT CASE WHEN c.relrowsecurity THEN ARRAY(
             SELECT r.rolname::text FROM pg_roles r
              WHERE r.rolcanlogin AND (r.rolsuper OR r.rolbypassrls
                 OR NOT c.relforcerowsecurity AND pg_has_role(r.oid, c.relowner, 'USAGE'))
              ORDER BY 1 LIMIT ${EXEMPT_ROLES_MAX}) END
             FROM pg_class c WHERE c.oid = ${oid})`
}

/** Whether row level security hides rows of the table from the queries of a role. */
export function isRowSecurityBinding(
  { rowSecurityExempt = null }: Pick<RowSecuredTable, 'rowSecurityExempt'>,
  role: string,
): boolean {
  return rowSecurityExempt !== null && !rowSecurityExempt.includes(role)
}

/** Why changes of a table are not for everybody. */
export function rowSecurityFault(
  { model, schema, table }: Omit<RowSecuredTable, 'rowSecurityExempt'>,
  role: string,
): RowcastError {
  const name = quoteQualified(schema, table)
  return new RowcastError(
    'SOURCE_ROW_SECURITY',
    `Row level security hides rows of ${name} from the queries of ${role}, and ${model} has no \`rows\`: its subscriptions would show them.`,
    {
      hint: `Write { rows: (context) => … } for ${model}, or { bypassesRowSecurity: true } where whoever may subscribe may see every row.`,
      details: { model, schema, table, role },
    },
  )
}

/** Why rows of a model are not read: the table, which decides about them, would be taken for one without the rows that are hidden. */
export function hiddenRowsFault(model: string, table: string): RowcastError {
  return new RowcastError(
    'SOURCE_ROW_SECURITY',
    `Row level security hides rows of ${table} from the role that Prisma queries as: what was read for ${model} lacks them.`,
    { hint: 'Query as a role with BYPASSRLS.', details: { model, table } },
  )
}

/** Who answers for the rows of which model. */
export interface RowSecurityRule {
  /** The role that the application queries as. */
  readonly role: string
  /** Models with `rows`, or that may bypass row level security. */
  readonly answered: ReadonlySet<string>
  /** Whether a model nobody answers for is refused, or only named in the log. */
  readonly isRefusing: boolean
  readonly logger: Logger
}

/** Judges a model's table; null: its changes may be delivered. */
export type TableJudge = (table: RowSecuredTable) => RowcastError | null

/** Creates a judge; what is only for the log it says once. */
export function createRowSecurityJudge({ role, answered, isRefusing, logger }: RowSecurityRule): TableJudge {
  const named = new Set<string>()
  return (table) => {
    const { model } = table
    if (answered.has(model) || !isRowSecurityBinding(table, role)) {
      named.delete(model)
      return null
    }
    const fault = rowSecurityFault(table, role)
    if (isRefusing) return fault
    if (!named.has(model)) logger.warn(fault.message, { code: fault.code, model })
    named.add(model)
    return null
  }
}
