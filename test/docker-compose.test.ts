/** docker-compose.yml, Dockerfile and nginx.conf say what the program understands; where a container engine is, they run. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { catalog } from '../prisma/generated/rowcast.ts'
import { resolveConfig } from '../src/config/resolve-config.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

interface Service {
  readonly image?: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: readonly string[] | Readonly<Record<string, object>>
  readonly volumes?: readonly string[]
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>
}
const { services } = compose
const service = (name: string): Service => {
  const found = services[name]
  if (found === undefined) throw new Error(`There is no service ${name}.`)
  return found
}

function run(...args: string[]) {
  return spawnSync('docker', args, { cwd: ROOT, encoding: 'utf8', timeout: 600_000 })
}

/** Why the containers are not started here; null: they can be. */
function obstacle(): string | null {
  if (run('compose', 'version').status !== 0) return 'no docker compose'
  if (run('info').status !== 0) return 'no container engine answers'
  if (run('compose', 'pull', '--ignore-buildable', '--quiet').status !== 0)
    return 'the images cannot be pulled'
  return null
}

describe('docker-compose.yml', () => {
  it('names only services that exist, and files that exist', () => {
    const names = Object.keys(services)
    expect(names.sort()).toEqual([
      'balancer',
      'gateway-1',
      'gateway-2',
      'migrate',
      'postgres',
      'redis',
      'tap',
    ])
    for (const each of Object.values(services)) {
      const wanted = Array.isArray(each.depends_on) ? each.depends_on : Object.keys(each.depends_on ?? {})
      for (const name of wanted) expect(names).toContain(name)
    }
    const [mount = ''] = service('balancer').volumes ?? []
    expect(existsSync(join(ROOT, mount.split(':')[0] ?? ''))).toBe(true)
  })

  it.each([
    ['tap', 'tap'],
    ['gateway-1', 'gateway'],
    ['gateway-2', 'gateway'],
  ])('%s is told to be a %s, in words that rowcast understands', (name, role) => {
    const createPrisma = () => ({ async $connect() {}, async $disconnect() {} })
    const env = service(name).environment ?? {}
    const config = resolveConfig({ catalog, createPrisma, public: true }, { ...env, NODE_ENV: 'production' })
    expect(config).toMatchObject({
      host: '0.0.0.0',
      port: 4000,
      scaling: { role, broker: 'redis://redis:6379' },
    })
    const { hostname } = new URL(config.databaseUrl)
    expect(services[hostname]).toBeDefined()
  })

  it('sets what rowcast needs of PostgreSQL and Redis', () => {
    expect(service('postgres').command).toContain('wal_level=logical')
    expect(service('redis').command?.join(' ')).toContain('--maxmemory-policy noeviction')
  })

  it('balances over both gateways, WebSockets included', () => {
    const nginx = read('docker/nginx.conf')
    const upstreams = [...nginx.matchAll(/server ([\w-]+):4000/g)].map((match) => match[1])
    expect(upstreams).toEqual(['gateway-1', 'gateway-2'])
    expect(nginx).toMatch(/proxy_http_version 1\.1;[\s\S]*proxy_set_header Upgrade \$http_upgrade;/)
    expect(nginx).toContain('proxy_buffering off;')
    expect(nginx).toContain('proxy_set_header Host $http_host;')
  })

  it('is built from files that the repository has', () => {
    const dockerfile = read('Dockerfile')
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap((match) =>
      (match[1] ?? '').split(' ').slice(0, -1),
    )
    for (const file of copied) expect(existsSync(join(ROOT, file))).toBe(true)
    const { scripts, bin } = JSON.parse(read('package.json')) as {
      readonly scripts: Readonly<Record<string, string>>
      readonly bin: Readonly<Record<string, string>>
    }
    expect(dockerfile).toContain(`ENTRYPOINT ["node", "${bin['rowcast']}"]`)
    expect(scripts['build']).toBeDefined()
  })

  it('runs, where a container engine is', async ({ skip }) => {
    const reason = obstacle()
    if (reason !== null) {
      process.stderr.write(`docker-compose.yml is read but not started: ${reason}.\n`)
      skip(reason)
    }
    try {
      const up = run('compose', 'up', '--build', '--detach', '--wait')
      expect(up.status, up.stderr).toBe(0)
      for (;;) {
        const answer = await fetch('http://127.0.0.1:8080/health/ready').catch(() => null)
        if (answer?.status === 200) break
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    } finally {
      run('compose', 'down', '--volumes')
    }
  }, 900_000)
})
