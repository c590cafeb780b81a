/** docker-compose.yml, Dockerfile and nginx.conf say what the program understands; where a container engine is, they run. */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { catalog } from '../prisma/generated/rowcast.ts'
import { openRedisConnection } from '../src/broker/redis/redis-connection.ts'
import { resolveConfig } from '../src/config/resolve-config.ts'
import { isRowcastError } from '../src/errors.ts'
import { withSqlClient } from '../src/source/db/sql.ts'
import { openPostgres } from './support/postgres.ts'
import { openRedis } from './support/redis.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

interface Service {
  readonly image?: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: readonly string[] | Readonly<Record<string, object>>
  readonly volumes?: readonly string[]
}

/** As docker compose fills them in; each has to be set by whoever runs it. */
const PASSWORDS = Object.fromEntries(
  [...read('docker/example.env').matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value]) => [name, value]),
)
const filledIn = read('docker-compose.yml').replaceAll(
  /\$\{(\w+):\?[^}]*\}/g,
  (_, name: string) => `secret-${name}`,
)
const compose = parse(filledIn, { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>
}
const { services } = compose
const service = (name: string): Service => {
  const found = services[name]
  if (found === undefined) throw new Error(`There is no service ${name}.`)
  return found
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

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
  ])('%s is asked to be a %s, in words that rowcast understands', (name, role) => {
    const createPrisma = () => ({ async $connect() {}, async $disconnect() {} })
    const env = service(name).environment ?? {}
    const config = resolveConfig({ catalog, createPrisma, public: true }, { ...env, NODE_ENV: 'production' })
    expect(config).toMatchObject({
      host: '0.0.0.0',
      port: 4000,
      scaling: { role, broker: expect.stringContaining(`redis://rowcast-${role}:secret-`) },
    })
    // The balancer is the one proxy in front of gateways; nobody reaches a tap.
    expect(config.security.trustedProxyCount).toBe(role === 'gateway' ? 1 : 0)
    const { hostname } = new URL(config.databaseUrl)
    expect(services[hostname]).toBeDefined()
  })

  it('has no password of its own, and no superuser at work', () => {
    const text = read('docker-compose.yml')
    const asked = new Set([...text.matchAll(/\$\{(\w+):\?/g)].map((match) => match[1]))
    expect([...asked].sort()).toEqual(Object.keys(PASSWORDS).sort())
    expect(Object.values(PASSWORDS).every((value) => value === '')).toBe(true)
    for (const name of ['tap', 'gateway-1', 'gateway-2', 'migrate']) {
      const { username } = new URL(service(name).environment?.['DATABASE_URL'] ?? '')
      expect(username).toBe('rowcast')
    }
    expect(read('docker/create-role.sh')).not.toMatch(/SUPERUSER/)
  })

  it('gives Redis the users of docs/scaling.md, which a real Redis understands', async ({ skip }) => {
    const page = read('docs/scaling.md')
    const users = (service('redis').command ?? []).filter((line) => line.startsWith('--user rowcast-'))
    for (const line of users) {
      const [, user = '', rules = ''] = /^--user (\S+) on >\S+ (.*)$/.exec(line) ?? []
      expect(page).toMatch(new RegExp(`ACL SETUSER ${user} reset on >\\w+ ${escaped(rules)}$`, 'm'))
    }
    if (spawnSync('redis-server', ['--version']).error !== undefined) {
      process.stderr.write('redis-server is not installed: the users are only read.\n')
      skip('no redis-server')
    }
    await using redis = await openRedis({ settings: users })
    for (const [name, says] of [
      ['rowcast-tap', 'XADD'],
      ['rowcast-gateway', 'NOPERM'],
    ] as const) {
      const url = redis.url.replace(
        'redis://',
        `redis://${name}:secret-${name === 'rowcast-tap' ? 'REDIS_TAP_PASSWORD' : 'REDIS_GATEWAY_PASSWORD'}@`,
      )
      const connection = await openRedisConnection({ url, name: 'test' })
      const answer = await connection.send(['XADD', 'rowcast:x', '*', 'a', 'b']).then(
        () => 'XADD',
        (error: unknown) => (isRowcastError(error) ? error.details['reply'] : error),
      )
      connection.destroy()
      expect(answer).toBe(says)
    }
  })

  it('makes its role and database in a real PostgreSQL, with a password that is quoted', async ({ skip }) => {
    if (spawnSync('psql', ['--version']).error !== undefined) {
      process.stderr.write('psql is not installed: create-role.sh is not run.\n')
      skip('no psql')
    }
    await using postgres = await openPostgres()
    const { cluster } = postgres
    const { password } = cluster.target()
    const env = {
      ...process.env,
      PGHOST: '127.0.0.1',
      PGPORT: String(cluster.port),
      PGPASSWORD: String(password),
    }
    const secret = "it's a \\ secret"
    const script = spawnSync('sh', [join(ROOT, 'docker/create-role.sh')], {
      env: { ...env, ROWCAST_PASSWORD: secret },
      encoding: 'utf8',
    })
    expect(script, script.stderr).toMatchObject({ status: 0 })
    const target = { ...cluster.target('rowcast'), user: 'rowcast', password: secret }
    const [role] = await withSqlClient(target, (sql) =>
      sql.query('SELECT rolsuper, rolreplication FROM pg_roles WHERE rolname = current_user'),
    )
    expect(role).toEqual({ rolsuper: false, rolreplication: true })
  }, 120_000)

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

  it('takes no file of passwords and no history into the image', () => {
    const ignored = read('.dockerignore').split('\n')
    for (const each of ['**/.env*', '.git', '**/node_modules', '.rowcast']) expect(ignored).toContain(each)
    expect(ignored.filter((line) => line.startsWith('!'))).toEqual([])
  })

  it('runs, where a container engine is', async ({ skip }) => {
    const reason = obstacle()
    if (reason !== null) {
      process.stderr.write(`docker-compose.yml is read but not started: ${reason}.\n`)
      skip(reason)
    }
    try {
      // docker compose takes them from its environment.
      for (const name of Object.keys(PASSWORDS)) process.env[name] ??= randomBytes(12).toString('hex')
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
