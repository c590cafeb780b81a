/**
 * A process for each contender, so that heap, compiled code and CPU time are its own. The child is a module that
 * exports `commands`; the parent calls them by name over Node's own channel.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'

/** What a contender's module exports. */
export type Commands = Readonly<Record<string, (input: never) => unknown>>

/** What a process has used. */
export interface Usage {
  /** User and system time of all its threads, since it began. */
  readonly cpuMicros: number
  readonly rssBytes: number
}

/** The parent's side. */
export interface Child extends AsyncDisposable {
  readonly pid: number
  call<Result>(command: string, input?: object): Promise<Result>
  usage(): Promise<Usage>
}

/** A call, as it travels. */
export interface CallMessage {
  readonly id: number
  readonly command: string
  readonly input: object
}

/** Its answer. */
export interface AnswerMessage {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

const MAIN = join(import.meta.dirname, 'child-main.js')

/** Starts `module`, a path below this folder without its extension, and waits until it is loaded. */
export async function openChild(
  module: string,
  options: { readonly node?: readonly string[] } = {},
): Promise<Child> {
  const child = fork(MAIN, [join(import.meta.dirname, `${module}.js`)], {
    execArgv: [...(options.node ?? [])],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let lastId = 0
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      resolve()
      for (const call of pending.values())
        call.reject(new Error(`${module} ended (${code ?? signal}) before it answered.`))
    })
  })
  child.on('message', ({ id, result, error }: AnswerMessage) => {
    const call = pending.get(id)
    pending.delete(id)
    if (error === undefined) call?.resolve(result)
    else call?.reject(new Error(`${module}: ${error}`))
  })
  const call = <Result>(command: string, input: object = {}) =>
    new Promise<Result>((resolve, reject) => {
      lastId += 1
      pending.set(lastId, { resolve: resolve as (value: unknown) => void, reject })
      // A process that has ended already: the call fails, not the process that makes it.
      child.send({ id: lastId, command, input } satisfies CallMessage, (error) => {
        if (error !== null) reject(new Error(`${module} has ended.`, { cause: error }))
      })
    })
  await call('usage')
  return {
    pid: child.pid ?? Number.NaN,
    call,
    usage: () => call<Usage>('usage'),
    [Symbol.asyncDispose]: () => endProcess(child, ended),
  }
}

async function endProcess(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.connected) child.disconnect()
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await ended
  clearTimeout(timer)
}
