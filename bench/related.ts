/** What a change costs where conditions ask other rows, and what their keys take. */
import { type BenchContext, type Benchmark, RunBook } from './benchmark.ts'
import { type Child, openChild } from './child.ts'
import type { RelatedRequest } from './contenders/related.ts'

const MEASURE = 'CPU µs/change'
const NODE = ['--expose-gc', '--max-old-space-size=6000']
const AUDIENCES = 50
/** Memberships that are given in a round. */
const JOINS = 500

interface Answer {
  readonly cpuMicros: number
  readonly changes: number
}

/** Contenders side by side: each in a process of its own, in turns. */
async function compare(
  context: BenchContext,
  book: RunBook,
  scenario: string,
  contenders: ReadonlyMap<string, RelatedRequest>,
): Promise<void> {
  if (!context.isWanted(scenario)) return
  const joins = `${scenario}, of memberships`
  const children = new Map<string, Child>()
  try {
    for (const [name, request] of contenders) {
      const child = await openChild('contenders/related', { node: NODE })
      children.set(name, child)
      const heapBytes = await child.call<number>('subscribe', request)
      context.note(`${scenario}, ${name}: ${Math.round(heapBytes / request.subscriptions)} bytes each`)
      await child.call('publish', request)
    }
    for (let round = 0; round < context.rounds; round++) {
      for (const [name, request] of contenders) {
        const answer = await children.get(name)?.call<Answer>('publish', request)
        if (answer === undefined) continue
        const { cpuMicros, changes } = answer
        book.add(scenario, name, { [MEASURE]: cpuMicros / changes })
        if (request.follows !== 'relation' || request.subscriptions !== request.audiences) continue
        const joined = await children.get(name)?.call<Answer>('join', { ...request, published: JOINS })
        if (joined !== undefined) book.add(joins, name, { [MEASURE]: joined.cpuMicros / joined.changes })
      }
    }
  } finally {
    for (const child of children.values()) await child[Symbol.asyncDispose]()
  }
}

/** What a key takes: by how much more one with twice as many takes. */
async function measureKeys(context: BenchContext, book: RunBook): Promise<void> {
  if (!context.isWanted('memory')) return
  const subscriptions = context.size(5_000, 100)
  const heapOf = async (keysEach: number): Promise<number> => {
    await using child = await openChild('contenders/related', { node: NODE })
    const sizes = { subscriptions, audiences: subscriptions, keysEach, published: 0 }
    return (await child.call<number>('subscribe', { ...sizes, follows: 'relation' })) / subscriptions
  }
  const [few, many] = [await heapOf(10), await heapOf(110)]
  // Each has two sets, of memberships and of teams.
  const perKey = (many - few) / 100 / 2
  book.add('memory', 'rowcast', {
    'bytes a key of a set': perKey,
    'bytes a subscription with two sets, without keys': few - perKey * 20,
  })
}

export const related: Benchmark = {
  name: 'related',
  about:
    'CPU of a change where conditions follow relations, by subscribers, beside a plain foreign key; bytes of a key',
  async run(context) {
    const book = new RunBook()
    const subscribers = context.size(1_000, 100)
    const published = context.size(5_000, 1_000)
    const shared = { subscriptions: subscribers, audiences: AUDIENCES, keysEach: 10, published }
    const audiences = `${subscribers} subscribers of ${AUDIENCES} audiences`
    await compare(
      context,
      book,
      audiences,
      new Map([
        ['a foreign key', { ...shared, follows: 'foreign key' }],
        ['a relation', { ...shared, follows: 'relation' }],
      ]),
    )
    const few = context.size(100, 50)
    const many = context.size(100_000, 500)
    const alone = (count: number) => ({ subscriptions: count, audiences: count, keysEach: 10, published })
    const matching = 'one of them matches'
    await compare(
      context,
      book,
      matching,
      new Map([few, many].map((count) => [`${count} sets`, { ...alone(count), follows: 'relation' }])),
    )
    await measureKeys(context, book)
    return {
      runs: book.runs,
      ratios: [
        ...book.ratio(audiences, MEASURE, 'a relation', 'a foreign key', '≤ 1.5'),
        ...[matching, `${matching}, of memberships`].flatMap((scenario) =>
          book.ratio(scenario, MEASURE, `${many} sets`, `${few} sets`, '≤ 1.5'),
        ),
      ],
    }
  },
}
