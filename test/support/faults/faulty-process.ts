/** `rowcast serve` from the source, as a process in which any function can be made to throw: see fault-hooks.mjs. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createDeferred } from '../deferred.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const ARGUMENTS = [
  ...['--import', 'tsx', '--import', './test/support/faults/faults.mjs', '--conditions=rowcast-source'],
  ...['src/cli/main.ts', 'serve', '--config', 'test/support/faults/rowcast.config.ts'],
  ...['--host', '127.0.0.1', '--port', '0'],
]

/** The process. */
export interface FaultyProcess extends AsyncDisposable {
  readonly url: string
  /** What it logged. */
  readonly lines: readonly string[]
  /** How it ended; null while it runs. */
  readonly end: string | null
  /** Notes from now on which functions are called. */
  record(): void
  /** Those, and of each whether Node.js or the guard called it, so that nobody else could catch what it throws. */
  called(): Promise<ReadonlyMap<string, boolean>>
  /** The function throws when it is called next; once. */
  arm(fault: string): Promise<void>
  readonly thrown: readonly string[]
}

interface Said {
  readonly called?: readonly (readonly [string, boolean])[]
  readonly armed?: string
  readonly thrown?: string
}

/** Resolves once it listens. */
export async function openFaultyProcess(env: Readonly<Record<string, string>>): Promise<FaultyProcess> {
  const child = spawn(process.execPath, ARGUMENTS, {
    cwd: ROOT,
    env: { ...process.env, LOG_LEVEL: 'debug', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const onExit = () => void child.kill('SIGKILL')
  process.on('exit', onExit)
  const lines: string[] = []
  const thrown: string[] = []
  const answers: ((said: Said) => void)[] = []
  const listening = createDeferred<string>()
  let end: string | null = null
  const note = (text: string) => {
    lines.push(...text.split('\n').filter((line) => line !== ''))
    const url = /"url":"(http[^"]+)"/.exec(text)?.[1]
    if (url !== undefined) listening.resolve(url)
  }
  child.stdout?.setEncoding('utf8').on('data', note)
  child.stderr?.setEncoding('utf8').on('data', note)
  child.on('message', (said: Said) => {
    if (said.thrown === undefined) answers.shift()?.(said)
    else thrown.push(said.thrown)
  })
  const ended = once(child, 'exit').then(([code, signal]) => {
    end = String(code ?? signal)
    listening.reject(new Error(lines.slice(-20).join('\n')))
    for (const answer of answers) answer({})
  })
  const ask = (question: object): Promise<Said> =>
    new Promise((resolve) => {
      if (end !== null) return resolve({})
      answers.push(resolve)
      child.send(question)
    })
  return {
    ...{ lines, thrown, url: await listening.promise },
    get end() {
      return end
    },
    record: () => void child.send({ record: true }),
    called: async () => new Map((await ask({ report: true })).called),
    arm: async (fault) => void (await ask({ fault })),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      process.off('exit', onExit)
    },
  }
}
