/** How the cost of a change grows with rows, subscribers and columns; with filters, see filters.ts. */
import { writeInserts } from './backlog.ts'
import { type BenchContext, type Benchmark, RunBook } from './benchmark.ts'
import { drainOnce } from './drain.ts'

const CONTENDER = 'rowcast'
const MEASURE = 'CPU µs/row'
const SUBSCRIBERS = [1, 10, 100]
const FIELDS = [1, 4, 11]

const describeRows = (rows: number) => `${rows.toLocaleString('en-US')} rows, one subscriber`
const describeSubscribers = (count: number) => `${count} × subscribed to the same rows`
const describeFields = (count: number) => `${count} of 11 columns are in the model`

async function growWithRows(context: BenchContext, book: RunBook, sizes: readonly number[]) {
  for (const rows of sizes) {
    await using backlog = await writeInserts(context, `growth_${rows}`, rows, Math.min(rows, 10_000))
    for (let round = 0; round < context.rounds; round++) {
      const { cpuMs } = await drainOnce('contenders/drain-rowcast', backlog, 'read')
      book.add(describeRows(rows), CONTENDER, { [MEASURE]: (cpuMs * 1_000) / rows })
    }
  }
}

export const growth: Benchmark = {
  name: 'growth',
  about: 'what a change costs with more rows, more subscribers, more columns',
  async run(context) {
    const book = new RunBook()
    const sizes = [context.size(100_000, 500), context.size(400_000, 1_000)]
    await growWithRows(context, book, sizes)
    const rows = context.size(60_000, 500)
    await using backlog = await writeInserts(context, 'growth', rows, 1_000)
    for (let round = 0; round < context.rounds; round++) {
      for (const subscribers of SUBSCRIBERS) {
        const { cpuMs } = await drainOnce('contenders/drain-rowcast', backlog, 'read', { subscribers })
        book.add(describeSubscribers(subscribers), CONTENDER, { [MEASURE]: (cpuMs * 1_000) / rows })
      }
      for (const fields of FIELDS) {
        const { cpuMs } = await drainOnce('contenders/drain-rowcast', backlog, 'read', { fields })
        book.add(describeFields(fields), CONTENDER, { [MEASURE]: (cpuMs * 1_000) / rows })
      }
    }
    const compare = (what: string, to: string, from: string) => ({
      what: `${MEASURE}: ${what}`,
      value: book.median(to, CONTENDER, MEASURE) / book.median(from, CONTENDER, MEASURE),
      target: null,
    })
    const [few = 0, many = 0] = sizes
    return {
      runs: book.runs,
      ratios: [
        compare('four times the rows', describeRows(many), describeRows(few)),
        compare('100 subscribers / 1', describeSubscribers(100), describeSubscribers(1)),
        compare('1 column / 11', describeFields(1), describeFields(11)),
      ],
    }
  },
}
