/**
 * `npm run test:chaos -- [--distributed] [--thin] [--seed N] [--short] [--seconds N] [--only pattern] [--no-catalog] [--sets] [--verbose]`: breaks everything on the way from a commit to a
 * subscriber for some minutes while a ledger is kept, then compares. Exit code 1 when a change is lost, comes
 * twice or out of order, or when a subscriber is asked to resync without need.
 */
import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { FAILOVER } from './failover.ts'
import type { FaultKind } from './fault-kind.ts'
import { type PlannedFault, planFaults } from './fault-plan.ts'
import { certainGapFaults, isGapFault, untilFolded, withGap } from './gap-faults.ts'
import { CHAOS_MODEL_NAMES } from './ledger.ts'
import { createRandom, type Random } from './random.ts'
import { formatDetails, formatReport, isGood } from './report.ts'
import { SHAPES, type Shape } from './shapes.ts'
import type { WorldBase } from './stage.ts'
import type { ChaosSubscriber } from './subscriber.ts'
import { checkTruth, judge } from './verdict.ts'

const { values } = parseArgs({
  options: {
    distributed: { type: 'boolean', default: false },
    thin: { type: 'boolean', default: false },
    seed: { type: 'string' },
    short: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    only: { type: 'string', default: '' },
    /** Leaves tables and publication as they are. */
    'no-catalog': { type: 'boolean', default: false },
    /** Follows sets of rows that other rows decide about. */
    sets: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
})
const seed = values.seed === undefined ? randomInt(1, 2 ** 31) : Number(values.seed)
const plan = values.short
  ? { faultSeconds: 40, hugeRows: 20_000, pauseMaxMs: 40 }
  : { faultSeconds: 200, hugeRows: 200_000, pauseMaxMs: 60 }
const faultSeconds = values.seconds === undefined ? plan.faultSeconds : Number(values.seconds)

/** How long the slowest subscriber may take to catch up. */
const PROGRESS_TIMEOUT_MS = 90_000
/** How long writers may need to come to a pause where the run has failed. */
const PAUSE_TIMEOUT_MS = 15_000

const startedMs = performance.now()
const secondsGone = () => (performance.now() - startedMs) / 1_000
const troubles: string[] = []
const injected = new Map<string, number>()
const missed = new Map<string, number>()
/** Aborted when going on makes no sense. */
const failed = new AbortController()

function say(words: string): void {
  process.stdout.write(`${secondsGone().toFixed(1).padStart(6)} s  ${words}\n`)
}

function onTrouble(words: string): void {
  troubles.push(words)
  failed.abort(new Error(words))
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

async function inject<W>(world: W, random: Random, fault: FaultKind<W>): Promise<void> {
  say(fault.name)
  count((await fault.inject(world, random)) ? injected : missed, fault.name)
}

/** Everybody gets everything; those who follow sets are compared with the database meanwhile. */
async function rest(world: WorldBase, when: string): Promise<void> {
  await world.awaitProgress(PROGRESS_TIMEOUT_MS)
  if (world.sets === null) return
  await world.writer.pause()
  await world.sets.check(when)
  world.writer.resume()
}

/** Faults until the time is up. */
async function injectFaults<W extends WorldBase>(
  { world, faults }: Play<W>,
  untilSeconds: number,
): Promise<void> {
  while (secondsGone() < untilSeconds) {
    const { fault, random, pauseMs } = faults.next().value
    await inject(world, random, fault)
    // Some faults meet a world that has not recovered from the last one.
    if (pauseMs === null) await rest(world, `behind ${fault.name}`)
    else await delay(pauseMs)
  }
}

/** A transaction so large that rowcast is killed, and a subscriber's queue overflows, in the middle of it. */
async function injectHugeTransaction<W extends WorldBase>({ shape, world, random }: Play<W>): Promise<void> {
  say(`a transaction of ${plan.hugeRows} rows, whose Commit is held and cut off`)
  // The next one is the huge one.
  await world.writer.pause()
  const held = inject(world, random, {
    name: 'hold the Commit, let a report through, then cut',
    inject: shape.cutAtCommit,
  })
  await world.writer.writeHuge(plan.hugeRows)
  await held
  world.writer.resume()
  count(injected, 'a huge transaction, and what kills in the middle of it')
  const { names, count: kills } = shape.killsInHuge
  const candidates = random.shuffle(shape.faults.filter(({ name }) => names.test(name)))
  for (const fault of candidates.slice(0, kills)) await inject(world, random, fault)
  await rest(world, 'behind the huge transaction')
}

/** However short a run is, what is published changes once so that everybody must hear of it, with latecomers there. */
async function injectCatalogChange<W extends WorldBase>({ world, random }: Play<W>): Promise<void> {
  if (values['no-catalog']) return
  await inject(world, random, random.pick(certainGapFaults()))
}

async function injectSlotLoss<W extends WorldBase>({ shape, world }: Play<W>): Promise<void> {
  say('the slot is dropped, and changes commit without one')
  const name = 'the slot is dropped'
  await world.writer.pause()
  await world.awaitProgress(PROGRESS_TIMEOUT_MS)
  await withGap(world, { name, models: CHAOS_MODEL_NAMES, isCertain: true }, () => shape.dropSlot(world))
  await world.sets?.check(`behind ${name}`)
  world.writer.resume()
  count(injected, name)
}

async function injectFailover<W extends WorldBase>({ shape, world }: Play<W>): Promise<void> {
  say(FAILOVER)
  await world.writer.pause()
  await world.awaitProgress(PROGRESS_TIMEOUT_MS)
  await shape.failOver(world)
  await world.sets?.check(`behind ${FAILOVER}`)
  world.writer.resume()
  count(injected, FAILOVER)
}

/** One run in the making. */
interface Play<W extends WorldBase> {
  readonly shape: Shape<W>
  readonly world: W
  /** Of what meets the huge transaction. */
  readonly random: Random
  readonly faults: Generator<PlannedFault<W>, never>
}

async function run<W extends WorldBase>(play: Play<W>): Promise<void> {
  const { world } = play
  world.writer.start()
  await world.awaitProgress(PROGRESS_TIMEOUT_MS)
  const from = secondsGone()
  say('everything runs')
  await injectFaults(play, from + faultSeconds * 0.3)
  world.addLatecomer()
  await injectHugeTransaction(play)
  await injectCatalogChange(play)
  await injectFaults(play, from + faultSeconds * 0.7)
  await injectSlotLoss(play)
  await injectFailover(play)
  await injectFaults(play, from + faultSeconds)
  say('the writers stop')
  await world.writer.pause()
  // What comes twice, or late, comes between the two.
  await world.awaitProgress(PROGRESS_TIMEOUT_MS)
  await world.awaitProgress(PROGRESS_TIMEOUT_MS)
  await untilFolded(world)
  await world.sets?.check('at the end')
  await checkLedgerTable(world)
}

/** The writer's memory against its table: the judge's own ground. */
async function checkLedgerTable(world: WorldBase): Promise<void> {
  const rows = await world.query<{ id: number }>('SELECT id FROM chaos_ledger')
  const known = new Set(world.ledger.transactions.map(({ id }) => id))
  if (rows.length === known.size && rows.every(({ id }) => known.has(id))) return
  onTrouble(`The ledger's table has ${rows.length} transactions, its memory ${known.size}, or others.`)
}

async function report(world: WorldBase, isDrained: boolean): Promise<boolean> {
  const { ledger, writer, gaps } = world
  const { transactions } = ledger
  // After a run that failed they are still at it, and on a slow machine the WAL would never be read to its end.
  await Promise.race([writer.pause(), delay(PAUSE_TIMEOUT_MS)])
  const records = await Promise.all(world.subscribers.map((each) => recordOf(world, each)))
  // A database that is gone says nothing; the run has failed then in any case.
  await world.decode().catch((error: unknown) => onTrouble(`The second decoder failed: ${String(error)}`))
  const truth = { transactions, decoded: world.decoded, gaps, strays: ledger.strays }
  troubles.push(...checkTruth(truth, CHAOS_MODEL_NAMES))
  const straighten = (cursor: string) => world.site.timelines.straighten(cursor)
  const sets = world.sets?.report({ gaps, decoded: world.decoded, straighten }) ?? null
  const result = {
    ...{ sets, seed, seconds: secondsGone(), injected, missed, records, troubles, isDrained, gaps },
    decoded: world.decoded,
    transactions: transactions.length,
    changes: ledger.changeCount,
    hugestTransaction: writer.hugestTransaction,
    rolledBack: ledger.rolledBack,
    doubtfulCommitted: ledger.doubtfulCommitted,
    doubtfulRolledBack: ledger.doubtfulRolledBack,
    ddl: writer.ddlCount,
    faults: judge(truth, records),
  }
  process.stdout.write(formatReport(result))
  if (values.verbose) process.stdout.write(formatDetails(result))
  return isGood(result)
}

async function recordOf({ queryRows, site }: WorldBase, { name, model, log }: ChaosSubscriber) {
  const table = await queryRows(model).catch(() => [])
  const straighten = (cursor: string) => site.timelines.straighten(cursor)
  return {
    ...{ name, model, columns: log.columns, began: straighten(log.began), attempts: log.attempts },
    seen: log.changes.map((change) => ({ ...change, cursor: straighten(change.cursor) })),
    resyncs: log.resyncs.map(({ reason, before, after }) => ({
      ...{ reason, before: straighten(before), after: straighten(after) },
    })),
    foldFaults: log.fold.compare(log.columns, table),
  }
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

async function main<W extends WorldBase>(shape: Shape<W>): Promise<boolean> {
  process.stdout.write(`seed ${seed}\n`)
  const random = createRandom(seed)
  const faults = planFaults(
    shape.faults.filter(
      ({ name }) => new RegExp(values.only).test(name) && !(values['no-catalog'] && isGapFault(name)),
    ),
    random.fork(),
  )
  const { signal } = failed
  const { pauseMaxMs } = plan
  await using world = await shape.openWorld({
    ...{ pauseMaxMs, signal, onTrouble, random: random.fork(), hasSets: values.sets },
  })
  let isDrained = false
  try {
    await Promise.race([run({ shape, world, random, faults }), untilAborted(signal)])
    isDrained = true
  } catch (error) {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error)
    if (troubles.length === 0) troubles.push(words)
    say(`it failed: ${words}`)
  }
  const isFine = await report(world, isDrained)
  if (!isFine || values.verbose) process.stdout.write(`${world.lines.slice(-200).join('\n')}\n`)
  return isFine
}

function runShape(): Promise<boolean> {
  const { single, distributed, thinSingle, thinDistributed } = SHAPES
  if (values.distributed) return main(values.thin ? thinDistributed : distributed)
  return main(values.thin ? thinSingle : single)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => onTrouble(`The run was ended by ${signal}.`))
}
process.on('unhandledRejection', (reason) => {
  // A fault that was at work when the run ended finds its world gone.
  if (!failed.signal.aborted) onTrouble(`Nobody waited for this failure: ${String(reason)}`)
})

// What goes wrong while the world is closed counts as well.
const isFine = (await runShape()) && troubles.length === 0
// A fault may still be waiting for what will not come any more.
process.exit(isFine ? 0 : 1)
