/** A failing world comes down to what it needs to fail, and those that are kept fail no more. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { readKept } from './kept-scripts.ts'
import { PLANTED_FAULTS } from './planted-faults.ts'
import type { Script } from './script.ts'
import { shrink } from './shrink.ts'
import type { Outcome } from './world.ts'

const TOTALS = { timeline: [], changes: 0, delivered: 0, folded: 0, resyncs: 0, faults: 0, steps: 0 }
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const LONG: Script = {
  ...{ seed: 7, steps: 60, writes: numbers(60), clients: numbers(4) },
  faults: [3, 9, 20, 41].map((step) => ({ step, fault: step === 20 ? 'failOver' : 'cutLink' })),
}

/** A world that loses a change where a failover at step 20 follows a write of step 11, and client 2 looks. */
function run(script: Script): Promise<Outcome> {
  const isHit =
    (script.faults?.some(({ step }) => step === 20) ?? false) &&
    (script.writes?.includes(11) ?? false) &&
    (script.clients?.includes(2) ?? false)
  // Anything else that goes wrong meanwhile is another failure.
  const other = script.faults?.length === 1 ? 'It was got Twice.' : null
  return Promise.resolve({ script, violation: isHit ? 'Entry 3 is Lost.' : other, ...TOTALS })
}

describe('a world that fails', () => {
  it('is shrunk to the fault, the write and the client that it takes', async () => {
    const { script, outcome, runs } = await shrink(await run(LONG), run)
    expect(outcome.violation).toBe('Entry 3 is Lost.')
    expect(script).toEqual({
      ...{ seed: 7, steps: 21, writes: [11], clients: [2] },
      faults: [{ step: 20, fault: 'failOver' }],
    })
    expect(runs).toBeLessThan(100)
  })

  it('stays as it is where it does not fail again', async () => {
    const passes = (script: Script) => Promise.resolve({ script, violation: null, ...TOTALS })
    expect((await shrink(await run(LONG), passes)).script).toEqual(LONG)
  })

  it('fails no more where its script was kept', { timeout: 300_000 }, async () => {
    const kept = await readKept()
    expect(kept.length).toBeGreaterThan(0)
    expect(await simulate('--kept')).toContain(`${kept.length} passed, 0 failed`)
  })
})

describe('a world', () => {
  it('does the same whenever it runs, step by step', { timeout: 300_000 }, async () => {
    expect(await simulate('--twice', '--worlds', '6', '--seed', '40')).toContain('6 passed, 0 failed')
  })
})

async function simulate(...what: readonly string[]): Promise<string> {
  const args = ['--import', 'tsx', '--conditions=rowcast-source', 'test/simulation/main.ts', ...what]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return stdout
}

it.each(PLANTED_FAULTS)('$name: can be planted', async ({ file, from }) => {
  const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
  expect(text.split(from)).toHaveLength(2)
})
