/** What changes cost that nobody asked for. */
import { writeInserts } from './backlog.ts'
import { type Benchmark, RunBook } from './benchmark.ts'
import { drainOnce } from './drain.ts'

/** Contender → how it drains. */
const MODES = {
  'one subscriber that reads': 'read',
  'one subscriber that counts': 'take',
  nobody: 'idle',
} as const

export const idleModels: Benchmark = {
  name: 'idle-models',
  about:
    'the same backlog with a subscriber that reads every field, with one that only counts, and with none',
  async run(context) {
    const book = new RunBook()
    await using backlog = await writeInserts(
      ...([context, 'idle_models', context.size(300_000, 2_000), context.size(10_000, 500)] as const),
    )
    for (let round = 0; round < context.rounds; round++) {
      for (const [contender, mode] of Object.entries(MODES)) {
        const { cpuMs, wallMs } = await drainOnce('contenders/drain-rowcast', backlog, mode)
        const cpuMicros = (cpuMs * 1_000) / backlog.changes
        book.add('inserts', contender, { 'CPU µs/row': cpuMicros, 'wall ms': wallMs })
      }
    }
    const base = 'one subscriber that reads'
    return {
      runs: book.runs,
      ratios: [
        ...book.ratio('inserts', 'CPU µs/row', 'nobody', base, '≤ 0.50'),
        ...book.ratio('inserts', 'CPU µs/row', 'one subscriber that counts', base, null),
      ],
    }
  },
}
