/**
 * The oracle of live sets, without a database: random worlds, policies and filters with conditions on related rows, viewers
 * who join at any moment and lag behind, reads that see some of what commits later. What a viewer has is what a naive search
 * finds after every transaction, and nothing is shown that the rights before and after it both hide. Each mutant of the code
 * has to be found.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import { judgeVisibility } from '../../src/changes/soft-delete.ts'
import { isRowcastError } from '../../src/errors.ts'
import { LatestEvents } from '../../src/sets/latest-events.ts'
import { LiveRows } from '../../src/sets/live-rows.ts'
import { readRowsAt } from '../../src/sets/rows-at.ts'
import { SetGraph } from '../../src/sets/set-graph.ts'
import { unmarkedWhere } from '../../src/sets/unmarked-where.ts'
import { WaitingFirstRows } from '../../src/sets/waiting-first-rows.ts'
import { type Request, type SetsCode, Viewer } from '../support/live-viewer.ts'
import { Dice, World } from '../support/live-world.ts'
import { MARKABLE, provideRelationProject, relationWhere } from '../support/relation-schema.ts'
import type { AnyObject } from '../support/where-arbitrary.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 1)
const WORLDS = Number(process.env['ROWCAST_TEST_WORLDS'] ?? 400)
/** So many worlds are tried on a mutant before it counts as not found. */
const MUTANT_WORLDS = 6_000
const TRANSACTIONS = 10
const VIEWERS_MAX = 4
const WHERES = 400

interface Subject {
  readonly catalog: ModelCatalog
  /** Filters by model. */
  readonly wheres: ReadonlyMap<string, readonly AnyObject[]>
}

let subject: Subject

beforeAll(async () => {
  const { catalog } = await provideRelationProject('relations-in-memory', { hasMarks: true })
  const wheres = Object.values(catalog.models).map((model) => {
    const filters = fc.sample(relationWhere(catalog, model, 3), { seed: SEED, numRuns: WHERES })
    return [model.name, filters.filter((where) => JSON.stringify(where).includes('":{'))] as const
  })
  subject = { catalog, wheres: new Map(wheres) }
}, 120_000)

/** How a world came out. */
interface Outcome {
  readonly boundaries: number
  /** Viewers who ended with a typed error: a table was emptied while its rows were read. */
  readonly ended: number
}

function anyRequest({ catalog, wheres }: Subject, dice: Dice): Request {
  const model = dice.pick(Object.values(catalog.models))
  const any = () => dice.pick(wheres.get(model.name) ?? [{}])
  const policy = dice.chance(0.7) ? any() : {}
  const where = dice.chance(0.7) ? any() : {}
  const parse = (filter: AnyObject) => parseWhere(model as ModelSpec, catalog, filter, { relations: {} })
  const text = `${model.name} rows ${JSON.stringify(policy)} where ${JSON.stringify(where)}`
  return { model, rows: parse(policy), where: parse(where), text }
}

/** Plays one world. @throws where a viewer has something else than it should. */
async function play(code: SetsCode, seed: number, isHasty = false): Promise<Outcome> {
  const dice = new Dice(seed)
  const truncates = dice.chance(0.2) ? 0.03 : 0
  const marked = new Set(MARKABLE.filter(() => dice.chance(0.3)))
  const options = { transactions: TRANSACTIONS, truncates, marked, softDeletes: code }
  const world = new World(subject.catalog, dice, options)
  const snapshots = world.snapshots(isHasty)
  const readRows = (request: Parameters<typeof readRowsAt>[2], ordinal: number) =>
    code.readRowsAt(snapshots, ordinal, request)
  const graph = new code.SetGraph(0, { readRows })
  let viewers: Viewer[] = []
  let boundaries = 0
  let ended = 0
  /** A typed end is allowed, for those whom it concerns. */
  const guarded = async (run: () => Promise<unknown>): Promise<boolean> => {
    try {
      await run()
      return true
    } catch (error) {
      if (!isRowcastError(error, 'RESYNC_REQUIRED')) throw error
      ended += 1
      return false
    }
  }
  const follow = async (viewer: Viewer, until: number): Promise<boolean> => {
    for (const transaction of world.transactions.slice(viewer.ordinal, until)) {
      if (!(await guarded(() => viewer.take(transaction)))) {
        viewer.leave()
        return false
      }
      boundaries += 1
    }
    return true
  }
  for (let ordinal = 0; ordinal <= TRANSACTIONS; ordinal++) {
    const transaction = world.transactions[ordinal - 1]
    if (transaction !== undefined)
      for (const watcher of graph.advance(transaction)) watcher.concern(transaction)
    const staying: Viewer[] = []
    for (const viewer of viewers) {
      const isLast = ordinal === TRANSACTIONS
      if (!isLast && dice.chance(0.4)) staying.push(viewer)
      else if (await follow(viewer, ordinal)) staying.push(viewer)
    }
    viewers = staying
    if (dice.chance(0.2) && viewers.length > 1) viewers.pop()?.leave()
    while (viewers.length < VIEWERS_MAX && dice.chance(0.5)) {
      const request = anyRequest(subject, dice)
      const joining = { world, code, graph, readRows, ordinal, dice: dice.chance(0.4) ? dice : undefined }
      await guarded(async () => viewers.push(await Viewer.join(joining, request)))
    }
    if (dice.chance(0.5)) graph.prune(Math.min(ordinal, ...viewers.map((viewer) => viewer.ordinal)))
  }
  for (const viewer of viewers) viewer.leave()
  return { boundaries, ended }
}

const CODE: SetsCode = {
  ...{ LiveRows, SetGraph, LatestEvents, WaitingFirstRows },
  ...{ readRowsAt, judgeVisibility, unmarkedWhere },
}

describe('live sets', () => {
  it('have what a naive search finds after every transaction', { timeout: 600_000 }, async () => {
    const total = { boundaries: 0, ended: 0 }
    for (let seed = SEED; seed < SEED + WORLDS; seed++) {
      const outcome = await play(CODE, seed).catch((error: unknown) => {
        throw new Error(`World ${seed}`, { cause: error })
      })
      total.boundaries += outcome.boundaries
      total.ended += outcome.ended
    }
    process.stdout.write(
      `Live sets: ${WORLDS} worlds from seed ${SEED}, ${total.boundaries} boundaries compared, ${total.ended} viewers ended by a TRUNCATE.\n`,
    )
    expect(total.boundaries).toBeGreaterThan(WORLDS * 5)
    expect(total.ended).toBeLessThan(total.boundaries / 50)
  })
})

/** A change to the code, as text that stands there once. */
interface Mutant {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
}

const MUTANTS: readonly Mutant[] = [
  {
    name: 'a snapshot is not taken back',
    file: 'rows-at.ts',
    from: 'await later()',
    to: '[]',
  },
  {
    name: 'a row that was written since is not left out of the snapshot',
    file: 'rows-at.ts',
    from: 'if (before.size === 0 || !before.has(rowIdOf(model, row))) addRequested(row)',
    to: 'addRequested(row)',
  },
  {
    name: 'a row that was added since is taken for one that was there',
    file: 'rows-at.ts',
    from: 'keepFirst(before, rowIdOf(model, change.new), null)',
    to: 'keepFirst(before, rowIdOf(model, change.new), change.new)',
  },
  {
    name: 'the last image of a row is taken back, and not the first',
    file: 'rows-at.ts',
    from: 'if (!before.has(id)) before.set(id, row)',
    to: 'before.set(id, row)',
  },
  {
    name: 'rows that are gone from the snapshot are not brought back',
    file: 'rows-at.ts',
    from: 'await inTurns(before.values(), turns, addRequested)',
    to: '',
  },
  {
    name: 'old images are judged by the keys after the transaction',
    file: 'live-rows.ts',
    from: 'isFirst ? this.#before : this.#after',
    to: 'this.#after',
  },
  {
    name: 'a row that the transaction wrote before is judged by the keys before it',
    file: 'live-rows.ts',
    from: 'isFirst ? this.#before : this.#after',
    to: 'this.#before',
  },
  {
    name: 'rows that the transaction wrote are moved as well',
    file: 'live-rows.ts',
    from: 'if (written.has(row)) return []',
    to: '',
  },
  {
    name: 'the policy does not move rows',
    file: 'live-rows.ts',
    from: '[rows, where].filter',
    to: '[where].filter',
  },
  {
    name: 'a set judges old images by the keys after the transaction',
    file: 'key-set.ts',
    from: 'written.note(change) ? ordinal - 1 : ordinal',
    to: 'written.note(change) ? ordinal : ordinal',
  },
  {
    name: 'a set judges what was written twice by the keys before the transaction',
    file: 'key-set.ts',
    from: 'written.note(change) ? ordinal - 1 : ordinal',
    to: 'written.note(change) ? ordinal - 1 : ordinal - 1',
  },
  {
    name: 'a chain is forgotten',
    file: 'key-set.ts',
    from: 'request === null ? [] : await readRows(request, ordinal)',
    to: 'request === null ? [] : []',
  },
  {
    name: 'a set counts twice what it wrote and moved',
    file: 'key-set.ts',
    from: 'if (written.has(row)) return',
    to: '',
  },
  {
    name: 'rows of one side of an OR are not read when a set is loaded',
    file: 'keyed-rows.ts',
    from: 'return covers.some((cover) => cover === null) ? null : covers.flatMap((cover) => cover ?? [])',
    to: 'return covers.flatMap((cover) => cover ?? [])',
  },
  {
    name: 'rows are read by the keys that are in now, and not by those of the beginning',
    file: 'counted-keys.ts',
    from: 'if (this.has(key, at)) keys.set',
    to: 'if (entry.count > 0) keys.set',
  },
  {
    name: 'a set does not count',
    file: 'counted-keys.ts',
    from: 'entry.count += delta',
    to: 'entry.count = delta > 0 ? 1 : 0',
  },
  {
    name: 'a set forgets a TRUNCATE',
    file: 'key-set.ts',
    from: 'this.isCleared = true',
    to: '',
  },
  {
    name: 'who lags behind sees the newest keys',
    file: 'counted-keys.ts',
    from: 'if ((entry.toggles[index] as number) <= at) break',
    to: 'if (at > 0) break',
  },
  {
    name: 'the past is forgotten too early',
    file: 'set-graph.ts',
    from: 'set?.keys.prune(least)',
    to: 'set?.keys.prune(least + 1)',
  },
  {
    name: 'a set does not wait for its inputs',
    file: 'set-graph.ts',
    from: '[held.tail, ...[...held.inputs.values()].map(({ tail }) => tail)]',
    to: '[held.tail]',
  },
  {
    name: 'a set that no write concerns is not asked where its inputs are written',
    file: 'set-graph.ts',
    from: 'for (const held of concerned) for (const each of itemsOf(held.dependents)) concerned.add(each)',
    to: '',
  },
  {
    name: 'a write is looked up by one of its images',
    file: 'concerned-index.ts',
    from: 'index.found(change)',
    to: 'index.found({ ...change, old: change.new ?? change.old })',
  },
  {
    name: 'nobody is named by the row before',
    file: 'set-graph.ts',
    from: 'this.#watching.concernedBy(looked)',
    to: 'this.#watching.concernedBy({ ordinal, models, changesOf: (model) => [...transaction.changesOf(model)].map((change) => ({ ...change, old: change.new ?? change.old })) })',
  },
  {
    name: 'nobody is named by the row after',
    file: 'set-graph.ts',
    from: 'this.#watching.concernedBy(looked)',
    to: 'this.#watching.concernedBy({ ordinal, models, changesOf: (model) => [...transaction.changesOf(model)].map((change) => ({ ...change, new: change.old ?? change.new })) })',
  },
  {
    name: 'nobody is named by a key that comes or goes in the same transaction',
    file: 'set-graph.ts',
    from: 'for (const watcher of itemsOf(held.watchers)) concerned.add(watcher)',
    to: '',
  },
  {
    name: 'a key that has come is not looked up',
    file: 'set-graph.ts',
    from: 'held.announce(set.keys.toggledBy(at).keys(), (key) => set.keys.has(key, at))',
    to: '{}',
  },
  {
    name: 'keys that are loaded are not looked up',
    file: 'set-graph.ts',
    from: 'held.announce(set.keys.all(), () => true)',
    to: '',
  },
  {
    name: 'sets that ask each other take a write in any order',
    file: 'set-graph.ts',
    from: 'sort((a, b) => a.sequence - b.sequence)',
    to: 'sort((a, b) => b.sequence - a.sequence)',
  },
  {
    name: 'a row that is marked as deleted is read',
    file: 'unmarked-where.ts',
    from: 'OR: [{ [field.name]: false }, { [field.name]: null }]',
    to: 'OR: [true, false, null].map((value) => ({ [field.name]: value }))',
  },
  {
    name: 'a row is not read that nobody has ever marked',
    file: 'unmarked-where.ts',
    from: ', { [field.name]: null }]',
    to: ']',
  },
  {
    name: 'a mark is an UPDATE like others',
    file: 'changes/soft-delete.ts',
    from: "isMarked ? 'DELETE' : 'UPDATE'",
    to: "'UPDATE'",
  },
  {
    name: 'a mark that is taken off is passed over',
    file: 'changes/soft-delete.ts',
    from: "if (wasMarked) return isMarked ? 'hidden' : 'INSERT'",
    to: "if (wasMarked) return 'hidden'",
  },
  {
    name: 'a marked row that is deleted is deleted once more',
    file: 'changes/soft-delete.ts',
    from: "wasMarked ? 'hidden' : 'DELETE'",
    to: "'DELETE'",
  },
  {
    name: 'what takes a row away from its key is forgotten with what comes later of the row',
    file: 'latest-events.ts',
    from: 'Object.assign(slot, { event: removal, id: replaced, isNew: false, replaces: null })',
    to: 'return this.#remove(slot, removal)',
  },
  {
    name: 'what waits shows what was there, whoever may see that by now',
    file: 'latest-events.ts',
    from: 'row !== null && !hides && !isSeen(row)',
    to: 'row === null && !hides && !isSeen(row)',
  },
  {
    name: 'a row that is there is taken for one that has only waited',
    file: 'latest-events.ts',
    from: 'oldKey === null ? !hasFrom : (other?.isNew ?? true)',
    to: 'oldKey !== null || hasFrom || true',
  },
  {
    name: 'a row that came and went is forgotten, and not that it went by another key',
    file: 'latest-events.ts',
    from: 'this.#drop(from)',
    to: 'if (!isGone) this.#drop(from)',
  },
  {
    name: 'a row that has waited is taken for one that is there',
    file: 'latest-events.ts',
    from: 'replaces: hasFrom ? oldKey : null',
    to: 'replaces: null',
  },
  {
    name: 'a row that a subscription begins with is given, whoever may see that by now',
    file: 'waiting-first-rows.ts',
    from: 'return isSeen(row) ?',
    to: 'return isSeen ?',
  },
  {
    name: 'the last of the rows that a subscription begins with is forgotten',
    file: 'waiting-first-rows.ts',
    from: 'const row = ready && this.#rows[this.#at]',
    to: 'const row = this.#at + 1 < this.#rows.length ? this.#rows[this.#at] : undefined',
  },
]

const FILES: ReadonlySet<string> = new Set([
  'changes/soft-delete',
  ...[
    ...['concerned-index', 'counted-keys', 'held-set', 'key-set', 'keyed-rows', 'latest-events', 'live-rows'],
    ...['related-rows', 'rows-at', 'set-graph', 'unmarked-where', 'waiting-first-rows', 'written-rows'],
  ].map((name) => `sets/${name}`),
])
const SOURCE = join(import.meta.dirname, '../../src')
const GENERATED = join(import.meta.dirname, '../generated/set-mutants')

/** Writes the code with the change, and loads it. */
async function loadMutant({ file, from, to }: Mutant, name: string): Promise<SetsCode> {
  const folder = join(GENERATED, name)
  for (const one of FILES) {
    const text = await readFile(join(SOURCE, `${one}.ts`), 'utf8')
    const parts = text.split(from)
    const isMutated = one === (file.includes('/') ? file : `sets/${file}`).slice(0, -'.ts'.length)
    if (isMutated) expect(parts.length, `${file} has "${from}" once`).toBe(2)
    const imported = (isMutated ? parts.join(to) : text).replace(
      /from '(\.{1,2}\/[\w./-]+)\.ts'/gu,
      (same, path: string) => {
        const other = join(dirname(one), path)
        return FILES.has(other) ? same : `from '${pathToFileURL(join(SOURCE, `${other}.ts`)).href}'`
      },
    )
    await mkdir(join(folder, dirname(one)), { recursive: true })
    await writeFile(join(folder, `${one}.ts`), imported)
  }
  const load = (one: string) => import(pathToFileURL(join(folder, `${one}.ts`)).href)
  const names = [
    'changes/soft-delete',
    'latest-events',
    'live-rows',
    'rows-at',
    'set-graph',
    'unmarked-where',
    'waiting-first-rows',
  ]
  const loaded = await Promise.all(names.map((one) => load(one.includes('/') ? one : `sets/${one}`)))
  return Object.assign({}, ...loaded)
}

describe('the oracle finds', () => {
  afterAll(() => rm(GENERATED, { recursive: true, force: true }))

  /** The first world in which the code does wrong. */
  async function foundAt(code: SetsCode, isHasty = false): Promise<number | null> {
    for (let seed = SEED; seed < SEED + MUTANT_WORLDS; seed++) {
      const error = await play(code, seed, isHasty).then(
        () => null,
        (reason: unknown) => reason,
      )
      if (error !== null) return seed
    }
    return null
  }

  it.each(MUTANTS.map((mutant, index) => [mutant.name, index, mutant] as const))(
    '%s',
    async (name, index, mutant) => {
      const seed = await foundAt(await loadMutant(mutant, `mutant-${index}`))
      process.stdout.write(`Mutant "${name}": ${seed === null ? 'not found' : `found in world ${seed}`}.\n`)
      expect(seed).not.toBeNull()
    },
  )

  it('snapshots that are taken before they see what was delivered', async () => {
    const seed = await foundAt(CODE, true)
    process.stdout.write(`Hasty snapshots: ${seed === null ? 'not found' : `found in world ${seed}`}.\n`)
    expect(seed).not.toBeNull()
  })
})
