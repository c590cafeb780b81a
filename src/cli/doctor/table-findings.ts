/** Beside the spine, cli. What each model's table means for its changes, and what they cost. Pure. */
import type { TableFacts } from '../../source/facts/database-facts.ts'
import { isSameTable, type TableName } from '../../source/facts/table-name.ts'
import { isIdentityToChange } from '../../source/setup/identity-plan.ts'
import { identityError } from '../../source/setup/table-identities.ts'
import { quoteIdentifier, quoteQualified } from '../../wire/quote.ts'
import type { TableLoad } from './doctor-facts.ts'
import { type Examination, type Finding, findingOf, formatBytes } from './examination.ts'

/** Above this share of a table outside its rows, unchanged large values are the rule. */
const TOAST_SHARE_HIGH = 0.5
/** A small table is not worth a word. */
const TOAST_BYTES_LOW = 1024 * 1024
/** Additional WAL a day from which it is worth a warning. */
const IDENTITY_BYTES_HIGH = 1024 * 1024 * 1024

/** What concerns one table each, and the tables without a model. */
export function tableFindings(examination: Examination): Finding[] {
  const { doctor, facts, goal } = examination
  const ofTables = goal.tables.flatMap((wanted) => {
    const load = doctor.tables.find((each) => isSameTable(each, wanted))
    const table = facts.tables.find((each) => isSameTable(each, wanted))
    if (load === undefined || table === undefined) return []
    const isFull = table.replicaIdentity === 'f' || isIdentityToChange(table, goal)
    return [
      ...rightFindings(wanted, load, facts.role),
      ...keyFindings(wanted, load),
      ...identityFindings(wanted, table, load, isFull),
      ...toastFindings(wanted, load, isFull),
    ]
  })
  return [
    ...ofTables,
    ...faultFindings(examination),
    ...costFindings(examination),
    ...joinTableFindings(examination),
    ...unusedFindings(examination),
  ]
}

function rightFindings({ model, schema, table }: TableName, load: TableLoad, role: string): Finding[] {
  if (load.maySelect) return []
  const name = quoteQualified(schema, table)
  return [
    {
      ...{ code: 'NO_SELECT', severity: 'warning', model },
      why: `The role ${role} may not read ${name}: its changes come, but queries and relation fields of GraphQL fail.`,
      hint: `Run GRANT SELECT ON ${name} TO ${quoteIdentifier(role)};`,
    },
  ]
}

function keyFindings({ model, schema, table }: TableName, load: TableLoad): Finding[] {
  if (load.hasPrimaryKey) return []
  return [
    {
      ...{ code: 'NO_PRIMARY_KEY', severity: 'warning', model },
      why: `${quoteQualified(schema, table)} has no primary key: PostgreSQL finds a row to replicate by all of its columns only, and needs REPLICA IDENTITY FULL for it.`,
      hint: 'Give the model an @id and migrate.',
    },
  ]
}

function identityFindings(wanted: TableName, table: TableFacts, load: TableLoad, isFull: boolean): Finding[] {
  const { model } = wanted
  const name = quoteQualified(wanted.schema, wanted.table)
  const isKept = wanted.replicaIdentity === 'keep'
  if (isKept && !isFull) {
    return [
      {
        ...{ code: 'OLD_NOT_SENT', severity: 'advice', model },
        why: `${model} is registered with replicaIdentity: 'keep': its updates and deletes have no \`old\`, an update does not show what \`changed\`, and filters on old rows are refused.`,
        hint: `Nothing, if nobody needs them. Else leave replicaIdentity away and run \`rowcast enable\`.`,
      },
    ]
  }
  const cost = costOf(load)
  if (isKept && table.hasRowIdentity) {
    return [
      {
        ...{ code: 'IDENTITY_NOT_NEEDED', severity: 'advice', model },
        why: `${name} has REPLICA IDENTITY FULL though ${model} is 'keep'${cost === null ? '' : `; that adds ${cost.text}`}.`,
        hint: `If nothing else needs old rows: ALTER TABLE ${name} REPLICA IDENTITY DEFAULT;`,
      },
    ]
  }
  if (cost === null || cost.bytesPerDay <= IDENTITY_BYTES_HIGH) return []
  return [
    {
      ...{ code: 'IDENTITY_COST', severity: 'warning', model },
      why: `REPLICA IDENTITY FULL of ${name} adds ${cost.text}.`,
      hint: `If nobody needs \`old\`, \`changed\`, or filters and policies on updates and deletes of ${model}: models: { ${model}: { replicaIdentity: 'keep' } } and ALTER TABLE ${name} REPLICA IDENTITY DEFAULT;`,
    },
  ]
}

/** Partitions without whole old rows, and tables whose UPDATE and DELETE PostgreSQL refuses, while changes flow. */
function faultFindings({ source, facts }: Examination): Finding[] {
  // Before set-up all of them are: it says so itself.
  if (facts.slot === null) return []
  return source.identityFaults.map((fault) => {
    const finding = findingOf(identityError(fault), fault.model)
    return fault.kind === 'partial' ? { ...finding, severity: 'warning' } : finding
  })
}

/** What is bearable, in one finding. */
function costFindings({ doctor, goal }: Examination): Finding[] {
  const costs = goal.tables.flatMap((wanted) => {
    const load = doctor.tables.find((each) => isSameTable(each, wanted))
    const cost = load === undefined || wanted.replicaIdentity === 'keep' ? null : costOf(load)
    return cost === null || cost.bytesPerDay > IDENTITY_BYTES_HIGH
      ? []
      : [`${wanted.model} ${formatBytes(cost.bytesPerDay)}`]
  })
  if (costs.length === 0) return []
  return [
    {
      ...{ code: 'IDENTITY_COST', severity: 'advice', model: null },
      why: `REPLICA IDENTITY FULL adds WAL, by the tables’ statistics each day about: ${costs.join(', ')}.`,
      hint: 'Nothing: it is the price of `old`, `changed`, and of filters and policies on updates and deletes.',
    },
  ]
}

/** Null without statistics, or without updates and deletes. */
function costOf(load: TableLoad): { readonly bytesPerDay: number; readonly text: string } | null {
  const { rowBytes, updates, deletes, statisticsDays } = load
  const writes = updates + deletes
  if (rowBytes === null || statisticsDays === null || writes === 0) return null
  // Of a server that was just started a day's worth is not known.
  const days = Math.max(statisticsDays, 1)
  const bytesPerDay = (writes * rowBytes) / days
  const counted = `${Math.round(writes)} updates and deletes in ${days.toFixed(0)} ${days < 1.5 ? 'day' : 'days'}`
  return {
    bytesPerDay,
    text: `about ${formatBytes(bytesPerDay)} of WAL a day (rows of ${rowBytes} bytes, ${counted})`,
  }
}

function toastFindings({ model, schema, table }: TableName, load: TableLoad, isFull: boolean): Finding[] {
  const share = load.toastBytes / Math.max(load.toastBytes + load.heapBytes, 1)
  if (load.toastBytes < TOAST_BYTES_LOW || share < TOAST_SHARE_HIGH) return []
  const effect = isFull
    ? 'with REPLICA IDENTITY FULL every update and delete writes them to the WAL.'
    : 'an update that leaves them alone reports them as `unavailable`.'
  return [
    {
      ...{ code: 'TOAST_HEAVY', severity: isFull ? 'warning' : 'advice', model },
      why: `${Math.round(100 * share)} % of ${quoteQualified(schema, table)} (${formatBytes(load.toastBytes)}) are large values outside the row; ${effect}`,
      hint: 'Move large columns that change rarely into a table of their own.',
    },
  ]
}

function joinTableFindings({ goal }: Examination): Finding[] {
  const joins = goal.joinTables ?? []
  if (joins.length === 0) return []
  return [
    {
      ...{ code: 'JOIN_TABLES', severity: 'advice', model: null },
      why: `Implicit many-to-many tables (${joins.map(({ table }) => table).join(', ')}) have no model: connecting and disconnecting rows reports no change.`,
      hint:
        `Where policies, filters or live lists follow it, publish the table: \`models: { ${joins[0]?.table}: { live: false, followed: true } }\`. Where the changes ` +
        'themselves matter, write the relation as a model of its own (explicit many-to-many).',
    },
  ]
}

function unusedFindings({ facts, goal }: Examination): Finding[] {
  const unused = (facts.publication?.tables ?? []).filter(
    (table) => ![...goal.tables, ...facts.tables].some((each) => isSameTable(each, table)),
  )
  if (unused.length === 0) return []
  const names = unused.map(({ schema, table }) => quoteQualified(schema, table)).join(', ')
  return [
    {
      ...{ code: 'PUBLISHED_UNUSED', severity: 'advice', model: null },
      why: `Publication "${goal.publication}" has tables that no live model reads; their changes are sent for nothing: ${names}.`,
      hint: `If nobody else uses it: ALTER PUBLICATION ${quoteIdentifier(goal.publication)} DROP TABLE ${names};`,
    },
  ]
}
