/**
 * Subscriptions that follow relations, on a real PostgreSQL: random filters, many sessions that write at once, keys that change, tables
 * that are emptied, subscribers who join at any moment, are slow, and go on after their cursors. Put together, what one is given is
 * what a search finds after every transaction. A test says through which process each of them reads.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import pg from 'pg'
import { expect } from 'vitest'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { compileCondition } from '../../src/bus/filter/compile-condition.ts'
import { ALWAYS, allOf, allSetsOf } from '../../src/bus/filter/condition.ts'
import { TRUE } from '../../src/bus/filter/outcome.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import { isRowcastError } from '../../src/errors.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import { rowIdOf } from '../../src/sets/written-rows.ts'
import type { TestDatabase } from './database.ts'
import { Dice } from './live-world.ts'
import { naiveFind, naiveKeys, type Tables } from './naive-keys.ts'
import { joinedRows, joinTablesOf, PAIRS } from './related-tables.ts'
import { checkWrites, type FollowedWrites, followWrites } from './related-writes-oracle.ts'
import { MARK, relationWhere } from './relation-schema.ts'
import type { AnyObject } from './where-arbitrary.ts'

const WRITERS = 3
/** What whoever asks for writes asks about. */
const WRITES_ASKED: readonly (readonly ('old' | 'new')[])[] = [['old'], ['new'], ['old', 'new']]
const END = 999
/** A row of each model that is written and written again, for whoever asks for writes: until then he is given them. */
const LAST_WRITTEN = 998

const quote = (name: string) => `"${name}"`

/** A value for a column; few of each type, so that rows meet. */
function anyValue(model: ModelSpec, name: string, dice: Dice): unknown {
  const field = model.fields.find((each) => each.name === name)
  if (field?.isRequired === false && dice.chance(0.2)) return null
  if (field?.type === 'String') return dice.pick(['a', 'b'])
  return field?.type === 'Boolean' ? dice.chance(0.5) : 1 + dice.below(3)
}

/** One statement on one table. */
async function writeOnce(client: pg.Client, models: readonly ModelSpec[], dice: Dice): Promise<void> {
  const model = dice.pick(models)
  const table = quote(model.table)
  const names = model.fields.map(({ name }) => name)
  const values = names.map((name) => anyValue(model, name, dice))
  const kind = dice.next()
  if (kind < 0.4) {
    const marks = names.map((_, index) => `$${index + 1}`).join()
    await client.query(
      `INSERT INTO ${table} (${names.map(quote).join()}) VALUES (${marks}) ON CONFLICT DO NOTHING`,
      values,
    )
  } else if (kind < 0.6) {
    const key = model.primaryKey[0] as string
    await client.query(`DELETE FROM ${table} WHERE ${quote(key)} = $1`, [anyValue(model, key, dice)])
  } else {
    // One column, the key included; of the rows with one value in another.
    const [changed, by] = [dice.pick(names), dice.pick(names)]
    await client.query(
      `UPDATE ${table} SET ${quote(changed)} = $1 WHERE ctid = (SELECT ctid FROM ${table} WHERE ${quote(by)} = $2 LIMIT 1)`,
      [anyValue(model, changed, dice), anyValue(model, by, dice)],
    )
  }
}

interface WriterOptions {
  /** Whether a table is emptied half-way. */
  readonly isEmptying: boolean
  readonly transactions: number
  readonly onWritten: () => void
}

async function write(
  database: TestDatabase,
  models: readonly ModelSpec[],
  dice: Dice,
  { isEmptying, transactions, onWritten }: WriterOptions,
): Promise<void> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  try {
    for (let count = 0; count < transactions; count += 1) {
      await client.query('BEGIN')
      await client.query('SELECT pg_current_xact_id()')
      try {
        for (let left = 1 + dice.below(4); left > 0; left -= 1) await writeOnce(client, models, dice)
        if (isEmptying && count === transactions >> 1)
          await client.query(`TRUNCATE ${quote(dice.pick(models).table)} CASCADE`)
        if (dice.chance(0.2)) await sleep(dice.below(5))
        await client.query(dice.chance(0.1) ? 'ROLLBACK' : 'COMMIT')
      } catch {
        // A key is taken, or two writers wait for each other.
        await client.query('ROLLBACK')
      }
      onWritten()
      if (dice.chance(0.5)) await sleep(dice.below(12))
    }
  } finally {
    await client.end()
  }
}

interface Event {
  readonly action: string
  readonly transition: string
  readonly cursor: string
  readonly key: AnyRow | null
  readonly oldKey?: AnyRow | null
  readonly old: AnyRow | null
  readonly new: AnyRow | null
  readonly transaction: { readonly commitLsn: bigint }
}

/** All tables after each transaction. */
class Truth {
  readonly boundaries: { readonly commitLsn: bigint; readonly tables: Tables }[] = []
  readonly #rows: ReadonlyMap<string, Map<string, AnyRow>>

  readonly models: readonly ModelSpec[]

  constructor(models: readonly ModelSpec[]) {
    this.models = models
    this.#rows = new Map(models.map(({ name }) => [name, new Map()]))
    this.#note(0n)
  }

  /** Takes the changes of all models in commit order. */
  take(changes: readonly (Event & { readonly model: string })[]): void {
    for (const [index, { model, action, old, new: after, transaction }] of changes.entries()) {
      const rows = this.#rows.get(model) as Map<string, AnyRow>
      const spec = this.models.find(({ name }) => name === model) as ModelSpec
      if (action === 'TRUNCATE') rows.clear()
      if (old !== null) rows.delete(rowIdOf(spec, old))
      if (after !== null) rows.set(rowIdOf(spec, after), after)
      if (changes[index + 1]?.transaction.commitLsn !== transaction.commitLsn)
        this.#note(transaction.commitLsn)
    }
  }

  at(lsn: bigint): Tables {
    return this.boundaries.findLast(({ commitLsn }) => commitLsn <= lsn)?.tables ?? {}
  }

  #note(commitLsn: bigint): void {
    const rows = Object.fromEntries([...this.#rows].map(([name, each]) => [name, [...each.values()]]))
    const tables = { ...rows, ...joinedRows(rows[PAIRS] ?? []) }
    this.boundaries.push({ commitLsn, tables })
  }
}

/** What one subscriber was given: from which position on, by which cursors it went on, and all events. */
interface Followed {
  readonly model: ModelSpec
  readonly where: AnyObject
  /** What the viewer may see; null for a user of the library, who sees everything. */
  readonly policy: AnyObject | null
  /** Everything up to there is in `first`; null before READY. */
  from: bigint | null
  /** Whether it is given the latest event of each row alone. */
  readonly conflates: boolean
  /** The first rows; null where it did not ask for them. */
  readonly first: AnyRow[] | null
  readonly events: Event[]
  ended: string | null
}

type Asked = Pick<Followed, 'model' | 'where' | 'policy' | 'conflates'>

/** Follows until the end of the world; who ends on the way begins again, as a client that asks for its rows again. */
async function follow(
  reader: () => Rowcast,
  request: Asked,
  { dice, isOver }: { readonly dice: Dice; readonly isOver: () => boolean },
): Promise<readonly Followed[]> {
  const all: Followed[] = []
  for (;;) {
    const followed = await followOn(reader, request, dice)
    all.push(followed)
    if (followed.ended === null || isOver()) return all
  }
}

/** The same until a typed end; now and then, and where its process stops, it goes on after its cursor. */
async function followOn(reader: () => Rowcast, request: Asked, dice: Dice): Promise<Followed> {
  const isInitial = dice.chance(0.4)
  let after = isInitial ? undefined : await reader().changeCursor()
  const from = after === undefined ? null : parseCursor(after).position.commitLsn
  const followed: Followed = { ...request, from, first: isInitial ? [] : null, events: [], ended: null }
  const isLeaving = dice.chance(0.6)
  for (;;) {
    try {
      for await (const event of subscribe(reader(), request, after)) {
        after = event.cursor
        if (event.action === 'READY') followed.from = parseCursor(after).position.commitLsn
        else if (followed.from === null) followed.first?.push(event.new as AnyRow)
        else followed.events.push(event)
        if (event.action === 'INSERT' && isEnd(event.new)) return followed
        // What was there before is among the first rows.
        if (event.action === 'READY' && followed.first?.some(isEnd)) return followed
        if (dice.chance(0.2)) await sleep(dice.below(20))
        if (isLeaving && followed.from !== null && dice.chance(0.15)) break
      }
    } catch (error) {
      if (isRowcastError(error, 'SERVER_STOPPING')) continue
      if (!isRowcastError(error, 'RESYNC_REQUIRED')) throw error
      followed.ended = error.message
      return followed
    }
    if (dice.chance(0.3)) await sleep(dice.below(60))
  }
}

/** For the library, or as GraphQL does for a viewer: with a policy, and images that are hidden. */
async function* subscribe(
  rowcast: Rowcast,
  { model, where, policy, conflates }: Asked,
  after: string | undefined,
): AsyncGenerator<Event> {
  const isInitial = after === undefined
  const overflow = conflates ? 'conflate' : 'end'
  const orEnd = (filter: AnyObject) => orEndOf(model, filter)
  if (policy === null) {
    const options = { where: orEnd(where), overflow, ...(isInitial ? { initial: true } : { after }) }
    for await (const event of rowcast.subscribe(model.name, options as never)) yield event as unknown as Event
    return
  }
  const parse = (filter: AnyObject) => parseWhere(model, rowcast.catalog, orEnd(filter), { relations: {} })
  const filter = createChangeFilter({ rows: parse(policy), where: parse(where) })
  if (filter === null) throw new Error('There are conditions.')
  const events = rowcast.subscribeRelated({ model: model.name, filter, isInitial, after, overflow })
  for await (const { change, transition, hidesOld, hidesNew } of events) {
    const key = hidesNew && change.old !== null ? change.old : change.key
    yield {
      ...{ action: change.action, transition: transition ?? '', cursor: change.cursor, key },
      ...{ old: hidesOld ? null : change.old, oldKey: hidesOld ? null : change.old },
      ...{ new: hidesNew ? null : change.new, transaction: change.transaction ?? { commitLsn: 0n } },
    }
  }
}

/** Whether the filter asks other rows. */
function isFollowed(model: ModelSpec, catalog: ModelCatalog, where: AnyObject): boolean {
  const sets = allSetsOf(parseWhere(model, catalog, where, { relations: {} }))
  return sets.length > 0
}

/** One of each model. */
const rowsOf = (id: number) => `
  INSERT INTO "User" VALUES (${id}, 'z'); INSERT INTO "Post" VALUES (${id}, 'z', ${id}, ${id});
  INSERT INTO "Tag" VALUES (${id}, 'z'); INSERT INTO "_PostToTag" VALUES (${id}, ${id});
  INSERT INTO "Team" VALUES (${id}, 'z', false, 'z', ${id}, null); INSERT INTO "Org" VALUES ('z', ${id}, 'z');
  INSERT INTO "Member" VALUES (${id}, ${id}, 'z'); INSERT INTO "Badge" VALUES (${id}, ${id}, 'z', 'z', ${id});`

/** A row of each model that is written last, and that each subscriber asks for. */
const END_ROW: Readonly<Record<string, AnyObject>> = {
  Org: { code: END },
  Team: { id: END },
  Member: { userId: END },
  User: { id: END },
  Badge: { id: END },
  Post: { id: END },
  Tag: { id: END },
}
const keyOfEnd = (model: string) => Object.keys(END_ROW[model] ?? {})[0] ?? ''
const orEndOf = ({ name }: ModelSpec, filter: AnyObject, id = END): AnyObject => ({
  OR: [filter, { [keyOfEnd(name)]: id }],
})
const hasKey = (row: AnyRow | null, id: number) =>
  row !== null && (row['id'] ?? row['userId'] ?? row['code'] ?? row['a']) === id
const isEnd = (row: AnyRow | null) => hasKey(row, END)
const isWrittenLast = (row: AnyRow | null) => hasKey(row, LAST_WRITTEN)

/** Its rows after each transaction are those that a search finds. */
function check(followed: Followed, truth: Truth, catalog: ModelCatalog): number {
  const { model, where, policy, from, first, events, ended, conflates } = followed
  if (from === null) return 0
  const parse = (filter: AnyObject) => parseWhere(model, catalog, orEndOf(model, filter), { relations: {} })
  const rule = policy === null ? ALWAYS : parse(policy)
  const condition = allOf([rule, parse(where)])
  const idOf = (row: AnyRow) => rowIdOf(model, row)
  const expected = (tables: Tables) =>
    new Map(naiveFind(tables, model.name, condition).map((row) => [idOf(row), row]))
  const sorted = (all: ReadonlyMap<string, AnyRow>) =>
    Object.fromEntries([...all].sort(([a], [b]) => (a < b ? -1 : 1)))
  const begun = expected(truth.at(from))
  const given = new Map((first ?? [...begun.values()]).map((row) => [idOf(row), row]))
  // Of those that wait for whoever conflates, none is shown that may not be seen any more.
  for (const [id, row] of given) expect(begun.get(id), 'a first row').toEqual(row)
  if (!conflates) expect(sorted(given), 'the first rows').toEqual(sorted(begun))
  const rows = new Map(given)
  let tablesBefore = truth.at(from)
  let compared = 0
  let next = 0
  let before = expected(truth.at(from))
  for (const { commitLsn, tables } of truth.boundaries) {
    if (commitLsn <= from) continue
    const after = expected(tables)
    for (; next < events.length; next += 1) {
      const event = events[next] as Event
      if (event.transaction.commitLsn > commitLsn) break
      expect(event.transaction.commitLsn > from, 'nothing from before').toBe(true)
      // The adversary's side: whatever is shown could be seen before the transaction, or can be after it.
      for (const row of [event.old, event.new]) {
        if (row === null) continue
        const mayBeSeen = [tablesBefore, tables].some(
          (at) => compileCondition(rule, naiveKeys(at))(row) === TRUE,
        )
        expect(mayBeSeen, `${JSON.stringify(row)} for ${JSON.stringify(policy)}`).toBe(true)
      }
      // A row that came into sight is shown as it is; of one that went out of it, its key was known.
      if (event.action === 'READ' && event.transition === 'ENTERED')
        expect(event.new).toEqual(after.get(idOf(event.new as AnyRow)))
      else if (event.action === 'READ') expect(before.has(idOf(event.key as AnyRow))).toBe(true)
      fold(rows, event, idOf)
    }
    before = after
    // One that has ended lacks what it was not given.
    if (ended !== null && next >= events.length) break
    tablesBefore = tables
    // What is left out in between is given in the end: then nothing waits any more.
    if (conflates && next < events.length) continue
    expect(sorted(rows), `${model.name} ${JSON.stringify(where)} at ${commitLsn}`).toEqual(sorted(after))
    compared += 1
  }
  return compared
}

function fold(rows: Map<string, AnyRow>, event: Event, idOf: (row: AnyRow) => string): void {
  const { action, transition, key, oldKey, new: row } = event
  if (action === 'TRUNCATE') rows.clear()
  if (oldKey != null) rows.delete(idOf(oldKey))
  if (key !== null) rows.delete(idOf(key))
  if (row !== null && transition !== 'LEFT') rows.set(idOf(row), row)
}

/** Models are live, and join tables followed: of teams, members and posts, rows that are marked as deleted count as gone. */
export function registerRelated(rowcast: Rowcast, catalog: ModelCatalog): void {
  for (const { name } of relatedModels(catalog))
    rowcast.register(name, (MARKED.has(name) ? { softDelete: MARK } : {}) as never)
  rowcast.register(PAIRS)
  for (const { name } of joinTablesOf(catalog)) rowcast.follow(name as never)
}
const MARKED: ReadonlySet<string> = new Set(['Team', 'Member', 'Post'])

/** What is compared. */
export interface RelatedWorld {
  readonly database: TestDatabase
  readonly catalog: ModelCatalog
  readonly seed: number
  /** Of each of the three who write. */
  readonly transactions: number
  readonly subscribers: number
  /** Where all changes of all models are read, to know what there was. */
  readonly ledger: Rowcast
  /** Whom a subscriber asks that comes, or comes again. */
  readonly reader: () => Rowcast
  /** So much of it has been written, of 1. */
  readonly onWritten?: ((share: number) => void) | undefined
}

/** The models whose rows are asked for. */
export function relatedModels(catalog: ModelCatalog): readonly ModelSpec[] {
  return Object.values(catalog.models).filter(({ name }) => END_ROW[name] !== undefined)
}

/** Writes, follows and compares. @throws where what one was given is not what a search finds */
export async function playRelatedWorld(world: RelatedWorld) {
  const { catalog, seed, ledger } = world
  const models = relatedModels(catalog)
  const beginning = await ledger.changeCursor()
  const changes: (Event & { readonly model: string; readonly index: number })[] = []
  const pairs = catalog.models[PAIRS] as ModelSpec
  const followers = [...models, pairs].map(async ({ name }) => {
    for await (const change of ledger.subscribe(name, { after: beginning })) {
      changes.push(change as never)
      if (change.action === 'INSERT' && isEnd(change.new as AnyRow)) return
    }
  })
  const { followed, writes } = await writeAndFollow(world, models, beginning)
  await Promise.all(followers)
  changes.sort((a, b) => Number(a.transaction.commitLsn - b.transaction.commitLsn) || a.index - b.index)
  const truth = new Truth([...models, pairs])
  truth.take(changes)
  await checkTruth(world.database, truth)
  let compared = 0
  for (const one of followed) compared += check(one, truth, catalog)
  let judged = 0
  for (const one of writes) {
    const filter = (where: AnyObject) => parseWhere(one.model, catalog, where, { relations: {} })
    judged += checkWrites(one, {
      writes: changes.filter(({ model }) => model === one.model.name),
      tablesAfter: (lsn) => truth.at(lsn),
      tablesBefore: (lsn) => truth.at(lsn - 1n),
      ...{ parse: filter, isEnd: isWrittenLast },
    })
  }
  const ended = followed.filter((one) => one.ended !== null)
  const moved = followed.flatMap(({ events }) => events.filter(({ action }) => action === 'READ')).length
  process.stdout.write(
    `Related subscriptions, seed ${seed}: ${truth.boundaries.length} transactions, ${followed.length} subscribers, ` +
      `${followed.filter(({ conflates }) => conflates).length} of them conflate, ${moved} rows moved, ${compared} boundaries compared, ${judged} writes judged by what they ask of other rows, ${ended.length} ended: ${[...new Set(ended.map((one) => one.ended))].join(' / ')}\n`,
  )
  return { moved, compared, judged, ended: ended.length }
}

/** What the changes say in the end is what the tables have, without what is marked. */
async function checkTruth(database: TestDatabase, truth: Truth): Promise<void> {
  const { tables } = truth.boundaries.at(-1) as { readonly tables: Tables }
  for (const model of truth.models) {
    const unmarked = MARKED.has(model.name) ? ` WHERE ${MARK} IS NOT TRUE` : ''
    const found: readonly AnyRow[] = await database.query(`SELECT * FROM ${quote(model.table)}${unmarked}`)
    const sorted = (rows: readonly AnyRow[] = []) =>
      Object.fromEntries(
        rows.map((row) => [rowIdOf(model, row), row] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
      )
    expect(sorted(tables[model.name]), model.name).toEqual(sorted(found))
  }
}

async function writeAndFollow(
  { database, catalog, seed, transactions, subscribers: most, reader, onWritten }: RelatedWorld,
  models: readonly ModelSpec[],
  beginning: string,
): Promise<{ readonly followed: readonly Followed[]; readonly writes: readonly FollowedWrites[] }> {
  const dice = new Dice(seed)
  const ofWrites: Promise<FollowedWrites>[] = []
  const subscribers: Promise<readonly Followed[]>[] = []
  let isWriting = true
  let count = 0
  const written = [...models, ...joinTablesOf(catalog)]
  const note = () => onWritten?.(++count / (WRITERS * transactions))
  const writers = Promise.all(
    Array.from({ length: WRITERS }, (_, index) => {
      const options = { isEmptying: index === 0, transactions, onWritten: note }
      return write(database, written, new Dice(seed * 100 + index), options)
    }),
  ).finally(() => {
    isWriting = false
  })
  const wheres: ReadonlyMap<ModelSpec, readonly AnyObject[]> = new Map(
    models.map((model) => {
      const found = fc.sample(relationWhere(catalog, model, 3), { seed, numRuns: 300 })
      return [model, found.filter((where) => isFollowed(model, catalog, where))]
    }),
  )
  const begun = { from: parseCursor(beginning).position.commitLsn, after: beginning }
  while (isWriting && subscribers.length < most) {
    const model = dice.pick(models)
    const any = () => dice.pick(wheres.get(model) ?? [{}])
    const conflates = dice.chance(0.3)
    const asked = { model, where: any(), policy: dice.chance(0.6) ? any() : null, conflates }
    const own = { dice: new Dice(seed * 1_000 + subscribers.length), isOver: () => !isWriting }
    subscribers.push(follow(reader, asked, own))
    if (dice.chance(0.5)) {
      const which = Object.fromEntries(
        dice.pick(WRITES_ASKED).map((name) => [name, orEndOf(model, any(), LAST_WRITTEN)]),
      )
      ofWrites.push(
        followWrites(reader, { model, old: null, new: null, ...which }, { ...begun, isEnd: isWrittenLast }),
      )
    }
    await sleep(dice.below(60))
  }
  await writers
  await database.query(rowsOf(LAST_WRITTEN))
  // Once more, for those who ask for the row before.
  for (const { table, fields, name } of models) {
    const [column] = fields.map((field) => field.name).filter((each) => /^(name|role|title)$/.test(each))
    const set = `UPDATE ${quote(table)} SET ${quote(String(column))} = 'zz'`
    await database.query(`${set} WHERE ${quote(keyOfEnd(name))} = ${LAST_WRITTEN}`)
  }
  await database.query(rowsOf(END))
  return { followed: (await Promise.all(subscribers)).flat(), writes: await Promise.all(ofWrites) }
}
