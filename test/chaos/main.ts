/**
 * `npm run test:chaos -- [--seed N] [--short] [--seconds N] [--only text] [--verbose]`: breaks everything on the way from a commit to a
 * subscriber for some minutes while a ledger is kept, then compares. Exit code 1 when a change is lost, comes
 * twice or out of order, or when a subscriber is told to resync without need.
 */
import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { dropSlot, FAULTS, type FaultKind } from './faults.ts'
import { createRandom, type Random } from './random.ts'
import { formatReport, isGood } from './report.ts'
import { judge } from './verdict.ts'
import { openWorld, type World } from './world.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    short: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    only: { type: 'string', default: '' },
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

const startedMs = performance.now()
const secondsGone = () => (performance.now() - startedMs) / 1_000
const troubles: string[] = []
const injected = new Map<string, number>()
const missed = new Map<string, number>()
let expectedResyncs = 0
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

async function inject(world: World, random: Random, fault: FaultKind): Promise<void> {
  say(fault.name)
  count((await fault.inject(world, random)) ? injected : missed, fault.name)
}

/** What is left of the round: no fault comes again before all others have come. */
let round: FaultKind[] = []

/** Faults in a random order until the time is up. */
async function injectFaults(world: World, random: Random, untilSeconds: number): Promise<void> {
  while (secondsGone() < untilSeconds) {
    if (round.length === 0) round = random.shuffle(FAULTS.filter(({ name }) => name.includes(values.only)))
    const fault = round.pop()
    if (fault !== undefined) await inject(world, random, fault)
    // Some faults meet a world that has not recovered from the last one.
    if (random.chance(0.5)) await world.awaitProgress(PROGRESS_TIMEOUT_MS)
    else await delay(random.integer(0, 400))
  }
}

/** A transaction so large that rowcast is killed, and a subscriber's queue overflows, in the middle of it. */
async function injectHugeTransaction(world: World, random: Random): Promise<void> {
  say(`a transaction of ${plan.hugeRows} rows`)
  await world.writer.writeHuge(plan.hugeRows)
  count(injected, 'a huge transaction, rowcast killed in the middle of it')
  const killAtStep = FAULTS.filter(({ name }) => /kill -9 rowcast (after decode|before send|at)/.test(name))
  for (const fault of random.shuffle(killAtStep).slice(0, 2)) await inject(world, random, fault)
  await world.awaitProgress(PROGRESS_TIMEOUT_MS)
}

async function injectSlotLoss(world: World): Promise<void> {
  say('the slot is dropped, and changes commit without one')
  expectedResyncs += 1
  await dropSlot(world, expectedResyncs, PROGRESS_TIMEOUT_MS)
  count(injected, 'the slot is dropped')
}

async function run(world: World, random: Random): Promise<void> {
  world.writer.start()
  await world.awaitProgress(PROGRESS_TIMEOUT_MS)
  const from = secondsGone()
  say('everything runs')
  await injectFaults(world, random, from + faultSeconds * 0.3)
  world.addLatecomer()
  await injectHugeTransaction(world, random)
  await injectFaults(world, random, from + faultSeconds * 0.7)
  await injectSlotLoss(world)
  await injectFaults(world, random, from + faultSeconds)
  say('the writers stop')
  await world.writer.pause()
  // What comes twice, or late, comes between the two.
  await world.awaitProgress(PROGRESS_TIMEOUT_MS)
  await world.awaitProgress(PROGRESS_TIMEOUT_MS)
  await checkLedgerTable(world)
}

/** The writer's memory against its table: the judge's own ground. */
async function checkLedgerTable(world: World): Promise<void> {
  const rows = await world.query<{ id: number }>('SELECT id FROM chaos_ledger')
  const known = new Set(world.ledger.transactions.map(({ id }) => id))
  if (rows.length === known.size && rows.every(({ id }) => known.has(id))) return
  onTrouble(`The ledger's table has ${rows.length} transactions, its memory ${known.size}, or others.`)
}

function report(world: World, isDrained: boolean): boolean {
  const { ledger, writer } = world
  const records = world.subscribers.map(({ name, model, log }) => ({
    ...{ name, model, seen: log.changes, attempts: log.attempts, expectedResyncs },
    resyncs: log.resyncReasons.length,
  }))
  const result = {
    ...{ seed, seconds: secondsGone(), injected, missed, records, troubles, isDrained },
    transactions: ledger.transactions.length,
    changes: ledger.changeCount,
    hugestTransaction: writer.hugestTransaction,
    rolledBack: ledger.rolledBack,
    doubtfulCommitted: ledger.doubtfulCommitted,
    doubtfulRolledBack: ledger.doubtfulRolledBack,
    ddl: writer.ddlCount,
    faults: judge(ledger.transactions, records),
  }
  process.stdout.write(formatReport(result))
  return isGood(result)
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

async function main(): Promise<boolean> {
  process.stdout.write(`seed ${seed}\n`)
  const random = createRandom(seed)
  const { signal } = failed
  const { pauseMaxMs } = plan
  await using world = await openWorld({ random: random.fork(), pauseMaxMs, signal, onTrouble })
  let isDrained = false
  try {
    await Promise.race([run(world, random), untilAborted(signal)])
    isDrained = true
  } catch (error) {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error)
    if (troubles.length === 0) troubles.push(words)
  }
  const isFine = report(world, isDrained)
  if (!isFine || values.verbose) process.stdout.write(`${world.serving.lines.slice(-60).join('\n')}\n`)
  return isFine
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => onTrouble(`The run was ended by ${signal}.`))
}
process.on('unhandledRejection', (reason) => {
  // A fault that was at work when the run ended finds its world gone.
  if (!failed.signal.aborted) onTrouble(`Nobody waited for this failure: ${String(reason)}`)
})

// What goes wrong while the world is closed counts as well.
const isFine = (await main()) && troubles.length === 0
// A fault may still be waiting for what will not come any more.
process.exit(isFine ? 0 : 1)
