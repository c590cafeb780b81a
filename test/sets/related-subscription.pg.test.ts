/**
 * Subscriptions that follow relations, on a real PostgreSQL: random filters, many sessions that write at once, keys that change, tables
 * that are emptied, subscribers who join at any moment, are slow, and go on after their cursors. Put together, what one is given is
 * what a search finds after every transaction.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import pg from 'pg'
import { expect, it } from 'vitest'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { compileCondition } from '../../src/bus/filter/compile-condition.ts'
import { ALWAYS, allOf, allSetsOf } from '../../src/bus/filter/condition.ts'
import { TRUE } from '../../src/bus/filter/outcome.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import { isRowcastError } from '../../src/errors.ts'
import { createRowcast, type Rowcast } from '../../src/rowcast.ts'
import { rowIdOf } from '../../src/sets/written-rows.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { Dice } from '../support/live-world.ts'
import { naiveFind, naiveKeys, type Tables } from '../support/naive-keys.ts'
import { provideRelationProject, RELATION_TABLES, relationWhere } from '../support/relation-schema.ts'
import type { AnyObject } from '../support/where-arbitrary.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 3)
const WRITERS = 3
const TRANSACTIONS_EACH = Number(process.env['ROWCAST_TEST_TRANSACTIONS'] ?? 30)
const SUBSCRIBERS = Number(process.env['ROWCAST_TEST_SUBSCRIBERS'] ?? 6)
const END = 999

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

/** @param isEmptying whether a table is emptied half-way */
async function write(
  database: TestDatabase,
  models: readonly ModelSpec[],
  dice: Dice,
  isEmptying: boolean,
): Promise<void> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  try {
    for (let count = 0; count < TRANSACTIONS_EACH; count += 1) {
      await client.query('BEGIN')
      await client.query('SELECT pg_current_xact_id()')
      try {
        for (let left = 1 + dice.below(4); left > 0; left -= 1) await writeOnce(client, models, dice)
        if (isEmptying && count === TRANSACTIONS_EACH >> 1)
          await client.query(`TRUNCATE ${quote(dice.pick(models).table)}`)
        if (dice.chance(0.2)) await sleep(dice.below(5))
        await client.query(dice.chance(0.1) ? 'ROLLBACK' : 'COMMIT')
      } catch {
        // A key is taken, or two writers wait for each other.
        await client.query('ROLLBACK')
      }
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
    const tables = Object.fromEntries([...this.#rows].map(([name, rows]) => [name, [...rows.values()]]))
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
  /** The first rows; null where it did not ask for them. */
  readonly first: AnyRow[] | null
  readonly events: Event[]
  ended: string | null
}

type Asked = Pick<Followed, 'model' | 'where' | 'policy'>

/** Follows until the end of the world; who ends on the way begins again, as a client that asks for its rows again. */
async function follow(
  rowcast: Rowcast,
  request: Asked,
  { dice, isOver }: { readonly dice: Dice; readonly isOver: () => boolean },
): Promise<readonly Followed[]> {
  const all: Followed[] = []
  for (;;) {
    const followed = await followOn(rowcast, request, dice)
    all.push(followed)
    if (followed.ended === null || isOver()) return all
  }
}

/** The same until a typed end; now and then it goes on after its cursor. */
async function followOn(rowcast: Rowcast, request: Asked, dice: Dice): Promise<Followed> {
  const isInitial = dice.chance(0.4)
  let after = isInitial ? undefined : await rowcast.changeCursor()
  const from = after === undefined ? null : parseCursor(after).position.commitLsn
  const followed: Followed = { ...request, from, first: isInitial ? [] : null, events: [], ended: null }
  const isLeaving = dice.chance(0.6)
  for (;;) {
    try {
      for await (const event of subscribe(rowcast, request, after)) {
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
  { model, where, policy }: Asked,
  after: string | undefined,
): AsyncGenerator<Event> {
  const isInitial = after === undefined
  const orEnd = (filter: AnyObject) => ({ OR: [filter, END_ROW[model.name]] })
  if (policy === null) {
    const options = { where: orEnd(where), ...(isInitial ? { initial: true } : { after }) }
    for await (const event of rowcast.subscribe(model.name, options as never)) yield event as unknown as Event
    return
  }
  const parse = (filter: AnyObject) => parseWhere(model, rowcast.catalog, orEnd(filter), { relations: {} })
  const filter = createChangeFilter({ rows: parse(policy), where: parse(where) })
  if (filter === null) throw new Error('There are conditions.')
  const events = rowcast.subscribeRelated({ model: model.name, filter, isInitial, after })
  for await (const { change, transition, hidesOld, hidesNew } of events) {
    const key = hidesNew && change.old !== null ? change.old : change.key
    yield {
      ...{ action: change.action, transition: transition ?? '', cursor: change.cursor, key },
      ...{ old: hidesOld ? null : change.old, oldKey: hidesOld ? null : change.old },
      ...{ new: hidesNew ? null : change.new, transaction: change.transaction ?? { commitLsn: 0n } },
    }
  }
}

/** Whether the filter asks other rows, and none of a join table. */
function isFollowed(model: ModelSpec, catalog: ModelCatalog, where: AnyObject): boolean {
  const sets = allSetsOf(parseWhere(model, catalog, where, { relations: {} }))
  return sets.length > 0 && sets.every((set) => END_ROW[set.model.name] !== undefined)
}

/** A row of each model that is written last, and that each subscriber asks for. */
const END_ROW: Readonly<Record<string, AnyObject>> = {
  Org: { code: END },
  Team: { id: END },
  Member: { userId: END },
  User: { id: END },
  Badge: { id: END },
  Post: { id: END },
}
const isEnd = (row: AnyRow | null) => row !== null && (row['id'] ?? row['userId'] ?? row['code']) === END

/** Its rows after each transaction are those that a search finds. */
function check(followed: Followed, truth: Truth, catalog: ModelCatalog): number {
  const { model, where, policy, from, first, events, ended } = followed
  if (from === null) return 0
  const parse = (filter: AnyObject) =>
    parseWhere(model, catalog, { OR: [filter, END_ROW[model.name]] }, { relations: {} })
  const rule = policy === null ? ALWAYS : parse(policy)
  const condition = allOf([rule, parse(where)])
  const idOf = (row: AnyRow) => rowIdOf(model, row)
  const expected = (tables: Tables) =>
    new Map(naiveFind(tables, model.name, condition).map((row) => [idOf(row), row]))
  const sorted = (all: ReadonlyMap<string, AnyRow>) =>
    Object.fromEntries([...all].sort(([a], [b]) => (a < b ? -1 : 1)))
  const rows = new Map(expected(truth.at(from)))
  if (first !== null)
    expect(sorted(new Map(first.map((row) => [idOf(row), row]))), 'the first rows').toEqual(sorted(rows))
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

it('have what a search finds after every transaction', { timeout: 120_000 }, async () => {
  const project = await provideRelationProject('relations-followed')
  const { catalog } = project
  const models = Object.values(catalog.models).filter(({ name }) => END_ROW[name] !== undefined)
  await using database = await openDatabase()
  await database.query(RELATION_TABLES)
  const prisma = project.createPrisma(database.url)
  const rowcast: Rowcast = createRowcast({
    prisma,
    catalog,
    url: database.url,
    slot: slotOf(database),
  } as never)
  for (const { name } of models) rowcast.register(name)
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  try {
    const beginning = await rowcast.changeCursor()
    const changes: (Event & { readonly model: string; readonly index: number })[] = []
    const followers = models.map(async ({ name }) => {
      for await (const change of rowcast.subscribe(name, { after: beginning })) {
        changes.push(change as never)
        if (change.action === 'INSERT' && isEnd(change.new as AnyRow)) return
      }
    })
    const dice = new Dice(SEED)
    const subscribers: Promise<readonly Followed[]>[] = []
    let isWriting = true
    const writers = Promise.all(
      Array.from({ length: WRITERS }, (_, index) =>
        write(database, models, new Dice(SEED * 100 + index), index === 0),
      ),
    ).finally(() => {
      isWriting = false
    })
    const wheres: ReadonlyMap<ModelSpec, readonly AnyObject[]> = new Map(
      models.map((model) => {
        const found = fc.sample(relationWhere(catalog, model, 3), { seed: SEED, numRuns: 300 })
        return [model, found.filter((where) => isFollowed(model, catalog, where))]
      }),
    )
    while (isWriting && subscribers.length < SUBSCRIBERS) {
      const model = dice.pick(models)
      const any = () => dice.pick(wheres.get(model) ?? [{}])
      const where = any()
      const policy = dice.chance(0.6) ? any() : null
      subscribers.push(
        follow(
          rowcast,
          { model, where, policy },
          { dice: new Dice(SEED * 1_000 + subscribers.length), isOver: () => !isWriting },
        ),
      )
      await sleep(dice.below(60))
    }
    await writers
    await database.query(`
      INSERT INTO "User" VALUES (${END}, 'z'); INSERT INTO "Post" VALUES (${END}, 'z', ${END}, ${END});
      INSERT INTO "Team" VALUES (${END}, 'z', false, 'z', ${END}, null); INSERT INTO "Org" VALUES ('z', ${END}, 'z');
      INSERT INTO "Member" VALUES (${END}, ${END}, 'z'); INSERT INTO "Badge" VALUES (${END}, ${END}, 'z', 'z', ${END});`)
    const followed = (await Promise.all(subscribers)).flat()
    await Promise.all(followers)
    changes.sort((a, b) => Number(a.transaction.commitLsn - b.transaction.commitLsn) || a.index - b.index)
    const truth = new Truth(models)
    truth.take(changes)
    let compared = 0
    for (const one of followed) compared += check(one, truth, catalog)
    const ended = followed.filter((one) => one.ended !== null)
    const moved = followed.flatMap(({ events }) => events.filter(({ action }) => action === 'READ')).length
    process.stdout.write(
      `Related subscriptions, seed ${SEED}: ${truth.boundaries.length} transactions, ${followed.length} subscribers, ` +
        `${moved} rows moved, ${compared} boundaries compared, ${ended.length} ended: ${[...new Set(ended.map((one) => one.ended))].join(' / ')}\n`,
    )
    expect(moved).toBeGreaterThan(0)
  } finally {
    await rowcast.stop()
    await prisma.$disconnect()
  }
})
