/**
 * `npm run test:fuzz -- --seconds S`, or `--processor-seconds S`: inputs that reach code which no input before has reached are kept, and changed again. `--target
 * NAME` runs one, `--seed N` chooses the changes, `--keep` writes what reached something new to `corpus/`. Not Jazzer.js: it needs a
 * native library for each platform, and what is fuzzed here takes microseconds, so that V8's own counts are fast enough.
 */
import { Buffer } from 'node:buffer'
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { createRandom, type Random } from '../chaos/random.ts'
import { corpusFile, readCorpus } from './corpus.ts'
import { Coverage } from './coverage.ts'
import { stopSocketTarget } from './socket-target.ts'
import { TARGETS, type Target } from './targets.ts'

const { values } = parseArgs({
  options: {
    ...{ seconds: { type: 'string' }, target: { type: 'string' }, seed: { type: 'string' } },
    ...{ keep: { type: 'boolean' }, 'processor-seconds': { type: 'string' } },
  },
})
const print = (text: string): void => void process.stdout.write(`${text}\n`)
const BATCH = 512
const CORPUS_MAX = 60
const LENGTH_MAX = 2_048
const NOTABLE = [0, 1, 2, 4, 0x7f, 0x80, 0xff, 0x22, 0x2c, 0x5b, 0x7b]

const names = Object.keys(TARGETS).filter((name) => values.target === undefined || name === values.target)
const processorSeconds = values['processor-seconds']
const eachMs = (Number(processorSeconds ?? values.seconds ?? 60) * 1_000) / Math.max(1, names.length)
/** Of the processor where it is asked for so: who has little of it tries as much, and takes longer. */
function nowMs(): number {
  if (processorSeconds === undefined) return performance.now()
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
const seed = Number(values.seed ?? process.hrtime.bigint() % 1_000_000n)
const coverage = new Coverage('/src/')
await coverage.start()

let failed = 0
for (const name of names) failed += await fuzz(name, TARGETS[name] as Target)
await stopSocketTarget()
print(`${names.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

/** Fuzzes one. @returns 1 where something was found */
async function fuzz(name: string, target: Target): Promise<number> {
  const random = createRandom(seed)
  const kept = await readCorpus(name)
  const corpus: Buffer[] = []
  const fresh: Buffer[] = []
  for (const input of [...target.seeds, ...kept])
    if (await fails(name, target, input)) return 1
    else corpus.push(input)
  await coverage.look(true)
  const before = coverage.blocks
  let runs = 0
  for (const endMs = nowMs() + eachMs; nowMs() < endMs; ) {
    const batch = Array.from({ length: target.batch ?? BATCH }, () =>
      change(random.pick(corpus), corpus, random),
    )
    for (const input of batch) if (await fails(name, target, input)) return 1
    runs += batch.length
    if ((await coverage.look(false)) === 0) continue
    for (const input of await newcomers(target, batch)) {
      corpus.push(input)
      fresh.push(input)
    }
  }
  print(`${name}: ${runs} inputs, ${corpus.length} in the corpus, ${coverage.blocks - before} blocks more.`)
  if (values.keep === true && fresh.length > 0) {
    const lines = [...kept, ...fresh].map((input) => `${input.toString('base64')}\n`)
    await writeFile(corpusFile(name), lines.slice(-CORPUS_MAX).join(''))
  }
  return 0
}

/** Those that reach what none before has: a look costs as much as a thousand inputs, so that halves are looked at first. */
async function newcomers(target: Target, inputs: readonly Buffer[]): Promise<readonly Buffer[]> {
  for (const input of inputs) await target.run(input)
  if ((await coverage.look(inputs.length === 1)) === 0) return []
  if (inputs.length === 1) return inputs
  const middle = inputs.length >> 1
  return [
    ...(await newcomers(target, inputs.slice(0, middle))),
    ...(await newcomers(target, inputs.slice(middle))),
  ]
}

/** Whether the input does what must never be; it is printed. */
async function fails(name: string, target: Target, input: Buffer): Promise<boolean> {
  try {
    await target.run(input)
    return false
  } catch (error) {
    print(`${name}: ${input.toString('base64')}`)
    print(error instanceof Error ? String(error.stack) : String(error))
    return true
  }
}

/** Some of it is something else. */
function change(input: Buffer, corpus: readonly Buffer[], random: Random): Buffer {
  let bytes: Buffer = input
  for (let times = random.integer(1, 4); times > 0; times -= 1) {
    const at = random.integer(0, Math.max(0, bytes.length - 1))
    const length = random.integer(1, 8)
    const other = random.pick(corpus)
    const from = random.integer(0, Math.max(0, other.length - 1))
    bytes = random.pick<() => Buffer>([
      () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]),
      () =>
        Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + 4 * length), bytes.subarray(at)]),
      () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at)]),
      () => overwrite(bytes, at, random.pick(NOTABLE)),
      () => overwrite(bytes, at, random.integer(0, 255)),
      () => overwrite(bytes, at, (bytes[at] ?? 0) ^ (1 << random.integer(0, 7))),
      () => bytes.subarray(0, at),
    ])()
  }
  return bytes.subarray(0, LENGTH_MAX)
}

function overwrite(bytes: Buffer, at: number, value: number): Buffer {
  const changed = Buffer.from(bytes)
  if (at < changed.length) changed[at] = value
  return changed
}
