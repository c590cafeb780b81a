/** Redis of the tests: where it comes from, and that none is left behind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { NO_REDIS, openRedis } from './redis.ts'
import { findRedis } from './redis-runner.ts'

describe('redis-server', () => {
  it('is the program on PATH, else a container, else there is one line that says so', async () => {
    const asked: string[] = []
    const search = (program: string | null, isThere: boolean) => ({
      findProgram: () => program,
      async hasEngine() {
        asked.push('engine')
        return isThere
      },
    })
    expect(await findRedis(search('redis-server', true))).toHaveProperty('run')
    expect(asked).toEqual([])
    expect(await findRedis(search(null, true))).toHaveProperty('run')
    expect(await findRedis(search(null, false))).toEqual({
      fault: expect.stringMatching(/^There is no redis-server[^\n]*skipped\.$/),
    })
  })

  const isAlive = (pid: number) => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }

  it.skipIf(NO_REDIS !== null)('runs, stops, and starts again on its port', async () => {
    await using redis = await openRedis({ isDurable: true })
    const { pid } = redis
    await redis.command('SET', 'a', '1')
    await redis.kill()
    expect(redis.pid).toBeNull()
    if (pid !== null) expect(isAlive(pid)).toBe(false)
    await expect(redis.command('PING')).rejects.toThrow()
    await redis.start()
    expect(String(await redis.command('GET', 'a'))).toBe('1')
  })

  it.skipIf(NO_REDIS !== null)('ends when the process that opened it is killed', async () => {
    const program = `import { openRedis } from ${JSON.stringify(join(import.meta.dirname, 'redis.ts'))}
      const redis = await openRedis()
      console.log(redis.pid)
      setInterval(() => {}, 1_000)`
    const args = ['--import', 'tsx', '--conditions=rowcast-source', '--input-type=module', '-e', program]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
    // In a container it is the engine's to end; testcontainers' reaper does.
    if (line === 'null') return void child.kill('SIGKILL')
    expect(isAlive(Number(line))).toBe(true)
    child.kill('SIGKILL')
    await expect.poll(() => isAlive(Number(line)), { timeout: 10_000 }).toBe(false)
  })
})
