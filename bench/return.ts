/** What a storm of clients costs that come back: after a restart, or a network that was away. */
import { type Benchmark, RunBook } from './benchmark.ts'
import { openChild } from './child.ts'

interface StormAnswer {
  readonly firstMicros: number
  readonly nextMicros: number
  readonly walkMicros: number
  readonly ms: number
  readonly pauseMs: number
  readonly cpuMicros: number
}

const SCENARIO = 'a full log'

export const comingBack: Benchmark = {
  name: 'return',
  about: '1,000 clients that come back with cursors of the latest 1,000 transactions, at a full default log',
  async run(context) {
    const book = new RunBook()
    const clients = context.size(1_000, 20)
    for (let round = 0; round < context.rounds; round++) {
      await using child = await openChild('contenders/return', { node: ['--expose-gc'] })
      const answer = await child.call<StormAnswer>('storm', { clients, missed: 1_000 })
      book.add(SCENARIO, 'changeCursor', { 'first µs': answer.firstMicros, 'next µs': answer.nextMicros })
      book.add(SCENARIO, 'a walk over the log', { 'first µs': answer.walkMicros })
      book.add(SCENARIO, `${clients} clients`, {
        'all back ms': answer.ms,
        'longest pause ms': answer.pauseMs,
        'CPU µs/client': answer.cpuMicros,
      })
    }
    return {
      runs: book.runs,
      ratios: book.ratio(SCENARIO, 'first µs', 'changeCursor', 'a walk over the log', '≤ 0.05'),
    }
  },
}
