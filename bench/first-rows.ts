/** What it costs to begin with the rows there are: for one client of many rows, and for many clients that ask for the same at once. */
import { createClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import { type Benchmark, RunBook } from './benchmark.ts'
import { type Child, openChild } from './child.ts'
import { migrate, writeComments } from './sample.ts'

interface Taken {
  readonly statements: number
  readonly peakMib: number
}

/** Rows up to READY. */
async function firstRows(port: number, rowsMax: number): Promise<number> {
  const client = createClient({ url: `ws://127.0.0.1:${port}/graphql`, webSocketImpl: WebSocket })
  const query = `subscription { commentChanged(initial: true, where: { id: { lte: ${rowsMax} } }) { action new { id body } } }`
  let rows = 0
  try {
    for await (const { data, errors } of client.iterate<{ commentChanged: { action: string } }>({ query })) {
      if (errors !== undefined) throw new Error(JSON.stringify(errors))
      if (data?.commentChanged.action === 'READY') return rows
      rows += 1
    }
  } finally {
    await client.dispose()
  }
  throw new Error('It ended before READY.')
}

/** The same as one query. */
async function queried(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ comments { id body } }' }),
  })
  const { data } = (await response.json()) as { data: { comments: unknown[] } }
  return data.comments.length
}

interface Contender {
  readonly child: Child
  readonly read: () => Promise<number>
  readonly expected: number
}

/** Reads, and says how fast, and in how many statements. */
async function measure({ child, read, expected }: Contender) {
  await child.call('taken')
  const startedMs = performance.now()
  const rows = await read()
  const seconds = (performance.now() - startedMs) / 1_000
  if (rows !== expected) throw new Error(`${rows} rows, and not ${expected}.`)
  const { statements, peakMib } = await child.call<Taken>('taken')
  return { 'rows/s': rows / seconds, statements, 'peak MiB': peakMib }
}

export const firstRowsRead: Benchmark = {
  name: 'first-rows',
  about: 'rows of a table to one client beside findMany over Yoga; to 1,000 clients of one audience at once',
  async run(context) {
    const book = new RunBook()
    const rows = context.size(100_000, 500)
    const clients = context.size(1_000, 10)
    const each = context.size(1_000, 50)
    await using database = await context.openDatabase('first_rows')
    await migrate(database)
    await writeComments(database, rows)
    const [one, many] = [`${rows} rows`, `${clients} clients, ${each} rows each`]
    for (let round = 0; round < context.rounds; round += 1) {
      await using ours = await openChild('contenders/first-rows')
      await using theirs = await openChild('contenders/first-rows')
      const request = { url: database.url, slot: `first_rows_${round}` }
      const { port } = await ours.call<{ port: number }>('rowcast', request)
      const yoga = await theirs.call<{ port: number }>('yoga', request)
      const together = () => Promise.all(Array.from({ length: clients }, () => firstRows(port, each)))
      const sum = async () => (await together()).reduce((total, count) => total + count, 0)
      book.add(
        one,
        'rowcast',
        await measure({ child: ours, read: () => firstRows(port, rows), expected: rows }),
      )
      book.add(
        one,
        'findMany over Yoga',
        await measure({ child: theirs, read: () => queried(yoga.port), expected: rows }),
      )
      book.add(many, 'rowcast', await measure({ child: ours, read: sum, expected: clients * each }))
    }
    return {
      runs: book.runs,
      ratios: [
        ...book.ratio(one, 'rows/s', 'rowcast', 'findMany over Yoga', null),
        ...book.ratio(one, 'peak MiB', 'rowcast', 'findMany over Yoga', '≤ 1'),
      ],
    }
  },
}
