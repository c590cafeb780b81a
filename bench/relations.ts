/** What it costs to read a relation of each change of a large transaction. */
import { type Benchmark, RunBook } from './benchmark.ts'
import { openChild } from './child.ts'
import { migrate } from './sample.ts'

const PLAIN = 'id email'
const WITH_POSTS = 'id email posts { title }'

export const relations: Benchmark = {
  name: 'relations',
  about: 'inserts of one transaction, each with a relation read, beside Pothos’ own loaders',
  async run(context) {
    const book = new RunBook()
    // Yoga’s PubSub gives up beyond 1,024 values that wait.
    const changes = context.size(1_000, 50)
    await using database = await context.openDatabase('relations')
    await migrate(database)
    await using child = await openChild('contenders/relations')
    const scenario = `${changes} inserts with posts`
    for (let round = 0; round < context.rounds; round++) {
      for (const [contender, command, selection] of [
        ['rowcast', 'rowcast', WITH_POSTS],
        ['rowcast without the relation', 'rowcast', PLAIN],
        ['Yoga + Pothos', 'pothos', WITH_POSTS],
      ] as const) {
        const tookMs = await child.call<number>(command, { url: database.url, changes, selection })
        book.add(scenario, contender, { 'wall ms': tookMs })
      }
    }
    return {
      runs: book.runs,
      ratios: [
        ...book.ratio(scenario, 'wall ms', 'rowcast', 'Yoga + Pothos', '≤ 1'),
        ...book.ratio(scenario, 'wall ms', 'rowcast', 'rowcast without the relation', null),
      ],
    }
  },
}
