/**
 * `npm run test:simulation -- --seed N --worlds M`: worlds one after another, from seed N on; `--seconds S` as many as there is time
 * for, `--processor-seconds S` as many as there is time of the processor for, `--broker` or `--alone` those with taps and gateways or without, `--verbose` all that befell them. The first that fails is shrunk to
 * few faults, and printed with its timeline and its script; `--script TEXT` repeats that, `--kept` runs the scripts that
 * are kept, `--strict` asks more of viewers and has more of them, `--whole` leaves a script as long as it is, `--twice` runs each world twice, which has to do the same.
 */
import { parseArgs } from 'node:util'
import { readKept } from './kept-scripts.ts'
import type { Script } from './script.ts'
import { shrink } from './shrink.ts'
import { type Outcome, runWorld } from './world.ts'

const { values } = parseArgs({
  options: {
    ...{ seed: { type: 'string' }, worlds: { type: 'string' }, seconds: { type: 'string' } },
    ...{ verbose: { type: 'boolean' }, broker: { type: 'boolean' }, alone: { type: 'boolean' } },
    ...{ script: { type: 'string' }, kept: { type: 'boolean' }, whole: { type: 'boolean' } },
    ...{ twice: { type: 'boolean' }, strict: { type: 'boolean' }, 'processor-seconds': { type: 'string' } },
  },
})

const startedAt = process.hrtime.bigint()
const secondsSince = (): number => Number(process.hrtime.bigint() - startedAt) / 1e9
const cpuBefore = process.cpuUsage()
const print = (text: string): void => void process.stdout.write(`${text}\n`)
const processorSeconds = (): number => {
  const { user, system } = process.cpuUsage(cpuBefore)
  return (user + system) / 1e6
}
const numberOf = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : Number(text)

const first = numberOf(values.seed, Number(startedAt % 1_000_000_000n))
const isTimed = values.seconds !== undefined || values['processor-seconds'] !== undefined
const worlds = numberOf(values.worlds, isTimed ? Number.POSITIVE_INFINITY : 100)
const seconds = numberOf(values.seconds, Number.POSITIVE_INFINITY)
const processorSecondsMax = numberOf(values['processor-seconds'], Number.POSITIVE_INFINITY)
const isScaled = values.broker === true ? true : values.alone === true ? false : undefined

const totals = { changes: 0, delivered: 0, folded: 0, resyncs: 0, faults: 0, steps: 0 }
let [passed, failed] = [0, 0]
for await (const script of scripts()) {
  const outcome = values.twice === true ? await runTwice(script) : await runWorld(script)
  for (const name of ['changes', 'delivered', 'folded', 'resyncs', 'faults', 'steps'] as const)
    totals[name] += outcome[name]
  if (values.verbose === true) print(outcome.timeline.join('\n'))
  if (outcome.violation === null) passed += 1
  else {
    failed += 1
    await report(outcome)
    break
  }
}
const { changes, delivered, folded, resyncs, faults, steps } = totals
const cpuSeconds = processorSeconds()
const rate = Math.round(((passed + failed) * 60) / cpuSeconds)
print(
  `Worlds from seed ${first} on: ${faults} faults, ${changes} changes, ${delivered} deliveries, ${folded} events of viewers, ${resyncs} resyncs.`,
)
print(
  `${steps} steps in ${secondsSince().toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of processor time; ${rate} worlds in a minute of it.`,
)
print(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

/** A world that does something else the second time repeats nothing. */
async function runTwice(script: Script): Promise<Outcome> {
  const [once, again] = [await runWorld(script), await runWorld(script)]
  const at = once.timeline.findIndex((line, index) => line !== again.timeline[index])
  if (at < 0 && once.timeline.length === again.timeline.length) return again
  const violation = `It did something else the second time: ${once.timeline.at(at)} and ${again.timeline.at(at)}.`
  return { ...again, violation }
}

/** What to run. */
async function* scripts(): AsyncGenerator<Script> {
  if (values.kept === true) for (const { script } of await readKept()) yield script
  else if (values.script !== undefined) yield JSON.parse(values.script)
  else
    for (let seed = first; seed < first + worlds && isInTime(); seed += 1)
      yield { seed, isScaled, ...(values.strict === true && { isStrict: true }) }
}

function isInTime(): boolean {
  return secondsSince() < seconds && processorSeconds() < processorSecondsMax
}

/** Says what a world that fails comes down to. */
async function report(outcome: Outcome): Promise<void> {
  if (values.whole === true || values.script !== undefined) {
    print(outcome.timeline.join('\n'))
    print(`Seed ${outcome.script.seed}: ${outcome.violation}`)
    print(`Script: ${JSON.stringify(outcome.script)}`)
    return
  }
  print(`Seed ${outcome.script.seed}: ${outcome.violation}`)
  const shrunk = await shrink(outcome, runWorld)
  const { script } = shrunk
  const counts = (of: Script): string =>
    `${of.faults?.length} faults, ${of.writes?.length} writes, ${of.clients?.length} clients, ${of.steps} steps`
  print(`Shrunk by ${shrunk.runs} worlds from ${counts(outcome.script)} to ${counts(script)}:`)
  print(shrunk.outcome.timeline.filter((line) => !line.includes('[debug]')).join('\n'))
  print(`Shrunk: ${shrunk.outcome.violation}`)
  print(`Script: ${JSON.stringify(script)}`)
}
