/** Which changes of a model a client asks for, and what it is to get of them: a naive search, beside the library's own filters. */
import type { Random } from '../chaos/random.ts'
import type { Action, LedgerEntry } from './database.ts'
import { isRowOf, type Where } from './rows-where.ts'

/** As `subscribe` takes it. */
export interface AskedChanges {
  /** Empty for all. */
  readonly actions: readonly Action[]
  readonly where?: Where | undefined
  readonly old?: Where | undefined
  readonly new?: Where | undefined
  readonly changed?: readonly string[] | undefined
}

/** What becomes of the row that was asked for. */
export type Becomes = 'ENTERED' | 'STAYED' | 'LEFT'

/** A change that is to come; `becomes` is null where no `where` was asked. */
export interface Wanted {
  readonly becomes: Becomes | null
}

const FIELDS = ['id', 'n', 'name']

const CONDITIONS: readonly ((random: Random) => Where)[] = [
  (random) => ({ n: random.integer(0, 5) }),
  (random) => ({ id: { in: [random.integer(1, 4), random.integer(1, 6)] } }),
  (random) => ({ n: { gt: random.integer(0, 6) } }),
  (random) => ({ n: { not: random.integer(0, 5) } }),
  (random) => ({ name: { contains: `${random.integer(0, 9)}` } }),
  (random) => ({ NOT: { name: { contains: `${random.integer(0, 9)}` } } }),
  () => ({ name: null }),
  () => ({ name: { not: null } }),
]

/** One at random. */
export function anyAskedChanges(random: Random): AskedChanges {
  const kind = random.pick(['where', 'where', 'old', 'new', 'changed', 'actions', 'both'])
  const actions = random.pick<readonly Action[]>([
    [],
    [],
    ['INSERT', 'DELETE'],
    ['UPDATE'],
    ['TRUNCATE', 'UPDATE'],
  ])
  if (kind === 'actions') return { actions }
  if (kind === 'changed') return { actions, changed: [random.pick(FIELDS)] }
  if (kind === 'both') return { actions, old: anyCondition(random), new: anyCondition(random) }
  return { actions, [kind]: anyCondition(random) }
}

function anyCondition(random: Random): Where {
  const one = random.pick(CONDITIONS)(random)
  if (random.chance(0.6)) return one
  return { [random.pick(['AND', 'OR'])]: [one, random.pick(CONDITIONS)(random)] }
}

/** What somebody who asks for it is to get of an entry of the ledger; null: nothing. */
export function wantedOf(asked: AskedChanges, entry: LedgerEntry): Wanted | null {
  const { actions, where, changed } = asked
  const { action, old, new: row } = entry
  if (actions.length > 0 && !actions.includes(action)) return null
  const isAskedFor = action !== 'TRUNCATE' || !(asked.old || asked.new || changed)
  if (!isAskedFor || !meets(asked.old, old) || !meets(asked.new, row)) return null
  if (changed !== undefined && !hasChanged(changed, entry)) return null
  if (where === undefined) return { becomes: null }
  if (action === 'TRUNCATE') return { becomes: 'LEFT' }
  const [was, is] = [old !== null && isRowOf(where, old), row !== null && isRowOf(where, row)]
  if (!was && !is) return null
  return { becomes: was && is ? 'STAYED' : is ? 'ENTERED' : 'LEFT' }
}

function meets(where: Where | undefined, row: LedgerEntry['old']): boolean {
  return where === undefined || (row !== null && isRowOf(where, row))
}

function hasChanged(fields: readonly string[], { action, old, new: row }: LedgerEntry): boolean {
  return action === 'INSERT' || (action === 'UPDATE' && fields.some((name) => old?.[name] !== row?.[name]))
}
