/**
 * Who runs where while a server is measured beside others. An attacker sits on another machine: where his process, PostgreSQL and the honest
 * client take the server's processor from it, times by the clock measure the scheduler. So the server's main thread has the last processor, which
 * everybody else keeps off; V8's own threads in it, which collect and compile, run where there is room, as on any server of two processors. On the others
 * PostgreSQL and the honest client, whose own waiting is not the server's doing, go before the attacker. As root, what is
 * measured goes before all else on the machine, too.
 */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** As `nice` counts; 0 is what processes have. */
const BEFORE_OTHERS = -20
const BEHIND_OTHERS = 10

/** What a process is to the measurement. */
export type Role = 'server' | 'honest' | 'attacker'

/** The processors of this machine, while a benchmark has arranged who runs on them. */
export interface Processors extends AsyncDisposable {
  /** One line for whoever reads the figures. */
  readonly text: string
  /** Moves a process that has been started; what it starts later stays with it. */
  assign(pid: number, role: Role): Promise<void>
}

/** The numbers of those that this process may run on; none where the system does not say. */
function allowedProcessors(): readonly number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? ''
    return list.split(',').flatMap((range) => {
      const [first = Number.NaN, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
  } catch {
    return []
  }
}

/** With all its threads. */
const move = (pid: number, processors: readonly number[]) =>
  run('taskset', ['-a', '-c', '-p', processors.join(','), String(pid)])

/** Of all its threads. */
function prioritise(pid: number, priority: number): void {
  for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), priority)
}

/**
 * Arranges it. Without `taskset` or a second processor all stay where they are, and the text says so.
 * @param others processes that have begun already: PostgreSQL. What they start comes after them.
 */
export async function arrangeProcessors(others: readonly number[]): Promise<Processors> {
  const all = allowedProcessors()
  const shared = all.slice(0, -1)
  const own = all.slice(-1)
  const residents = [process.pid, ...others]
  try {
    if (shared.length === 0) throw new Error('There is one processor.')
    for (const pid of residents) await move(pid, shared)
  } catch {
    return {
      text: 'all share the processors: there is no taskset here, or no second processor',
      assign: async () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    }
  }
  const mayRaise = process.getuid?.() === 0
  if (mayRaise) for (const pid of others) prioritise(pid, BEFORE_OTHERS)
  const before = mayRaise ? 'all but the attacker raised' : 'the attacker lowered'
  return {
    text: `the server's main thread alone on processor ${own.join()}; V8's other threads on all; PostgreSQL, the honest client and the attacker on ${shared.join()}, ${before}`,
    async assign(pid, role) {
      if (role === 'server') await run('taskset', ['-c', '-p', own.join(','), String(pid)])
      else await move(pid, shared)
      if (mayRaise && role !== 'attacker') prioritise(pid, BEFORE_OTHERS)
      if (!mayRaise && role === 'attacker') prioritise(pid, BEHIND_OTHERS)
    },
    async [Symbol.asyncDispose]() {
      for (const pid of residents) await move(pid, all)
      if (mayRaise) for (const pid of others) prioritise(pid, 0)
    },
  }
}
