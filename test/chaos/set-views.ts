/** The sets of rows that a run with `--sets` follows: as clients ask for them, as SQL finds them, and by a replay of the WAL. */
import { type Query, RELATED_COLUMNS } from './second-decoder.ts'

/** Teams that users come to and go from. No rows of Team: what counts are the memberships. */
export const SET_TEAMS = ['a', 'b', 'c'].map((digit) => `10000000-0000-4000-8000-00000000000${digit}`)
const [TEAM_A = '', TEAM_B = '', TEAM_C = ''] = SET_TEAMS
/** Those who write comments. Nobody moves the first: it is of the first two teams. */
export const SET_USERS = Array.from({ length: 8 }, (_, n) => `20000000-0000-4000-8000-00000000000${n}`)
/** Tables that only these runs need published. */
export const SET_TABLES = ['"Comment"', 'users', 'team_memberships']

/** What decides who is in, at one moment. */
export interface SetRows {
  /** By id. */
  readonly comments: ReadonlyMap<string, CommentRow>
  /** Bodies of posts, by id. */
  readonly posts: ReadonlyMap<string, string>
  /** Users of each team. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>
}

/** A comment as the sets have it. */
export type CommentRow = Readonly<Record<(typeof RELATED_COLUMNS)['Comment'][number], string | null>>

/** One set. */
export interface SetView {
  readonly name: string
  /** Who asks: the team whose members' comments the policy shows; null: somebody who may see all. */
  readonly viewer: string | null
  /** `where`, in GraphQL. */
  readonly where: string
  /** The same of a comment `c`, policy included. */
  readonly sql: string
  has(comment: CommentRow, rows: SetRows): boolean
}

const isWritten = ({ postId }: CommentRow, { posts }: SetRows) => {
  const body = posts.get(postId ?? '')
  // A long body has every digit, and stands there as its length and digest.
  return body !== undefined && (body === '' || body.includes('7') || body.includes('#'))
}
const isMember = ({ authorId }: CommentRow, { members }: SetRows, team: string) =>
  authorId !== null && members.get(team)?.has(authorId) === true
const POST = { where: `post: { is: { OR: [{ body: { equals: "" } }, { body: { contains: "7" } }] } }` }
const POST_SQL = `EXISTS (SELECT FROM "Post" p WHERE p.id = c."postId" AND (p.body = '' OR p.body LIKE '%7%'))`
const memberSql = (team: string) =>
  `EXISTS (SELECT FROM team_memberships m WHERE m.user_id = c."authorId" AND m.team_id = '${team}')`

/** All of them. */
export const SET_VIEWS: readonly SetView[] = [
  {
    ...{ name: 'of the posts', viewer: null, where: POST.where, sql: POST_SQL },
    has: isWritten,
  },
  {
    ...{ name: 'of the members', viewer: null, sql: memberSql(TEAM_A) },
    where: `author: { is: { memberships: { some: { teamId: { equals: "${TEAM_A}" } } } } }`,
    has: (comment, rows) => isMember(comment, rows, TEAM_A),
  },
  {
    ...{ name: 'of the others', viewer: null },
    where: `author: { is: { memberships: { none: { teamId: { equals: "${TEAM_C}" } } } } }`,
    sql: `c."authorId" IS NOT NULL AND NOT ${memberSql(TEAM_C)}`,
    has: (comment, rows) => comment.authorId !== null && !isMember(comment, rows, TEAM_C),
  },
  {
    ...{
      name: 'by the policy',
      viewer: TEAM_B,
      where: POST.where,
      sql: `${POST_SQL} AND ${memberSql(TEAM_B)}`,
    },
    has: (comment, rows) => isWritten(comment, rows) && isMember(comment, rows, TEAM_B),
  },
]

/** A comment as a text that equal ones share. */
export function formatComment(comment: CommentRow): string {
  return RELATED_COLUMNS.Comment.map((column) => comment[column] ?? '').join('|')
}

/** What the database finds: by id. */
export async function queryView(query: Query, { sql }: SetView): Promise<ReadonlyMap<string, string>> {
  const columns = RELATED_COLUMNS.Comment.map((column) => `c."${column}"::text`).join(', ')
  const found = await query<CommentRow>(`SELECT ${columns} FROM "Comment" c WHERE ${sql}`)
  return new Map(found.map((comment) => [comment.id ?? '', formatComment(comment)]))
}

/** What a replay finds. */
export function replayView(view: SetView, rows: SetRows): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [id, comment] of rows.comments)
    if (view.has(comment, rows)) found.set(id, formatComment(comment))
  return found
}

/** What one has and the other has not, or has otherwise: some examples, or none. */
export function compareSets(own: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): string[] {
  const more = [...own].filter(([id, row]) => wanted.get(id) !== row).map(([, row]) => `has ${row}`)
  const less = [...wanted].filter(([id, row]) => own.get(id) !== row).map(([, row]) => `lacks ${row}`)
  return [...more, ...less]
}
