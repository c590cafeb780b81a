/** Posts of teams that have members: what conditions on related rows are about. Rows are made here, and none is in a database. */
import { parseChangeFilter } from '../src/bus/filter/change-filter.ts'
import type { ModelCatalog, ModelSpec, RelationSpec } from '../src/catalog/model-catalog.ts'
import type { AnyChange, AnyRow, TransactionPart } from '../src/changes/change.ts'
import { formatCursor } from '../src/changes/cursor.ts'
import type { RowRequest } from '../src/sets/related-rows.ts'
import { toLsn } from '../src/wire/lsn.ts'
import { field } from './orders.ts'

export const ORIGIN = { systemId: '1', timeline: 1 }

function model(name: string, fields: readonly string[], relations: readonly RelationSpec[]): ModelSpec {
  return {
    ...{ name, schema: null, table: name, relations, uniques: [], isOmitted: false, documentation: null },
    ...{ fields: fields.map((each) => field(each, 'Int')), primaryKey: fields.slice(0, 2) },
  }
}

function relation(name: string, to: string, rest: Partial<RelationSpec>): RelationSpec {
  return {
    ...{ name, model: to, relationName: name, isList: false, isRequired: true, fields: [], references: [] },
    ...{ isOmitted: false, documentation: null },
    ...rest,
  }
}

const toTeam = { fields: ['teamId'], references: ['id'] }
const POST = {
  ...model('Post', ['id', 'teamId'], [relation('team', 'Team', { ...toTeam, relationName: 'posts' })]),
  primaryKey: ['id'],
}
const TEAM = {
  ...model(
    'Team',
    ['id'],
    [relation('posts', 'Post', { isList: true }), relation('members', 'Member', { isList: true })],
  ),
  primaryKey: ['id'],
}
const MEMBER = model(
  'Member',
  ['userId', 'teamId'],
  [relation('team', 'Team', { ...toTeam, relationName: 'members' })],
)

export const TEAMS_CATALOG: ModelCatalog = {
  formatVersion: 1,
  models: { Post: POST, Team: TEAM, Member: MEMBER },
  enums: {},
  joinTables: [],
}
export const SET_MODELS: ReadonlySet<string> = new Set(['Team', 'Member'])
export { POST }

/** A filter on posts, as a policy or a client has it. */
export function postFilter(where: object) {
  const key = JSON.stringify(where)
  const filter = parseChangeFilter(POST, TEAMS_CATALOG, { where }, { relations: {}, key })
  if (filter === null) throw new Error('It has a condition.')
  return filter
}

/** The user with this number is in so many teams of their own. */
export function readTeams(keysEach: number) {
  return async ({ model: { name }, keyed }: RowRequest): Promise<readonly AnyRow[]> => {
    const keys = (keyed ?? []).flatMap((each) => [...each.keys.keys()]).map(Number)
    if (name === 'Team') return keys.map((id) => ({ id }))
    if (name !== 'Member') return []
    return keys.flatMap((userId) =>
      Array.from({ length: keysEach }, (_, n) => ({ userId, teamId: userId * keysEach + n })),
    )
  }
}

/** A transaction that inserts one post of a team. */
export function insertOf(id: number, teamId: number): TransactionPart {
  return partOf('Post', id, { id, teamId })
}

/** A transaction that makes somebody a member of a team. */
export function joinOf(id: number, userId: number, teamId: number): TransactionPart {
  return partOf('Member', id, { userId, teamId })
}

/** The transaction with this number, which inserts one row. */
function partOf(model: string, id: number, row: AnyRow): TransactionPart {
  const commitLsn = toLsn(BigInt(id))
  const transaction = { xid: id, commitLsn, committedAt: new Date(0), origin: ORIGIN, metadata: null }
  const change: AnyChange = {
    ...{ model, action: 'INSERT', transaction, index: 0, old: null, new: row, key: row },
    ...{ changed: [], unavailable: [], oldKey: null, operation: { action: 'INSERT', old: null, new: row } },
    cursor: formatCursor(ORIGIN, commitLsn, 0),
    fresh: () => change,
  } as unknown as AnyChange
  return { transaction, changes: [change], isFinal: true, byteLength: 300 }
}
