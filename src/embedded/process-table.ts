/**
 * Beside the spine, embedded. What the operating system knows of processes, without the programs of procps,
 * which slim containers lack. A zombie counts as gone: it runs no more, and some init processes never reap it.
 *
 * The package knows only the processes that it has started itself.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'

const HAS_PROC = existsSync('/proc/self/stat')

/** Whether the process runs. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
  return !HAS_PROC || readStat(pid)?.state !== 'Z'
}

/** Process ids of the direct children. */
export function listChildren(parentPid: number): readonly number[] {
  if (HAS_PROC) {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && readStat(pid)?.parentPid === parentPid)
  }
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  return table.split('\n').flatMap((line) => {
    const [pid = 0, ppid] = line.trim().split(/\s+/).map(Number)
    return ppid === parentPid ? [pid] : []
  })
}

/**
 * Whether the live process is a PostgreSQL server on that data folder: the server makes it its working folder.
 * Without /proc a live process with that id is taken for it.
 */
export function isServerOf(pid: number, dataFolder: string): boolean {
  if (!isProcessAlive(pid)) return false
  if (!HAS_PROC) return true
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataFolder)
  } catch {
    // Gone meanwhile, or another user's, who could not have written the pid file.
    return false
  }
}

/** Source: proc(5), /proc/pid/stat: `pid (command) state ppid …`; the command may hold parentheses. */
function readStat(pid: number): { readonly state: string; readonly parentPid: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state = '', parentPid] = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state, parentPid: Number(parentPid) }
  } catch {
    return null
  }
}
