/** What a change costs when many subscriptions want one row each. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeInserts } from './backlog.ts'
import { type Benchmark, RunBook } from './benchmark.ts'
import { captureMessages } from './capture.ts'
import { type Child, openChild } from './child.ts'

const WARM_UPS = 3

export const filters: Benchmark = {
  name: 'filters',
  about: 'CPU of a change with 100, 10,000 and 100,000 subscriptions on distinct keys, one of which matches',
  async run(context) {
    const book = new RunBook()
    const sizes = [100, context.size(10_000, 200), context.size(100_000, 300)]
    const folder = await mkdtemp(join(tmpdir(), 'rowcast-bench-'))
    const children: Child[] = []
    try {
      await using backlog = await writeInserts(context, 'filters', 20_000, 20_000)
      const file = join(folder, 'inserts')
      await captureMessages(backlog, file, true)
      for (const subscriptions of sizes) {
        const child = await openChild('contenders/filters')
        children.push(child)
        await child.call('subscribe', { file, subscriptions })
        for (let warmUp = 0; warmUp < context.size(WARM_UPS, 1); warmUp++)
          await child.call('publish', { file, subscriptions })
      }
      // Short ones, of which a collection of garbage may take its part.
      for (let round = 0; round < context.rounds * context.size(3, 1); round++) {
        for (const [index, subscriptions] of sizes.entries()) {
          const child = children[index] as Child
          const answer = await child.call<FilterAnswer>('publish', { file, subscriptions })
          if (answer.matches !== answer.changes)
            throw new Error(`${answer.changes} changes matched ${answer.matches} times.`)
          book.add('one matches', `${subscriptions} subscriptions`, {
            'CPU µs/change': answer.cpuMicros / answer.changes,
          })
        }
      }
    } finally {
      for (const child of children) await child[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    }
    const ratioTo = (size: number | undefined) =>
      book.ratio(
        'one matches',
        'CPU µs/change',
        `${size} subscriptions`,
        `${sizes[0]} subscriptions`,
        '≤ 1.5',
      )
    return { runs: book.runs, ratios: [...ratioTo(sizes[1]), ...ratioTo(sizes[2])] }
  },
}

interface FilterAnswer {
  readonly cpuMicros: number
  readonly changes: number
  readonly matches: number
}
