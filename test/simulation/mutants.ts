/**
 * `npm run test:simulation:mutants`: deliberate faults, each in a copy of the sources of its own, and how many worlds find it. What
 * none finds is said as well; `--only NAME` runs those of that name, `--seconds S` is how long each is looked for, of the processor's time, from `--seed N` on. `--keep` keeps what each
 * world that finds one was shrunk to, in `kept-scripts.jsonl`, and `--kept` runs only those; `--alone` tries worlds without a broker, `--broker` those with one.
 */
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type KeptScript, readKept, writeKept } from './kept-scripts.ts'
import { PLANTED_FAULTS, type PlantedFault } from './planted-faults.ts'
import type { Script } from './script.ts'

const { values } = parseArgs({
  options: {
    ...{ only: { type: 'string' }, seconds: { type: 'string' }, seed: { type: 'string' } },
    ...{ keep: { type: 'boolean' }, kept: { type: 'boolean' } },
    ...{ alone: { type: 'boolean' }, broker: { type: 'boolean' } },
  },
})
const seconds = values.seconds ?? '45'
const print = (text: string): void => void process.stdout.write(`${text}\n`)

let missed = 0
for (const mutant of PLANTED_FAULTS) {
  if (values.only !== undefined && !mutant.name.includes(values.only)) continue
  const kept = (await readKept()).find(({ finds }) => finds === mutant.name)
  if (values.kept === true && kept === undefined) continue
  const answer = await run(mutant, values.kept === true ? kept?.script : undefined)
  const found = /^(\d+) passed, 1 failed$/m.exec(answer)
  const script = /^Script: (.*)$/m.exec(answer)?.[1]
  if (found === null) missed += 1
  else if (values.keep === true && script !== undefined)
    await keep({ finds: mutant.name, script: JSON.parse(script) })
  const took = /([\d.]+) s of processor time/.exec(answer)?.[1]
  const said =
    values.kept === true
      ? 'found by the script that is kept'
      : `found by world ${Number(found?.[1]) + 1}, in ${took} s of processor time`
  print(`${mutant.name}: ${found === null ? `not found in ${seconds} s` : said}`)
}
process.exitCode = missed === 0 ? 0 : 1

/** Keeps the script that has found a fault, in place of the one before. */
async function keep(script: KeptScript): Promise<void> {
  const others = (await readKept()).filter(({ finds }) => finds !== script.finds)
  await writeKept([...others, script])
}

/** Runs worlds in a copy of the sources that has the fault. */
async function run({ file, from, to }: PlantedFault, script: Script | undefined): Promise<string> {
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
    return await worlds(folder, script)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function worlds(folder: string, script: Script | undefined): Promise<string> {
  // To shrink a world takes many more.
  const rest = [
    ...(values.keep === true ? [] : ['--whole']),
    ...(values.alone === true ? ['--alone'] : []),
    ...(values.broker === true ? ['--broker'] : []),
  ]
  const what =
    script === undefined
      ? ['--seed', values.seed ?? '1', '--processor-seconds', seconds, ...rest]
      : ['--script', JSON.stringify(script)]
  const args = ['--conditions=rowcast-source', 'test/simulation/main.ts', ...what]
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
