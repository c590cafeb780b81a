/** How long a backlog takes, from slot to typed changes. */
import { BASE_SLOT, type Backlog, writeInserts, writeUpdates } from './backlog.ts'
import { type BenchContext, type Benchmark, RunBook } from './benchmark.ts'
import { openChild } from './child.ts'
import type { DrainAnswer, DrainRequest } from './contenders/drain.ts'
import { findPgRecvlogical, runPgRecvlogical } from './pg-recvlogical.ts'

/** Drains a copy of the backlog's slot in a fresh process. */
export async function drainOnce(
  module: string,
  { database, changes }: Backlog,
  mode: DrainRequest['mode'],
  more: Pick<DrainRequest, 'subscribers' | 'fields'> = {},
): Promise<DrainAnswer> {
  return database.withSlotCopy(`${BASE_SLOT}_${database.name}`, async (slot) => {
    await using child = await openChild(module)
    const request: DrainRequest = { url: database.url, slot, changes, mode, ...more }
    // Not without `await`: the process would end before it answers.
    return await child.call<DrainAnswer>('drain', request)
  })
}

async function drainBacklog(context: BenchContext, book: RunBook, scenario: string, backlog: Backlog) {
  const { changes, endLsn, database } = backlog
  const measuresOf = ({ wallMs, cpuMs }: DrainAnswer) => ({
    'wall ms': wallMs,
    'rows/s': (changes / wallMs) * 1_000,
    'CPU µs/row': (cpuMs * 1_000) / changes,
  })
  const program = findPgRecvlogical()
  if (program === null) context.note('pg_recvlogical is not installed (Debian: postgresql-client): left out.')
  for (let round = 0; round < context.rounds; round++) {
    if (program !== null) {
      const wallMs = await database.withSlotCopy(`${BASE_SLOT}_${database.name}`, (slot) =>
        runPgRecvlogical(program, { url: database.url, slot, endLsn }),
      )
      book.add(scenario, 'pg_recvlogical', { 'wall ms': wallMs, 'rows/s': (changes / wallMs) * 1_000 })
    }
    const ours = await drainOnce('contenders/drain-rowcast', backlog, 'read')
    book.add(scenario, 'rowcast', measuresOf(ours))
    const peer = await drainOnce('contenders/drain-pg-logical-replication', backlog, 'read')
    book.add(scenario, 'pg-logical-replication', measuresOf(peer))
  }
}

export const drain: Benchmark = {
  name: 'drain',
  about: 'a backlog of inserts, and of updates with whole old rows, into typed changes',
  async run(context) {
    const book = new RunBook()
    {
      await using inserts = await writeInserts(
        ...([context, 'inserts', context.size(500_000, 2_000), context.size(10_000, 500)] as const),
      )
      await drainBacklog(context, book, 'inserts', inserts)
    }
    {
      await using updates = await writeUpdates(context, 'updates', context.size(100_000, 500))
      await drainBacklog(context, book, 'updates', updates)
    }
    const peer = 'pg-logical-replication'
    return {
      runs: book.runs,
      ratios: ['inserts', 'updates'].flatMap((scenario) => [
        ...book.ratio(scenario, 'wall ms', 'rowcast', 'pg_recvlogical', '≤ 1.05'),
        ...book.ratio(scenario, 'wall ms', peer, 'rowcast', '≥ 2'),
        ...book.ratio(scenario, 'CPU µs/row', 'rowcast', peer, '≤ 0.40'),
      ]),
    }
  },
}
