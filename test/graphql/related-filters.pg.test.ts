/**
 * Filters of clients that follow relations, on a real PostgreSQL. Whoever asks finds what Prisma Client finds in a database that has
 * nothing but what he may see; a subscription, put together, is what the query finds at every boundary; and whatever is written to rows
 * that he may not see, no answer changes.
 */
import fc from 'fast-check'
import { type ExecutionResult, execute, type GraphQLSchema, parse, subscribe } from 'graphql'
import { describe, expect, it } from 'vitest'
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { ServicePrismaClient } from '../../src/config/config.ts'
import type { ChangeFeed } from '../../src/graphql/change-feed.ts'
import { modelNames } from '../../src/graphql/schema-names.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { Dice } from '../support/live-world.ts'
import { provideRelationProject, RELATION_TABLES, relationWhere } from '../support/relation-schema.ts'
import type { AnyObject } from '../support/where-arbitrary.ts'
import { createFakeFeed } from './fake-feed.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 22)
const RUNS = Number(process.env['ROWCAST_TEST_FILTERS'] ?? 60)
const ROUNDS = Number(process.env['ROWCAST_TEST_ROUNDS'] ?? 10)
const SUBSCRIPTIONS = Number(process.env['ROWCAST_TEST_SUBSCRIBERS'] ?? 8)
/** A row that everybody sees, and that every filter lets through. */
const SENTINEL = 999

interface Viewer {
  readonly viewer: number
}

const ofTeam = ({ viewer }: Viewer) => ({ OR: [{ open: true }, { members: { some: { userId: viewer } } }] })
/** Rules that are true or false of every row. */
const RULES: Readonly<Record<string, (context: Viewer) => object | 'all'>> = {
  Team: ofTeam,
  Post: (context) => ({ OR: [{ id: SENTINEL }, { authorId: context.viewer }, { team: ofTeam(context) }] }),
  Member: ({ viewer }) => ({ OR: [{ userId: viewer }, { team: { open: true } }] }),
  User: ({ viewer }) => ({ NOT: { id: 1 + (viewer % 3) } }),
  Badge: () => ({ region: 'a' }),
  Org: ({ viewer }) => (viewer === 3 ? 'all' : { code: { not: 2 } }),
}

/** What Prisma Client is called by here. */
interface Delegate {
  findMany(query: object): Promise<AnyObject[]>
  createMany(query: object): Promise<unknown>
}

const delegateOf = (prisma: ServicePrismaClient, model: string) =>
  Reflect.get(prisma, model.charAt(0).toLowerCase() + model.slice(1)) as Delegate

/** A filter of Prisma's as GraphQL writes it. */
function written(model: ModelSpec, catalog: ModelCatalog, where: unknown): unknown {
  if (Array.isArray(where)) return where.map((each) => written(model, catalog, each))
  const entries = Object.entries(Object(where)).map(([name, value]) => {
    if (model.fields.some((field) => field.name === name)) return [name, writtenFilter(value)]
    const relation = model.relations.find((each) => each.name === name)
    if (relation === undefined) return [name, written(model, catalog, value)]
    if (value === null) return [name, null]
    const related = catalog.models[relation.model] as ModelSpec
    const operators = Object.entries(Object(value)).map(([operator, operand]) => [
      operator,
      operand === null ? null : written(related, catalog, operand),
    ])
    return [name, Object.fromEntries(operators)]
  })
  return Object.fromEntries(entries)
}

function writtenFilter(value: unknown): unknown {
  if (value === null) return null
  if (typeof value !== 'object') return { equals: value }
  const entries = Object.entries(value).map(([operator, operand]) => [
    operator,
    operator === 'not' && operand !== null ? { equals: operand } : operand,
  ])
  return Object.fromEntries(entries)
}

/** Whether it asks that there is no related row, or one: by its foreign key for Prisma, and by what may be seen here. */
const asksForAbsence = (where: unknown): boolean =>
  /"(is|isNot|team|org|parent|badge)":null/.test(JSON.stringify(where))

const columnsOf = (model: ModelSpec) => model.primaryKey.join(' ')
const keyText = (model: ModelSpec, row: AnyObject) =>
  JSON.stringify(model.primaryKey.map((name) => String(row[name])))

function run(schema: GraphQLSchema, source: string, variableValues: AnyObject, contextValue: object) {
  return execute({
    schema,
    document: parse(source),
    variableValues,
    contextValue,
  }) as Promise<ExecutionResult>
}

/** The keys that a query finds; null where the filter is refused. */
async function found(
  { schema, catalog }: Asked,
  model: ModelSpec,
  w: unknown,
  context: Viewer,
): Promise<string[] | null> {
  const { many, where } = modelNames(catalog, model.name)
  const source = `query ($w: ${where}) { ${many}(where: $w, first: 200) { ${columnsOf(model)} } }`
  const { data, errors } = await run(schema, source, { w }, context)
  if (errors !== undefined) {
    expect(JSON.stringify(errors)).toContain('BAD_FILTER')
    return null
  }
  return ((data?.[many] ?? []) as AnyObject[]).map((row) => keyText(model, row)).sort()
}

interface Asked {
  readonly schema: GraphQLSchema
  readonly catalog: ModelCatalog
}

/** Random rows in all tables. */
async function fill(database: TestDatabase, dice: Dice): Promise<void> {
  const text = () => (dice.chance(0.25) ? 'NULL' : `'${dice.pick(['a', 'b'])}'`)
  const number = (isNullable = true) => (isNullable && dice.chance(0.25) ? 'NULL' : String(1 + dice.below(3)))
  const statements = [
    ...[1, 2, 3].map((code) => `INSERT INTO "Org" VALUES ('${dice.pick(['a', 'b'])}', ${code}, ${text()})`),
    ...[1, 2, 3, 4, 5].map(
      (id) =>
        `INSERT INTO "Team" VALUES (${id}, ${text()}, ${dice.chance(0.4)}, ${text()}, ${number()}, ${number()})`,
    ),
    ...[1, 2, 3].map((id) => `INSERT INTO "User" VALUES (${id}, ${text()})`),
    ...[1, 2, 3].map(
      (id) =>
        `INSERT INTO "Badge" VALUES (${id}, ${id + 1}, ${text()}, '${dice.pick(['a', 'b'])}', ${number()})`,
    ),
    ...[1, 2, 3, 4, 5, 6, 7, 8].map(
      (id) => `INSERT INTO "Post" VALUES (${id}, ${text()}, ${number()}, ${number(false)})`,
    ),
    ...[1, 2, 3].map((id) => `INSERT INTO "Tag" VALUES (${id}, ${text()})`),
    ...[1, 2, 3, 4, 5, 6].flatMap(() => [
      `INSERT INTO "Member" VALUES (${number(false)}, ${number(false)}, ${text()}) ON CONFLICT DO NOTHING`,
      `INSERT INTO "_PostToTag" VALUES (${number(false)}, ${number(false)}) ON CONFLICT DO NOTHING`,
      `INSERT INTO "_follows" VALUES (${number(false)}, ${number(false)}) ON CONFLICT DO NOTHING`,
    ]),
  ]
  for (const statement of statements) await database.query(statement)
}

const MODELS = ['Post', 'Team', 'User', 'Badge', 'Org', 'Member', 'Tag']

function policiesOf(rules: typeof RULES) {
  return Object.fromEntries(
    MODELS.map((name) => [name, rules[name] === undefined ? {} : { rows: rules[name] }]),
  )
}

describe('a filter that follows relations', () => {
  it('finds what is found where there is nothing but what may be seen', { timeout: 240_000 }, async () => {
    const { catalog, createPrisma } = await provideRelationProject('related-filters')
    await using database = await openDatabase()
    await using seen = await openDatabase()
    await database.query(RELATION_TABLES)
    await seen.query(RELATION_TABLES)
    const prisma = createPrisma(database.url)
    const seenPrisma = createPrisma(seen.url)
    const models = policiesOf(RULES)
    const schema = buildServiceSchema({ catalog, prisma, feed: createFakeFeed(catalog, []), models } as never)
    const dice = new Dice(SEED)
    await fill(database, dice)
    const counts = { compared: 0, refused: 0, found: 0 }
    for (const viewer of [1, 2, 3]) {
      const context = { viewer }
      for (const table of ['Org', 'Team', 'Member', 'User', 'Badge', 'Post', 'Tag', '_PostToTag', '_follows'])
        await seen.query(`DELETE FROM "${table}"`)
      const keys: Record<string, ReadonlySet<unknown>> = {}
      for (const name of MODELS) {
        const rule = RULES[name]?.(context) ?? 'all'
        const rows = await delegateOf(prisma, name).findMany(rule === 'all' ? {} : { where: rule })
        keys[name] = new Set(rows.map((row) => row['id']))
        await delegateOf(seenPrisma, name).createMany({ data: rows })
      }
      for (const [table, a, b] of [
        ['_PostToTag', 'Post', 'Tag'],
        ['_follows', 'User', 'User'],
      ] as const) {
        const rows = await database.query<{ A: number; B: number }>(`SELECT * FROM "${table}"`)
        for (const { A, B } of rows)
          if (keys[a]?.has(A) && keys[b]?.has(B))
            await seen.query(`INSERT INTO "${table}" VALUES (${A}, ${B})`)
      }
      for (const name of MODELS) {
        const model = catalog.models[name] as ModelSpec
        await fc.assert(
          fc.asyncProperty(relationWhere(catalog, model, 3), async (where) => {
            if (asksForAbsence(where)) return
            const keysFound = await found({ schema, catalog }, model, written(model, catalog, where), context)
            if (keysFound === null) counts.refused += 1
            else {
              const expected = await delegateOf(seenPrisma, name).findMany({ where })
              expect(keysFound).toEqual(expected.map((row) => keyText(model, row)).sort())
              counts.compared += 1
              counts.found += keysFound.length
            }
          }),
          { seed: SEED + viewer, numRuns: Math.ceil(RUNS / MODELS.length) },
        )
      }
    }
    await prisma.$disconnect()
    await seenPrisma.$disconnect()
    expect(counts.compared).toBeGreaterThan(RUNS)
    expect(counts.found).toBeGreaterThan(RUNS / 2)
  })
})

/** Rows that are not to be seen, and that a rule is null of. */
const NULLABLE: typeof RULES = {
  ...RULES,
  Badge: () => ({ code: { lte: 2 } }),
  Team: ({ viewer }) => ({ OR: [{ parentId: viewer }, { members: { some: { userId: viewer } } }] }),
}

/** The same, where it is what the rule follows a relation to that is null. */
const NULL_BEHIND: typeof RULES = { ...NULLABLE, Team: () => ({ org: { name: 'a' } }) }

it.each([
  ['a column', NULLABLE],
  ['a row behind a relation', NULL_BEHIND],
])(
  'says the same whatever rows have that may not be seen: a rule of %s',
  { timeout: 240_000 },
  async (_, rules) => {
    const { catalog, createPrisma } = await provideRelationProject('related-filters')
    await using database = await openDatabase()
    await database.query(RELATION_TABLES)
    const prisma = createPrisma(database.url)
    const models = policiesOf(rules)
    const schema = buildServiceSchema({ catalog, prisma, feed: createFakeFeed(catalog, []), models } as never)
    const dice = new Dice(SEED + 1)
    await fill(database, dice)
    // Of these the rules are null: whoever could take that apart from false, under a NOT, would learn what is asked of them.
    await database.query(
      `DELETE FROM "Member" WHERE "teamId" = 1; UPDATE "Team" SET "parentId" = NULL WHERE id = 1;
     UPDATE "Post" SET "teamId" = 1, "authorId" = 2 WHERE id IN (1, 2); UPDATE "Badge" SET code = NULL WHERE id = 1;
     UPDATE "Org" SET name = NULL WHERE code = 1; UPDATE "Team" SET region = o.region, code = 1 FROM "Org" o WHERE o.code = 1 AND id = 1`,
    )
    const context = { viewer: 2 }
    const hidden: Record<string, readonly unknown[]> = {}
    for (const name of ['Team', 'User', 'Badge']) {
      const delegate = delegateOf(prisma, name)
      const where = rules[name]?.(context)
      const seen = new Set((await delegate.findMany({ where })).map(({ id }) => id))
      hidden[name] = (await delegate.findMany({})).map(({ id }) => id).filter((id) => !seen.has(id))
    }
    expect(Object.values(hidden).every((ids) => ids.length > 0)).toBe(true)
    const secret = async (text: string) => {
      for (const [name, ids] of Object.entries(hidden))
        await database.query(`UPDATE "${name}" SET name = $1 WHERE id = ANY($2)`, [text, ids])
    }
    const answers: { model: ModelSpec; w: unknown; keys: string[] | null }[] = []
    await secret('a')
    for (const name of ['Post', 'Team', 'User', 'Badge', 'Member']) {
      const model = catalog.models[name] as ModelSpec
      const samples = fc.sample(relationWhere(catalog, model, 3), {
        seed: SEED,
        numRuns: Math.ceil(RUNS / 4),
      })
      const negated =
        name === 'Post' ? [{ team: { isNot: { name: 'a' } } }, { NOT: { team: { is: { name: 'a' } } } }] : []
      for (const where of [...negated, ...samples]) {
        const w = written(model, catalog, where)
        answers.push({ model, w, keys: await found({ schema, catalog }, model, w, context) })
      }
    }
    await secret('b')
    for (const { model, w, keys } of answers)
      expect([w, await found({ schema, catalog }, model, w, context)]).toEqual([w, keys])
    expect(answers.filter(({ keys }) => (keys?.length ?? 0) > 0).length).toBeGreaterThan(RUNS / 4)
    // What nobody may see is none: whether there is one cannot be asked either.
    const badges = catalog.models['Team'] as ModelSpec
    const none = await found(
      { schema, catalog },
      badges,
      { badge: { is: { id: { in: hidden['Badge'] } } } },
      context,
    )
    expect(none).toEqual([])
    await prisma.$disconnect()
  },
)

/** One open subscription, put together. */
class Folded {
  readonly rows = new Map<string, AnyObject>()
  readonly model: ModelSpec
  readonly w: unknown
  readonly #results: AsyncGenerator<ExecutionResult, void, void>
  readonly #field: string
  #boundary = ''
  #isReady = false

  constructor(
    model: ModelSpec,
    w: unknown,
    field: string,
    results: AsyncGenerator<ExecutionResult, void, void>,
  ) {
    this.model = model
    this.w = w
    this.#field = field
    this.#results = results
  }

  /** Takes what comes until the sentinel has this text at the end of a transaction. */
  async until(text: string): Promise<void> {
    while (this.#boundary !== text) {
      const { value } = await this.#results.next()
      const { data, errors } = value as ExecutionResult
      if (errors !== undefined || data == null) throw new Error(JSON.stringify([errors, this.w]))
      const event = data[this.#field] as AnyObject & { key: AnyObject; new: AnyObject | null }
      // First rows are at a boundary once all have come: the sentinel is one of them.
      if (event['action'] === 'READY') {
        this.#isReady = true
        this.#boundary = String(this.rows.get(JSON.stringify([String(SENTINEL)]))?.['text'])
        continue
      }
      const key = JSON.stringify([String(event.key['rowId'])])
      const isGone = event['transition'] === 'LEFT' || event['action'] === 'DELETE'
      if (isGone) this.rows.delete(key)
      else this.rows.set(key, event.new as AnyObject)
      const isSentinel = key === JSON.stringify([String(SENTINEL)])
      if (this.#isReady && isSentinel && event.new !== null) this.#boundary = String(event.new['text'])
    }
  }

  async leave(): Promise<void> {
    await this.#results.return()
  }
}

/** One transaction of a few statements. */
async function write(database: TestDatabase, dice: Dice): Promise<void> {
  const id = (count: number) => 1 + dice.below(count)
  const text = () => (dice.chance(0.25) ? 'NULL' : `'${dice.pick(['a', 'b'])}'`)
  const kinds = [
    () => `UPDATE "Team" SET name = ${text()}, open = ${dice.chance(0.5)} WHERE id = ${id(5)}`,
    () => `UPDATE "Team" SET "parentId" = ${id(3)}, region = ${text()}, code = ${id(3)} WHERE id = ${id(5)}`,
    () =>
      `UPDATE "Post" SET title = ${text()}, "teamId" = ${dice.chance(0.2) ? 'NULL' : id(5)} WHERE id = ${id(8)}`,
    () => `DELETE FROM "Member" WHERE "userId" = ${id(3)} AND "teamId" = ${id(5)}`,
    () => `INSERT INTO "Member" VALUES (${id(3)}, ${id(5)}, ${text()}) ON CONFLICT DO NOTHING`,
    () => `UPDATE "Badge" SET name = ${text()}, region = '${dice.pick(['a', 'b'])}' WHERE id = ${id(3)}`,
    () => `UPDATE "User" SET name = ${text()} WHERE id = ${id(3)}`,
    () => `UPDATE "Org" SET name = ${text()} WHERE code = ${id(3)}`,
    () => `DELETE FROM "Post" WHERE id = ${id(8)}`,
    () => `INSERT INTO "Post" VALUES (${id(8)}, ${text()}, ${id(5)}, ${id(3)}) ON CONFLICT DO NOTHING`,
  ]
  const statements = Array.from({ length: id(4) }, () => dice.pick(kinds)())
  await database.query(`BEGIN; ${statements.join('; ')}; COMMIT`)
}

it('gives what the query of the same filter finds, at every boundary', { timeout: 240_000 }, async () => {
  const { catalog, createPrisma } = await provideRelationProject('related-filters')
  await using database = await openDatabase()
  await database.query(RELATION_TABLES)
  const prisma = createPrisma(database.url)
  const rowcast = createRowcast({ prisma, catalog, slot: slotOf(database) } as never)
  for (const name of MODELS) rowcast.register(name as never)
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  const feed = rowcast as unknown as ChangeFeed
  const models = policiesOf({ ...RULES, Badge: () => ({ org: { name: 'a' } }) })
  const schema = buildServiceSchema({ catalog, prisma, feed, models } as never)
  const dice = new Dice(SEED + 2)
  await fill(database, dice)
  await database.query(
    `INSERT INTO "Post" VALUES (${SENTINEL}, 'begin', NULL, 1); INSERT INTO "Team" VALUES (${SENTINEL}, 'begin', true)`,
  )
  const open: { folded: Folded; context: Viewer }[] = []
  const refused: string[] = []
  const samples = ['Post', 'Team'].flatMap((name) => {
    const model = catalog.models[name] as ModelSpec
    const sampled = fc.sample(relationWhere(catalog, model, 3), { seed: SEED, numRuns: 4 * SUBSCRIPTIONS })
    return sampled.map((where) => ({
      model,
      w: { OR: [{ id: { equals: SENTINEL } }, written(model, catalog, where)] },
    }))
  })
  for (const [index, { model, w }] of samples.entries()) {
    if (open.length >= SUBSCRIPTIONS * (model.name === 'Post' ? 1 : 2)) continue
    const { changed, where } = modelNames(catalog, model.name)
    const shown = model.name === 'Post' ? 'id text: title' : 'id text: name'
    const source = `subscription ($w: ${where}) {
      ${changed}(where: $w, initial: true) { action transition key { rowId } new { ${shown} } }
    }`
    const context = { viewer: 1 + (index % 3) }
    const result = await subscribe({
      ...{ schema, document: parse(source), variableValues: { w }, contextValue: context },
    })
    if (Symbol.asyncIterator in result) {
      const results = result as AsyncGenerator<ExecutionResult, void, void>
      open.push({ folded: new Folded(model, w, changed, results), context })
    } else refused.push(JSON.stringify(result.errors))
  }
  // Join tables are not published, and empty groups would be left out.
  for (const error of refused) expect(error).toContain('BAD_FILTER')
  expect(open.length).toBeGreaterThan(SUBSCRIPTIONS)
  const seen = { rows: 0 }
  for (let round = 0; round < ROUNDS; round += 1) {
    await write(database, dice)
    const text = `round ${round}`
    await database.query(
      `BEGIN; UPDATE "Post" SET title = '${text}' WHERE id = ${SENTINEL};
       UPDATE "Team" SET name = '${text}' WHERE id = ${SENTINEL}; COMMIT`,
    )
    for (const { folded, context } of open) {
      await folded.until(text)
      const keys = await found({ schema, catalog }, folded.model, folded.w, context)
      expect([round, folded.w, [...folded.rows.keys()].sort()]).toEqual([round, folded.w, keys])
      seen.rows += folded.rows.size
    }
  }
  expect(seen.rows).toBeGreaterThan(ROUNDS * open.length)
  for (const { folded } of open) await folded.leave()
  await rowcast.stop()
  await prisma.$disconnect()
})
