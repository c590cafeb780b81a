/**
 * `npm run test:simulation:mutants`: deliberate faults, each in a copy of the sources of its own, and how many worlds find it. What
 * none finds is said as well; `--only NAME` runs one, `--seconds S` is how long each is looked for.
 */
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

/** One fault. */
interface Mutant {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
}

const MUTANTS: readonly Mutant[] = [
  {
    name: 'more is confirmed than was delivered',
    file: 'src/wire/connection.ts',
    from: 'const confirmed = this.#handler.confirmedLsn()',
    to: 'const confirmed = (this.#handler.confirmedLsn() + 4096n) as Lsn',
  },
  {
    name: 'a stream begins a little later than it ended',
    file: 'src/source/published/continuity.ts',
    from: '  let floorLsn = past.safeLsn\n',
    to: '  let floorLsn = (past.safeLsn + 64n) as typeof past.safeLsn\n',
  },
  {
    name: 'positions are compared as signed numbers',
    file: 'src/changes/cursor.ts',
    from: 'export function comparePositions(a: ChangePosition, b: ChangePosition): number {\n',
    to: 'export function comparePositions(a: ChangePosition, b: ChangePosition): number {\n  if (a.commitLsn !== b.commitLsn) return Number(BigInt.asIntN(64, a.commitLsn) - BigInt.asIntN(64, b.commitLsn))\n',
  },
  {
    name: 'cursors of the process before do not wait for the barriers',
    file: 'src/bus/memory-bus.ts',
    from: 'if (!isShared && this.lastChanges.waits(subscriber, cursor, again)) return',
    to: '',
  },
  {
    name: 'a server that took over is followed whatever it lacks',
    file: 'src/source/published/continuity.ts',
    from: "    if (past.deliveredLsn >= end) return gap('timeline-diverged')\n",
    to: '',
  },
  {
    name: 'a server that took over is followed from where the stream ended',
    file: 'src/source/published/continuity.ts',
    from: '    if (end < floorLsn) floorLsn = end\n',
    to: '',
  },
  {
    name: 'cursors of a timeline that was given up are good',
    file: 'src/bus/history.ts',
    from: 'if (range.end !== null && comparePositions(cursor.position, range.end) > 0) {',
    to: 'if (range.end === null && comparePositions(cursor.position, cursor.position) > 0) {',
  },
  {
    name: 'a barrier ends no subscription',
    file: 'src/bus/memory-bus.ts',
    from: 'if (upTo !== undefined && cut !== undefined) this.#roster.endWhoMissed(model, cut, upTo)',
    to: '',
  },
  {
    name: 'a cut leaves older cursors good',
    file: 'src/bus/history.ts',
    from: 'if (this.#isKnown(model)) this.#cuts.set(model, newest)',
    to: '',
  },
  {
    name: 'the tables are taken for the same however they differ',
    file: 'src/source/published/published-tables.ts',
    from: '  if (before.oid !== now.oid || before.evidence !== now.evidence) return false\n',
    to: '',
  },
  {
    name: 'no barrier waits for writers',
    file: 'src/source/published/publication-ledger.ts',
    from: 'const isSent = suspect.cleanFrom !== null || writers.size === 0',
    to: 'const isSent = true',
  },
  {
    name: 'a tap takes its own barriers for those of another',
    file: 'src/source/published/publication-ledger.ts',
    from: 'if (!this.#isComplete && !isSince && this.#inherited?.has(model) === false) continue',
    to: 'if (!this.#isComplete && this.#inherited?.has(model) === false) continue',
  },
  {
    name: 'a subscription falls behind and forgets what it could not take',
    file: 'src/bus/subscriber.ts',
    from: '    this.#onBehind(this, positionBefore(held.change))\n    return false',
    to: '    this.#onBehind(this, positionOf(held.change))\n    return false',
  },
  {
    name: 'who waits for its process goes on where it began to wait',
    file: 'src/bus/older-reader.ts',
    from: 'if (compareAfter(at.after, end) < 0) at.after = end',
    to: '',
  },
  {
    name: 'a message outside transactions and a commit have one position',
    file: 'src/broker/entry-id.ts',
    from: 'return { lsn: toLsn(endLsn > 0n ? endLsn - 1n : 0n), sequence: 0 }',
    to: 'return { lsn: endLsn, sequence: 0 }',
  },
  {
    name: 'an entry that the broker refuses is taken for written',
    file: 'src/broker/stream-writer.ts',
    from: 'if (committed.refused.has(id)) await this.#checkIsThere(id, payload)',
    to: 'if (committed.refused.has(id)) this.entryCount += 0',
  },
  {
    name: 'what was handed over is confirmed before the broker has it',
    file: 'src/broker/tap-relay.ts',
    from: '    session.feed.onHandedOver(lsn)\n',
    to: '    session.feed.onHandedOver(lsn)\n    session.feed.onWritten(lsn)\n    session.feed.onAccepted(lsn)\n',
  },
  {
    name: 'a tap never says that its stream was lost',
    file: 'src/broker/stream-writer.ts',
    from: "if (committed.kind === 'lost')",
    to: "if (committed.kind === 'lost' && this.#hasEnded)",
  },
  {
    name: 'a gap begins no epoch',
    file: 'src/broker/tap-past.ts',
    from: '    return this.#owed\n',
    to: '    return null\n',
  },
  {
    name: 'the new epoch forgets what the last one had',
    file: 'src/broker/tap-relay.ts',
    from: 'const last = isNew || found === null ? epoch.floor : found.last',
    to: 'const last = epoch.floor',
  },
]

const { values } = parseArgs({ options: { only: { type: 'string' }, seconds: { type: 'string' } } })
const seconds = values.seconds ?? '60'
const print = (text: string): void => void process.stdout.write(`${text}\n`)

let missed = 0
for (const mutant of MUTANTS) {
  if (values.only !== undefined && !mutant.name.includes(values.only)) continue
  const answer = await run(mutant)
  const found = /^(\d+) passed, 1 failed$/m.exec(answer)
  if (found === null) missed += 1
  print(
    `${mutant.name}: ${found === null ? `not found in ${seconds} s` : `found by world ${Number(found[1]) + 1}`}`,
  )
}
process.exitCode = missed === 0 ? 0 : 1

/** Runs worlds in a copy of the sources that has the fault. */
async function run({ file, from, to }: Mutant): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-mutant-'))
  try {
    for (const name of ['src', 'test', 'prisma', 'package.json', 'tsconfig.json'])
      await cp(name, join(folder, name), {
        recursive: true,
        filter: (path) => !path.includes('node_modules'),
      })
    await symlink(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'))
    const path = join(folder, file)
    const text = await readFile(path, 'utf8')
    if (!text.includes(from)) throw new Error(`${file} has nothing to change: ${from}`)
    await writeFile(path, text.replace(from, to))
    return await worlds(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function worlds(folder: string): Promise<string> {
  const args = ['--conditions=rowcast-source', 'test/simulation/main.ts', '--seed', '1', '--seconds', seconds]
  const child = spawn(join(process.cwd(), 'node_modules/.bin/tsx'), args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let answer = ''
  child.stdout.on('data', (chunk: Buffer) => {
    answer = (answer + String(chunk)).slice(-20_000)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve(answer))
  })
}
