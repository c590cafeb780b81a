/** What a row costs between its bytes and its fields, without a socket. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Backlog, writeInserts, writeUpdates } from './backlog.ts'
import { type BenchContext, type Benchmark, RunBook } from './benchmark.ts'
import { captureMessages } from './capture.ts'
import { openChild } from './child.ts'
import type { DecodeAnswer } from './contenders/decode.ts'

const OURS = 'rowcast, binary'
const PEER = 'PgoutputPlugin, text'

async function compare(
  context: BenchContext,
  book: RunBook,
  scenario: string,
  backlog: Backlog,
  folder: string,
) {
  const binary = join(folder, `${scenario}-binary`)
  const text = join(folder, `${scenario}-text`)
  await captureMessages(backlog, binary, true)
  await captureMessages(backlog, text, false)
  await using ours = await openChild('contenders/decode-rowcast')
  await using oursOnText = await openChild('contenders/decode-rowcast')
  await using peer = await openChild('contenders/decode-pg-logical-replication')
  const contenders = [
    { name: OURS, child: ours, file: binary },
    { name: 'rowcast, text', child: oursOnText, file: text },
    { name: PEER, child: peer, file: text },
  ]
  const passes = context.size(10, 2)
  for (const { child, file } of contenders) await child.call('decode', { file, passes: context.size(5, 1) })
  for (let round = 0; round < context.rounds; round++) {
    for (const { name, child, file } of contenders) {
      const { cpuMicros, changes } = await child.call<DecodeAnswer>('decode', { file, passes })
      book.add(scenario, name, { 'CPU µs/row': cpuMicros / changes })
    }
  }
}

export const decode: Benchmark = {
  name: 'decode',
  about: 'CPU of a row from captured bytes: 11 columns, all read, inserts and updates with whole old rows',
  async run(context) {
    const book = new RunBook()
    const changes = context.size(20_000, 500)
    const folder = await mkdtemp(join(tmpdir(), 'rowcast-bench-'))
    try {
      {
        await using inserts = await writeInserts(context, 'decode_inserts', changes, changes)
        await compare(context, book, 'insert', inserts, folder)
      }
      {
        await using updates = await writeUpdates(context, 'decode_updates', changes)
        await compare(context, book, 'update', updates, folder)
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
    return {
      runs: book.runs,
      ratios: [
        ...book.ratio('insert', 'CPU µs/row', OURS, PEER, '≤ 0.60'),
        ...book.ratio('update', 'CPU µs/row', OURS, PEER, '≤ 0.50'),
      ],
    }
  },
}
