/**
 * `npm run test:simulation -- --seed N --worlds M`: worlds one after another, from seed N on; `--seconds S` as many as there is time
 * for, `--broker` or `--alone` those with taps and gateways or without, `--verbose` all that befell them. The first that fails is printed
 * whole; its seed repeats it.
 */
import { parseArgs } from 'node:util'
import { runWorld } from './world.ts'

const { values } = parseArgs({
  options: {
    ...{ seed: { type: 'string' }, worlds: { type: 'string' }, seconds: { type: 'string' } },
    ...{ verbose: { type: 'boolean' }, broker: { type: 'boolean' }, alone: { type: 'boolean' } },
  },
})

const startedAt = process.hrtime.bigint()
const secondsSince = (): number => Number(process.hrtime.bigint() - startedAt) / 1e9
const print = (text: string): void => void process.stdout.write(`${text}\n`)
const numberOf = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : Number(text)

const first = numberOf(values.seed, Number(startedAt % 1_000_000_000n))
const worlds = numberOf(values.worlds, values.seconds === undefined ? 100 : Number.POSITIVE_INFINITY)
const seconds = numberOf(values.seconds, Number.POSITIVE_INFINITY)
const isWithBroker = values.broker === true ? true : values.alone === true ? false : undefined

const totals = { changes: 0, delivered: 0, resyncs: 0, faults: 0, steps: 0 }
let [passed, failed] = [0, 0]
for (let seed = first; seed < first + worlds && failed === 0 && secondsSince() < seconds; seed += 1) {
  const outcome = await runWorld(seed, isWithBroker)
  for (const name of ['changes', 'delivered', 'resyncs', 'faults', 'steps'] as const)
    totals[name] += outcome[name]
  if (values.verbose === true || outcome.violation !== null) print(outcome.timeline.join('\n'))
  if (outcome.violation === null) passed += 1
  else {
    failed += 1
    print(`Seed ${seed}: ${outcome.violation}`)
  }
}
const { changes, delivered, resyncs, faults, steps } = totals
const rate = Math.round(((passed + failed) * 60) / secondsSince())
print(
  `Worlds from seed ${first} on: ${faults} faults, ${changes} changes, ${delivered} deliveries, ${resyncs} resyncs.`,
)
print(`${steps} steps in ${secondsSince().toFixed(1)} s, ${rate} worlds a minute.`)
print(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
