/**
 * Rows that hear of related ones, on a real PostgreSQL: random transactions of two writers over users, posts and comments, with moves,
 * cascades, keys that change, tables that are emptied; subscribers who leave and go on after their cursors. A ledger of all changes
 * says who hears of what.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, it } from 'vitest'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { compileCondition } from '../../src/bus/filter/compile-condition.ts'
import type { Condition } from '../../src/bus/filter/condition.ts'
import { TRUE } from '../../src/bus/filter/outcome.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import { canonicalText } from '../../src/catalog/values/canonical-text.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import { isRowcastError } from '../../src/errors.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import type { Via } from '../../src/sets/included-relation.ts'
import { includedRelations } from '../../src/sets/parse-include.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast } from '../support/live-rowcast.ts'
import { Dice } from '../support/live-world.ts'
import { naiveFind, naiveKeys, type Tables } from '../support/naive-keys.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 5)
const TRANSACTIONS_EACH = process.env['ROWCAST_LONG'] === undefined ? 60 : 1_000
const USERS = [1, 2, 3].map((digit) => `00000000-0000-4000-8000-00000000000${digit}`)
const END = 9_999
const TEAMS = [1, 2].map((digit) => `00000000-0000-4000-8000-0000000000a${digit}`)
const MODELS = ['User', 'Post', 'Comment', 'Membership'] as const

let fresh = 100

/** One statement. */
function statement(dice: Dice): string {
  const [user, post, comment] = [dice.pick(USERS), 1 + dice.below(4), 1 + dice.below(6)]
  const text = dice.pick(['a', 'b', 'hidden'])
  const parent = dice.chance(0.3) ? String(1 + dice.below(6)) : 'NULL'
  const kinds = [
    `INSERT INTO "Post" (id, title, "authorId") VALUES (${post}, '${text}', '${user}') ON CONFLICT DO NOTHING`,
    `INSERT INTO "Comment" (id, "postId", "authorId", "parentId", body) VALUES (${comment}, ${post}, '${user}', ${parent}, '${text}') ON CONFLICT DO NOTHING`,
    `INSERT INTO "Comment" (id, "postId", body) SELECT ${fresh++}, id, '${text}' FROM "Post" WHERE id = ${post}`,
    `UPDATE "Comment" SET body = '${text}' WHERE id = ${comment}`,
    `UPDATE "Comment" SET "postId" = ${post} WHERE id = ${comment} OR id > 100 AND id % 5 = ${post}`,
    `UPDATE "Comment" SET "authorId" = '${user}', "parentId" = ${parent} WHERE id = ${comment}`,
    `DELETE FROM "Comment" WHERE id = ${comment} OR id > 100 AND id % 3 = 0`,
    `UPDATE "Post" SET title = '${text}', "authorId" = '${user}' WHERE id = ${post}`,
    `DELETE FROM "Post" WHERE id = ${post}`,
    // It goes, and one with its key is there again behind the same transaction.
    `DELETE FROM "Post" WHERE id = ${post}; INSERT INTO "Post" (id, title, "authorId") VALUES (${post}, '${text}', '${user}')`,
    // Of one row two relations may lead to the same user, or a change may take it from one of them to the other.
    `UPDATE "Post" SET "reviewerId" = ${dice.pick([`'${user}'`, '"authorId"', 'NULL'])} WHERE id = ${post} OR id > 100`,
    `UPDATE "Post" SET "authorId" = "reviewerId", "reviewerId" = "authorId" WHERE "reviewerId" IS NOT NULL`,
    ...memberships(dice, user),
  ]
  if (dice.chance(0.06)) return `UPDATE "Post" SET id = ${fresh++} WHERE id = ${post} OR id > 100`
  if (dice.chance(0.03)) return `TRUNCATE "Comment"`
  if (dice.chance(0.01)) return `TRUNCATE "Post" CASCADE`
  return dice.pick(kinds)
}

/** Rows of a key of two columns, one of which is the relation's own: a move is a change of the key. */
function memberships(dice: Dice, user: string): readonly string[] {
  const [team, other] = [dice.pick(TEAMS), dice.pick(USERS)]
  const table = 'team_memberships'
  const moved = `UPDATE ${table} SET user_id = '${other}' WHERE user_id = '${user}' AND team_id = '${team}'`
  return [
    `INSERT INTO ${table} (user_id, team_id) VALUES ('${user}', '${team}') ON CONFLICT DO NOTHING`,
    `UPDATE ${table} SET is_owner = NOT is_owner WHERE user_id = '${user}'`,
    `${moved} AND NOT EXISTS (SELECT FROM ${table} WHERE user_id = '${other}' AND team_id = '${team}')`,
    `DELETE FROM ${table} WHERE user_id = '${user}' AND team_id = '${team}'`,
  ]
}

async function write(database: TestDatabase, dice: Dice): Promise<void> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query("SET deadlock_timeout = '20ms'")
  try {
    for (let count = 0; count < TRANSACTIONS_EACH; count += 1) {
      await client.query('BEGIN')
      try {
        for (let left = 1 + dice.below(4); left > 0; left -= 1) await client.query(statement(dice))
        await client.query(dice.chance(0.1) ? 'ROLLBACK' : 'COMMIT')
      } catch {
        // What it belongs to is not there, or two writers wait for each other.
        await client.query('ROLLBACK')
      }
    }
  } finally {
    await client.end()
  }
}

interface Event {
  readonly model: string
  readonly action: string
  readonly transition: string | null
  readonly cause?: string | null
  readonly cursor: string
  readonly index: number
  readonly key: AnyRow | null
  readonly old: AnyRow | null
  readonly new: AnyRow | null
  readonly transaction: { readonly commitLsn: bigint }
  readonly via?: readonly Via[]
  readonly viaCount?: number
}

/** A transaction of the ledger. */
interface Entry {
  readonly lsn: bigint
  readonly changes: readonly Event[]
  readonly before: Tables
  readonly after: Tables
}

interface Asked {
  readonly model: (typeof MODELS)[number]
  readonly include: readonly string[]
  readonly where?: object
  /** Which related rows may be seen. @default all */
  readonly policy?: object
}

const ASKED: readonly Asked[] = [
  { model: 'Post', include: ['comments'] },
  { model: 'Post', include: ['comments'], where: { id: { in: [1, 2, END] } } },
  { model: 'Post', include: ['comments'], where: { comments: { some: { body: 'a' } } } },
  { model: 'Post', include: ['comments'], policy: { body: { not: 'hidden' } } },
  { model: 'Post', include: ['comments'], where: { title: 'a' }, policy: { post: { is: { title: 'a' } } } },
  { model: 'User', include: ['posts', 'comments'] },
  { model: 'Comment', include: ['replies'] },
  { model: 'User', include: ['posts', 'reviewedPosts'] },
  { model: 'User', include: ['reviewedPosts', 'memberships'] },
]

async function* subscribe(
  rowcast: Rowcast,
  asked: Asked,
  after: string | null,
  overflow: 'end' | 'conflate' = 'end',
): AsyncGenerator<Event> {
  const { model, include, where, policy } = asked
  const orEnd = where === undefined ? undefined : { OR: [where, { id: END }] }
  const begin = after === null ? { initial: true } : { after }
  if (policy === undefined) {
    const events = rowcast.subscribe(model, { include, where: orEnd, ...begin, overflow } as never)
    for await (const event of events) yield event as unknown as Event
    return
  }
  const { catalog } = rowcast
  const spec = catalog.models[model]
  if (spec === undefined) throw new Error(model)
  const relations = includedRelations(spec, catalog, include).map((relation) => ({
    ...relation,
    filter: createChangeFilter({
      rows: parseWhere(relation.related.model, catalog, policy, { relations: {} }),
    }),
  }))
  const filter = orEnd && createChangeFilter({ where: parseWhere(spec, catalog, orEnd, { relations: {} }) })
  const events = rowcast.subscribeRelated({
    ...{ model, filter: filter ?? null, include: relations, overflow },
    ...{ isInitial: after === null, after: after ?? undefined },
  })
  for await (const { change, transition, heard } of events) {
    const { action, cursor, index, key, old, new: row } = change
    const cause = 'cause' in change ? change.cause : null
    const transaction = change.transaction ?? { commitLsn: 0n }
    yield { model, action, transition, cause, cursor, index, key, old, new: row, transaction, ...heard }
  }
}

/** What one was given, and between which positions it was given nothing, as it had ended. */
interface Followed {
  readonly events: readonly Event[]
  readonly gaps: readonly (readonly [bigint, bigint | null])[]
}

interface World {
  readonly rowcast: Rowcast
  readonly from: string
  readonly isOver: () => boolean
}

/** Until the end of the world; whoever has ended begins again. */
async function follow({ rowcast, from, isOver }: World, asked: Asked, dice: Dice): Promise<Followed> {
  const events: Event[] = []
  const gaps: [bigint, bigint | null][] = []
  let after = from
  for (;;) {
    const resumed = events.at(-1)
    let isAgain = resumed?.action === 'READ'
    try {
      for await (const event of subscribe(rowcast, asked, after)) {
        // Within the reads of one transaction, all of them come again.
        if (isAgain && resumed !== undefined && isReadOf(event, resumed))
          while (isReadOf(events.at(-1), resumed)) events.pop()
        isAgain = false
        events.push(event)
        after = event.cursor
        if (event.action === 'UPDATE' && isEnd(event)) return { events, gaps }
        if (dice.chance(0.05)) break
      }
    } catch (error) {
      if (!isRowcastError(error, 'RESYNC_REQUIRED')) throw error
      const last = events.at(-1)?.transaction.commitLsn ?? 0n
      // What ends the world may be among what it missed.
      if (isOver()) return { events, gaps: [...gaps, [last, null]] }
      after = await rowcast.changeCursor()
      gaps.push([last, parseCursor(after).position.commitLsn])
    }
  }
}

interface Conflated {
  readonly events: readonly Event[]
  /** It has all that stands before it, and heard nothing of that. */
  readonly from: bigint
}

/** Slowly, until the end of the world, and given the latest event of each row. Whoever has ended begins again, with the rows there are. */
async function followConflated({ rowcast, from }: World, asked: Asked, dice: Dice): Promise<Conflated> {
  for (let after: string | null = from; ; after = null) {
    const events: Event[] = []
    let begun = after === null ? null : parseCursor(after).position.commitLsn
    try {
      for await (const event of subscribe(rowcast, asked, after, 'conflate')) {
        if (event.action === 'READY') begun = parseCursor(event.cursor).position.commitLsn
        else events.push(event)
        const isAtEnd = begun !== null && events.some((each) => isEnd(each) && isLastText(each.new))
        if (begun !== null && isAtEnd) return { events, from: begun }
        if (dice.chance(0.3)) await sleep(dice.below(30))
      }
    } catch (error) {
      if (!isRowcastError(error, 'RESYNC_REQUIRED')) throw error
    }
  }
}

const isLastText = (row: AnyRow | null) =>
  row !== null && ['title', 'body', 'fullName'].some((name) => row[name] === 'end')

/** It has the rows there are in the end; each that has been there since it came has heard of all that befell its related rows since then. */
function checkConflated(
  asked: Asked,
  { events, from }: Conflated,
  ledger: readonly Entry[],
  rowcast: Rowcast,
): number {
  const { model, where, policy } = asked
  const spec = rowcast.catalog.models[model]
  if (spec === undefined) throw new Error(model)
  const condition = parseWhere(
    spec,
    rowcast.catalog,
    where === undefined ? {} : { OR: [where, { id: END }] },
    {
      relations: {},
    },
  )
  const rows = new Map<unknown, AnyRow>()
  for (const { action, transition, key, old, new: row } of events) {
    if (action === 'TRUNCATE') rows.clear()
    for (const each of [key, old]) rows.delete(idOf(each))
    if (row !== null && transition !== 'LEFT') rows.set(idOf(row), row)
  }
  const textsOf = (all: Iterable<AnyRow>) => [...all].map((row) => canonicalText(row)).sort()
  const there = naiveFind(ledger.at(-1)?.after ?? {}, model, condition)
  expect(textsOf(rows.values()), JSON.stringify(asked)).toEqual(textsOf(there))
  if (policy !== undefined) return 0
  let compared = 0
  for (const id of rows.keys()) {
    const isAsked = (tables: Tables) => naiveFind(tables, model, condition).some((row) => idOf(row) === id)
    const given = events.filter(({ key }) => idOf(key) === id)
    const gone = given.findLastIndex(({ action, transition }) => action === 'DELETE' || transition === 'LEFT')
    const own = given.slice(gone + 1)
    const isReplaced = ({ before, changes }: Entry) => {
      const written = changes.filter((each) => each.model === model)
      const [deletes, inserts] = [
        written.filter(({ action, old }) => action === 'DELETE' && idOf(old) === id),
        written.filter(({ action, new: row }) => action === 'INSERT' && idOf(row) === id),
      ]
      return deletes.length > 0 && (isAsked(before) || inserts.length > 1)
    }
    const since = given[gone]?.transaction.commitLsn ?? from
    const entries = sinceGiven(ledger, { from: since, own, isAsked, isReplaced })
    const isEmptied = ({ changes }: Entry) =>
      changes.some((each) => each.model === model && each.action === 'TRUNCATE')
    if (entries.some((entry) => hasOtherKey(entry, model, id) || isEmptied(entry))) continue
    const wanted = entries.flatMap((entry) => {
      const isWritten = entry.changes.some((each) => each.model === model && idOf(each.old) === id)
      // What goes out of sight, and nobody wrote it, hears of nothing.
      if (!isAsked(entry.after) && !(isWritten && isAsked(entry.before))) return []
      const heard = heardIn(entry, rowcast, asked)
      return [...(heard.get(id) ?? []), ...(heard.get(null) ?? [])]
    })
    const count = own.reduce((sum, { viaCount = 0 }) => sum + viaCount, 0)
    expect(count, `${JSON.stringify(asked)} of ${id}, ${saidOf(own, entries)}`).toBe(wanted.length)
    if (own.every(({ via, viaCount }) => via?.length === viaCount))
      expect(own.flatMap(({ via = [] }) => via.map(textOf)).sort()).toEqual(wanted.sort())
    compared += wanted.length
  }
  return compared
}

/** What one row went through since the subscriber was given last that it is not there, or since it came where that was not said. */
interface GivenRow {
  /** Up to here nothing counts. */
  readonly from: bigint
  /** Its events behind that. */
  readonly own: readonly Event[]
  readonly isAsked: (tables: Tables) => boolean
  /** Whether it went and came back in the transaction, and was in sight when it went. */
  readonly isReplaced: (entry: Entry) => boolean
}

function sinceGiven(
  ledger: readonly Entry[],
  { from, own, isAsked, isReplaced }: GivenRow,
): readonly Entry[] {
  const entries = ledger.filter(({ lsn }) => lsn > from)
  const [first] = own
  // Whoever has the row hears of all of it, though it went and came back meanwhile.
  if (entries[0] === undefined || first === undefined || isAsked(entries[0].before)) return entries
  const upTo = first.transaction?.commitLsn ?? 0n
  const came = entries.findLastIndex(
    (entry) => entry.lsn <= upTo && isAsked(entry.after) && (!isAsked(entry.before) || isReplaced(entry)),
  )
  const entry = entries[came]
  // What it heard of when it went in the same transaction, went with it.
  return entries.slice(entry !== undefined && isReplaced(entry) ? came + 1 : Math.max(0, came))
}

/** Whether the row had another key, or another row had this one. */
function hasOtherKey(entry: Entry, name: string, id: unknown): boolean {
  return entry.changes.some(({ model, old, new: row }) => {
    const ids: readonly unknown[] = [idOf(old), idOf(row)]
    return model === name && old !== null && row !== null && ids[0] !== ids[1] && ids.includes(id)
  })
}

/** For who looks for the reason. */
function saidOf(own: readonly Event[], entries: readonly Entry[]): string {
  const given = own.map(
    ({ transaction, action, transition, viaCount }) =>
      `${transaction?.commitLsn} ${action} ${transition} ${viaCount}`,
  )
  const changes = (entry: Entry) =>
    entry.changes.map(
      ({ model, action, old, new: row }) => `${model} ${action} ${idOf(old) ?? ''}>${idOf(row) ?? ''}`,
    )
  return ['given', ...given, 'the ledger', ...entries.map((each) => `${each.lsn} ${changes(each)}`)].join(
    '\n',
  )
}

const isReadOf = (event: Event | undefined, other: Event) =>
  event?.action === 'READ' && event.transaction.commitLsn === other.transaction.commitLsn
const idOf = (row: AnyRow | null | undefined) =>
  row == null ? undefined : (row['id'] ?? `${row['userId']} ${row['teamId']}`)
const LAST = String(USERS[2]).replace(/3$/, '9')
const isEnd = ({ key }: Event) => idOf(key) === END || [key?.['id'], key?.['userId']].includes(LAST)

/** All tables before and after each transaction. */
function ledgerOf(changes: readonly Event[]): readonly Entry[] {
  const rows = new Map(MODELS.map((model) => [model as string, new Map<unknown, AnyRow>()]))
  const tables = (): Tables => Object.fromEntries([...rows].map(([name, all]) => [name, [...all.values()]]))
  const entries: Entry[] = []
  for (const change of changes) {
    const lsn = change.transaction.commitLsn
    const last = entries.at(-1)
    const entry = last?.lsn === lsn ? last : { lsn, changes: [], before: tables(), after: {} }
    const own = rows.get(change.model)
    if (change.action === 'TRUNCATE') own?.clear()
    if (change.old !== null) own?.delete(idOf(change.old))
    if (change.new !== null) own?.set(idOf(change.new), change.new)
    if (entry === last) entries.pop()
    entries.push({ ...entry, changes: [...entry.changes, change], after: tables() })
  }
  return entries
}

/** For each key of the model, what belongs to it and was changed in the transaction; under null what all hear of. */
function heardIn(entry: Entry, { catalog }: Rowcast, { model, include, policy }: Asked) {
  const spec = catalog.models[model]
  if (spec === undefined) throw new Error(model)
  const heard = new Map<unknown, string[]>()
  for (const { name, related } of includedRelations(spec, catalog, include)) {
    const rule = policy === undefined ? null : parseWhere(related.model, catalog, policy, { relations: {} })
    const [wasSeen, isSeen] = [entry.before, entry.after].map((tables) => seenIn(rule, tables))
    const written = new Set<unknown>()
    for (const change of entry.changes.filter((each) => each.model === related.model.name)) {
      const isFirst = !written.has(idOf(change.old))
      written.add(idOf(change.old)).add(idOf(change.new))
      const old = change.old !== null && (isFirst ? wasSeen : isSeen)?.(change.old) ? change.old : null
      const after = change.new !== null && isSeen?.(change.new) ? change.new : null
      const text = `${name} ${change.action} ${idOf(after ?? old) ?? ''}`
      const owners = new Set(
        [old, after].flatMap((row) => (row === null ? [] : row[String(related.fields[0])])),
      )
      if (change.action === 'TRUNCATE') owners.clear()
      for (const owner of change.action === 'TRUNCATE' ? [null] : owners)
        if (owner !== null || change.action === 'TRUNCATE')
          heard.set(owner, [...(heard.get(owner) ?? []), text])
    }
  }
  return heard
}

function seenIn(rule: Condition | null, tables: Tables): (row: AnyRow) => boolean {
  if (rule === null) return () => true
  const test = compileCondition(rule, naiveKeys(tables))
  return (row) => test(row) === TRUE
}

/** All ids that a row has had in the transaction. */
function idsOf(entry: Entry, model: string, id: unknown): ReadonlySet<unknown> {
  const ids = new Set([id])
  for (const change of entry.changes.filter((each) => each.model === model).reverse())
    if (ids.has(idOf(change.new)) && change.old !== null) ids.add(idOf(change.old))
  return ids
}

function check(asked: Asked, { events, gaps }: Followed, ledger: readonly Entry[], rowcast: Rowcast): number {
  const { model, where } = asked
  const { catalog } = rowcast
  const spec = catalog.models[model]
  if (spec === undefined) throw new Error(model)
  const condition = parseWhere(spec, catalog, where === undefined ? {} : { OR: [where, { id: END }] }, {
    relations: {},
  })
  const mayHear = (id: unknown) => where === undefined || !('id' in where) || [1, 2, END].includes(Number(id))
  let compared = 0
  for (const entry of ledger) {
    if (gaps.some(([from, to]) => entry.lsn >= from && (to === null || entry.lsn <= to))) continue
    const given = events.filter(({ transaction }) => transaction.commitLsn === entry.lsn)
    const heard = heardIn(entry, rowcast, asked)
    const there = naiveFind(entry.after, model, condition)
    for (const row of there) {
      const ids = idsOf(entry, model, idOf(row))
      const own = given.filter(({ key, old }) => ids.has(idOf(key)) || ids.has(idOf(old)))
      const wanted = [...ids].filter(mayHear).flatMap((id) => heard.get(id) ?? [])
      // Of a related row that moved with a key, one change.
      const expected = [...(ids.size > 1 ? new Set(wanted) : wanted), ...(heard.get(null) ?? [])].sort()
      const found = own.flatMap(({ via = [] }) => via.map(textOf)).sort()
      const what = `${JSON.stringify(asked)} of ${idOf(row)} at ${entry.lsn}`
      const isEmptied = entry.changes.some((each) => each.model === model && each.action === 'TRUNCATE')
      if (!isEmptied) expect(ids.size > 1 ? [...new Set(found)] : found, what).toEqual(expected)
      expect(own.every(({ via, viaCount }) => via?.length === viaCount)).toBe(true)
      const reads = own.filter(({ action }) => action === 'READ')
      expect(reads.length, `one event of ${what}`).toBeLessThanOrEqual(1)
      for (const read of reads) expect(read.new, what).toEqual(row)
      if (own.length > reads.length)
        expect(reads.filter(isIncluded), `no second event of ${what}`).toEqual([])
      compared += expected.length
    }
    for (const event of given.filter(isIncluded))
      expect(
        there.some((row) => idOf(row) === idOf(event.key)),
        'in sight',
      ).toBe(true)
  }
  return compared
}

const isIncluded = ({ cause }: Event) => cause === 'INCLUDED'
const textOf = ({ relation, action, key }: Via) => `${relation} ${action} ${idOf(key) ?? ''}`

it('each row in sight hears once of all that its related rows went through', {
  timeout: 60_000,
}, async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: [...MODELS] })
  const rowcast = live.rowcast as unknown as Rowcast
  const from = await rowcast.changeCursor()
  const last = LAST
  for (const id of TEAMS) await live.prisma.team.create({ data: { id, name: id, slug: id } })
  for (const id of [...USERS, last]) await live.prisma.user.create({ data: { id, email: `${id}@x` } })
  const changes: Event[] = []
  const followers = MODELS.map(async (model) => {
    for await (const change of rowcast.subscribe(model, { after: from })) {
      changes.push(change as unknown as Event)
      if (change.action === 'UPDATE' && isEnd(change as unknown as Event)) return
    }
  })
  let isOver = false
  const world = { rowcast, from, isOver: () => isOver }
  const given = Promise.all(ASKED.map((asked, index) => follow(world, asked, new Dice(SEED * 100 + index))))
  const slow = Promise.all(
    ASKED.map((asked, index) => followConflated(world, asked, new Dice(SEED * 200 + index))),
  )
  await Promise.all([1, 2].map((writer) => write(database, new Dice(SEED * 10 + writer))))
  isOver = true
  const data = { id: END, postId: END, body: 'z' }
  await live.prisma.post.create({ data: { id: END, title: 'z', authorId: last } })
  await live.prisma.comment.create({ data })
  await live.prisma.comment.update({ where: { id: END }, data: { body: 'end' } })
  await live.prisma.post.update({ where: { id: END }, data: { title: 'end' } })
  await live.prisma.membership.create({ data: { userId: last, teamId: String(TEAMS[0]) } })
  await live.prisma.membership.updateMany({ where: { userId: last }, data: { isOwner: true } })
  await live.prisma.user.update({ where: { id: last }, data: { fullName: 'end' } })
  const all = await given
  await Promise.all(followers)
  changes.sort((a, b) => Number(a.transaction.commitLsn - b.transaction.commitLsn) || a.index - b.index)
  const ledger = ledgerOf(changes)
  const compared = all.map((one, index) => check(ASKED[index] as Asked, one, ledger, rowcast))
  process.stdout.write(
    `Heard, seed ${SEED}: ${ledger.length} transactions, ${compared.join(', ')} changes of related rows\n`,
  )
  expect(Math.max(...compared)).toBeGreaterThan(0)
  const conflated = (await slow).map((one, index) =>
    checkConflated(ASKED[index] as Asked, one, ledger, rowcast),
  )
  process.stdout.write(`Conflated: ${conflated.join(', ')} changes of related rows\n`)
  expect(Math.max(...conflated)).toBeGreaterThan(0)
})
