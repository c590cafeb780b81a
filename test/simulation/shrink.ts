/** Makes the script of a world that fails as short as it can be and still fail in the same way. */
import type { Script } from './script.ts'
import type { Outcome } from './world.ts'

/** Runs a script. */
type Run = (script: Script) => Promise<Outcome>

/** What became of it. */
export interface Shrunk {
  readonly script: Script
  readonly outcome: Outcome
  readonly runs: number
}

/** In which way a world fails: the kind, without what differs from one run to another. */
export function kindOf(violation: string): string {
  const kinds = [
    'Lost.',
    'Twice.',
    'never committed',
    'Still waiting',
    'Late.',
    'bound',
    'Not safe.',
    'Revoked.',
    'and its row is there',
    'Not what there is',
    'The simulation failed',
  ]
  return kinds.find((kind) => violation.includes(kind)) ?? violation
}

/** Shrinks a failing world. @param runsMax how many worlds it may run */
export async function shrink(failed: Outcome, run: Run, runsMax = 250): Promise<Shrunk> {
  const kind = kindOf(failed.violation ?? '')
  let best: Shrunk = { script: failed.script, outcome: failed, runs: 0 }
  let runs = 0
  const fails = async (script: Script): Promise<boolean> => {
    if (runs >= runsMax) return false
    runs += 1
    const outcome = await run(script)
    if (outcome.violation === null || kindOf(outcome.violation) !== kind) return false
    best = { script, outcome, runs }
    return true
  }
  // What chance decided is written down first: the same world, by its script alone.
  if (!(await fails(failed.script))) return { ...best, runs }
  await fewest(best.script.clients ?? [], (clients) => fails({ ...best.script, clients }))
  await fewest(best.script.viewers ?? [], (viewers) => fails({ ...best.script, viewers }))
  await shortest(best, fails)
  await fewest(best.script.faults ?? [], (faults) => fails({ ...best.script, faults }))
  await shortest(best, fails)
  await fewest(best.script.writes ?? [], (writes) => fails({ ...best.script, writes }))
  return { ...best, runs }
}

/** Ends the script earlier, by halves. */
async function shortest({ script }: Shrunk, fails: (script: Script) => Promise<boolean>): Promise<void> {
  let [low, high] = [0, script.steps ?? 0]
  while (low < high) {
    const steps = (low + high) >> 1
    const shorter: Script = {
      ...{ ...script, steps },
      faults: script.faults?.filter(({ step }) => step < steps),
      writes: script.writes?.filter((step) => step < steps),
    }
    if (await fails(shorter)) high = steps
    else low = steps + 1
  }
}

/** Leaves items out, many at once first. Source: Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input". */
async function fewest<T>(all: readonly T[], fails: (items: readonly T[]) => Promise<boolean>): Promise<void> {
  let items = all
  for (let size = items.length >> 1; size >= 1; ) {
    let hasShrunk = false
    for (let from = 0; from < items.length && items.length > 0; ) {
      const rest = [...items.slice(0, from), ...items.slice(from + size)]
      if (await fails(rest)) {
        items = rest
        hasShrunk = true
      } else from += size
    }
    if (!hasShrunk || size > 1) size >>= 1
  }
}
