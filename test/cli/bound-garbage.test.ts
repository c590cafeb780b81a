/** A heap that is nearly used up by what is live, as that of a gateway of 64 MB: what is thrown away at once costs no collection of all of it. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const PROGRAM = `
  import { PerformanceObserver } from 'node:perf_hooks'
  import { boundGarbage } from './src/cli/bound-garbage.ts'
  boundGarbage()
  const live = Array.from({ length: 400_000 }, (_, id) => ({ id, name: 'row ' + id }))
  const kinds = { scavenge: 0, whole: 0 }
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) kinds[detail.kind === 1 ? 'scavenge' : 'whole'] += 1
  })
  observer.observe({ entryTypes: ['gc'] })
  for (let turn = 0; turn < 400; turn += 1) {
    globalThis.thrown = Array.from({ length: 5_000 }, (_, id) => ({ id, turn }))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await new Promise((resolve) => setTimeout(resolve, 10))
  console.log(JSON.stringify({ ...kinds, live: live.length, mib: process.memoryUsage().heapUsed >> 20 }))
`

it('collects what is young, and hardly ever the whole heap', async () => {
  const flags = ['--max-old-space-size=64', '--import', 'tsx', '--input-type=module', '-e', PROGRAM]
  const { stdout } = await promisify(execFile)(process.execPath, flags)
  const { scavenge, whole } = JSON.parse(stdout) as { scavenge: number; whole: number }
  expect(scavenge).toBeGreaterThan(20)
  expect(whole).toBeLessThan(scavenge / 4)
})
