/**
 * What runs redis-server for tests: the program from PATH, or a container where there is an engine. Either way it ends
 * with the process that started it, however that ends. ROWCAST_TEST_REDIS_IMAGE names another image than `redis`, and has
 * it used even where the program is.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A redis-server that was started. */
export interface RunningRedis {
  readonly pid: number | null
  /** Whether it has ended by itself. */
  readonly hasEnded: boolean
  signal(name: NodeJS.Signals): void
  /** Ends it at once. */
  kill(): Promise<void>
}

/** Runs redis-server with arguments; it may write to the folder. */
export type RunRedis = (args: readonly string[], folder: string) => Promise<RunningRedis>

/** What there is on this machine. */
export interface RedisSearch {
  /** Name of the program on PATH; null: there is none. */
  findProgram(): string | null
  /** Whether containers can be started; asked where there is no program. */
  hasEngine(): Promise<boolean>
}

/** How Redis is run here, or in one line why it is not. */
export async function findRedis(
  search: RedisSearch = { findProgram, hasEngine },
): Promise<{ readonly run: RunRedis } | { readonly fault: string }> {
  const program = search.findProgram()
  if (program !== null) return { run: (args) => runProgram(program, args) }
  if (await search.hasEngine()) return { run: runContainer }
  return {
    fault: 'There is no redis-server on PATH and no container engine: tests of the broker are skipped.',
  }
}

const IMAGE = process.env['ROWCAST_TEST_REDIS_IMAGE']

function findProgram(): string | null {
  if (IMAGE !== undefined) return null
  const names = ['redis-server', 'valkey-server']
  return names.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0) ?? null
}

/** False also where `testcontainers` is not installed: test/peers has it. */
async function hasEngine(): Promise<boolean> {
  try {
    const { getContainerRuntimeClient } = await import('testcontainers')
    await getContainerRuntimeClient()
    return true
  } catch {
    return false
  }
}

/** Prints the pid, and kills the server once nobody holds the other end of the shell's standard input any more. */
const SUPERVISOR = `exec 3<&0
"$@" </dev/null >/dev/null 2>&1 3<&- &
server=$!
echo "$server"
{ while read -r _ <&3; do :; done; kill -9 "$server"; } 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"
kill "$watcher"`

async function runProgram(program: string, args: readonly string[]): Promise<RunningRedis> {
  const child = spawn('sh', ['-c', SUPERVISOR, 'sh', program, ...args], { stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = once(child, 'exit')
  let hasEnded = false
  void ended.then(() => {
    hasEnded = true
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const pid = Number(line)
  const signal = (name: NodeJS.Signals) => {
    if (!hasEnded) process.kill(pid, name)
  }
  return {
    pid,
    signal,
    get hasEnded() {
      return hasEnded
    },
    async kill() {
      signal('SIGKILL')
      await ended
    },
  }
}

/** On the host's network: replicas name each other by the ports that tests have chosen. */
async function runContainer(args: readonly string[], folder: string): Promise<RunningRedis> {
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import('testcontainers')
  const container = await new GenericContainer(IMAGE ?? 'redis:8')
    .withNetworkMode('host')
    .withUser('root')
    .withBindMounts([{ source: folder, target: folder }])
    .withEntrypoint(['redis-server'])
    .withCommand([...args])
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .start()
  const { container: engine } = await getContainerRuntimeClient()
  const handle = engine.getById(container.getId())
  return {
    pid: null,
    hasEnded: false,
    signal: (name) => void handle.kill({ signal: name }),
    async kill() {
      await handle.kill({ signal: 'SIGKILL' })
      await container.stop({ remove: true, timeout: 0 })
    },
  }
}
