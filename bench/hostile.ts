/**
 * An honest client beside a hostile one: what the server's work for the one costs the other. One row for each attack; one
 * more attack is a function in `clients/attacker.ts` and its name here.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type BenchContext, type Benchmark, type Ratio, RunBook } from './benchmark.ts'
import { type Child, openChild } from './child.ts'
import type { AttackName, AttackRequest } from './clients/attacker.ts'
import type { Experience, HonestRequest } from './clients/honest.ts'
import type { Served } from './contenders/serve-rowcast.ts'
import type { BenchDatabase } from './database.ts'
import { openFleet } from './fleet.ts'
import { type LiveServer, serveRowcast } from './live-servers.ts'
import { insertManySql } from './orders.ts'
import { arrangeProcessors, type Processors } from './processors.ts'
import { type BenchRedis, openRedis } from './redis.ts'
import { makeCommentsLive, migrate, writeComments } from './sample.ts'

/** What happens while an attack is under way. */
type Traffic = 'none' | 'large rows' | 'comments'

/** One case. */
interface Case {
  readonly name: string
  readonly attack: AttackName
  readonly traffic: Traffic
  /** Behind a tap and Redis, whose commands are counted. */
  readonly isGateway: boolean
}

const own = (attack: AttackName, traffic: Traffic = 'none'): Case => {
  return { name: attack, attack, traffic, isGateway: false }
}

const CASES: readonly Case[] = [
  { ...own('nothing', 'large rows'), name: 'nobody hostile, large rows' },
  own('replays'),
  own('forged cursors'),
  { ...own('forged cursors'), name: 'forged cursors on a gateway', isGateway: true },
  own('sockets that do not read', 'large rows'),
  own('sockets that read slowly', 'large rows'),
  own('costly filters'),
  own('documents of comments'),
  own('contexts that hang'),
  own('nested lists'),
  own('long and deep texts'),
  own('operations that come and go'),
  own('refused upgrades'),
  own('event streams that do not read', 'large rows'),
  own('live lists', 'comments'),
  own('live lists that nobody reads', 'comments'),
  own('live lists of many paces', 'comments'),
  own('relations of changes', 'comments'),
  own('whole transactions', 'comments'),
]

/** One of each kind shows that it works. */
const SMOKE: ReadonlySet<string> = new Set(['replays', 'costly filters'])

const MIB = 1024 * 1024
const LARGE_ROW_BYTES = 40_000
/** Rows of the honest client, beyond all others. */
const HONEST_FIRST_ID = 1_000_000_000

/** What is served, where that is not orders alone. */
const SERVED: { readonly [Attack in AttackName]?: Served } = {
  'nested lists': 'related',
  'live lists': 'lists',
  'live lists that nobody reads': 'lists',
  'live lists of many paces': 'lists',
  'relations of changes': 'lists',
  'whole transactions': 'lists',
}

/** What is measured in. */
interface Scene {
  readonly context: BenchContext
  readonly processors: Processors
  readonly database: BenchDatabase
  readonly server: LiveServer
  readonly redis: BenchRedis | null
  readonly honest: Child
}

async function measure(
  { context, processors }: Pick<Scene, 'context' | 'processors'>,
  book: RunBook,
  { name, attack, traffic, isGateway }: Case,
  round: number,
) {
  await using database = await context.openDatabase(`hostile_${name.replaceAll(/\W+/g, '_')}_${round}`)
  const served = SERVED[attack] ?? 'orders'
  if (served !== 'orders') {
    await migrate(database)
    await writeComments(database, context.size(served === 'lists' ? 20_000 : 200_000, 1_000))
  }
  if (served === 'lists') await makeCommentsLive(database)
  await using redis = isGateway ? await openRedis() : null
  if (isGateway && redis === null) return context.note('There is no Redis here.')
  await using fleet = redis === null ? null : await openFleet(database, redis, 1, `hostile_${round}`)
  await using alone = fleet === null ? await serveRowcast(database, [], served) : null
  const server = fleet?.gateways[0] ?? alone
  if (server == null) throw new Error('Nothing serves.')
  await processors.assign(server.child.pid, 'server')
  await using honest = await openChild('clients/honest')
  await processors.assign(honest.pid, 'honest')
  const at: HonestRequest = {
    ...{ url: database.url, port: server.port, path: server.path, firstId: HONEST_FIRST_ID },
  }
  const cursor = await honest.call<string>('open', at)
  const scene: Scene = { context, processors, database, server, redis, honest }
  // A log that is worth being read.
  await database.query(insertManySql(context.size(50_000, 500), 10))
  await honest.call<Experience>('live', { ms: context.size(2_000, 200) })
  await warmUp(scene, traffic, { attack, port: server.port, path: server.path, scale: 0.05, cursor })
  await server.child.call('noteTurns')
  const ms = context.size(8_000, 700)
  // The same traffic: what is retained of large rows is not the attacker's doing.
  const idle = await observe(scene, traffic, ms)
  await using attacker = await openAttacker(processors)
  const request: AttackRequest = {
    ...{ attack, port: server.port, path: server.path, scale: context.size(1, 0.05) },
    cursor,
  }
  const starting = attacker.call('start', request)
  const attacked = await observe(scene, traffic, ms)
  await starting
  const sentBytes = await attacker.call<number>('stop')
  await delay(context.size(1_000, 100))
  const after = await observe(scene, 'none', context.size(3_000, 300))
  const phases = { idle, attacked, after }
  for (const [phase, seen] of Object.entries(phases)) {
    book.add(name, phase, {
      ...{ 'delivery p99 ms': seen.deliveryP99Ms, 'health p99 ms': seen.healthP99Ms, missed: seen.missed },
      ...{ 'longest turn, CPU ms': seen.longestTurnMs, 'CPU %': seen.cpuPercent },
      'waits for a processor %': seen.waitedPercent,
      'the honest client waits %': seen.honestWaitedPercent,
      ...{ 'RSS above idle MiB': (seen.peakRssBytes - idle.peakRssBytes) / MIB },
      // The memory of the process says what V8 has not given back; this, what is held.
      'live above idle MiB': (seen.liveBytes - idle.liveBytes) / MIB,
      ...(phase === 'attacked' ? { 'attacker sent KiB': sentBytes / 1024 } : {}),
      ...(seen.redisCalls === null ? {} : { 'Redis commands': seen.redisCalls }),
    })
  }
}

/**
 * What is loaded and compiled once, with the first query or stream of its kind, is nobody's attack: a little of it comes before
 * the idle phase, which is then that of a server which has been asked such things.
 */
async function warmUp(
  { context, database, processors }: Scene,
  traffic: Traffic,
  request: AttackRequest,
): Promise<void> {
  await using attacker = await openAttacker(processors)
  await attacker.call('start', request)
  // What is read for changes only is read then, too: Prisma Client compiles itself with its first query.
  let isOver = false
  const writing = WRITERS[traffic](database, () => isOver)
  await delay(context.size(1_500, 100))
  isOver = true
  await writing
  await attacker.call('stop')
}

async function openAttacker(processors: Processors): Promise<Child> {
  const attacker = await openChild('clients/attacker')
  await processors.assign(attacker.pid, 'attacker')
  return attacker
}

interface Observed extends Experience {
  readonly cpuPercent: number
  readonly peakRssBytes: number
  readonly longestTurnMs: number
  /** What something refers to at the end of the phase, before it stops. */
  readonly liveBytes: number
  /** Of the time in which the server could have gone on, and others ran. */
  readonly waitedPercent: number
  /** The same of the honest client, who measures: its times have that in them. */
  readonly honestWaitedPercent: number
  /** Null where there is no Redis. */
  readonly redisCalls: number | null
}

async function observe(
  { server, redis, honest, database }: Scene,
  traffic: Traffic,
  ms: number,
): Promise<Observed> {
  const before = await server.child.usage()
  await server.child.call('longestTurn')
  const waitedOf = (child: Child) => child.call<number>('waitedMs')
  const [waitedBeforeMs, honestWaitedBeforeMs] = [await waitedOf(server.child), await waitedOf(honest)]
  const callsBefore = (await redis?.calls()) ?? 0
  const startedMs = performance.now()
  let isOver = false
  let peakRssBytes = before.rssBytes
  const watching = (async () => {
    while (!isOver) {
      peakRssBytes = Math.max(peakRssBytes, (await server.child.usage()).rssBytes)
      await delay(100)
    }
  })()
  const writing = WRITERS[traffic](database, () => isOver)
  const experience = await honest.call<Experience>('live', { ms })
  const { cpuMicros } = await server.child.usage()
  const tookMs = performance.now() - startedMs
  const cpuPercent = (cpuMicros - before.cpuMicros) / (tookMs * 10)
  const waitedPercent = (((await waitedOf(server.child)) - waitedBeforeMs) / tookMs) * 100
  const honestWaitedPercent = (((await waitedOf(honest)) - honestWaitedBeforeMs) / tookMs) * 100
  const longestTurnMs = await server.child.call<number>('longestTurn')
  // While all goes on: what is on its way is held, too. It collects, so that it comes after all other figures.
  const liveBytes = await server.child.call<number>('liveBytes')
  isOver = true
  await Promise.all([watching, writing])
  const redisCalls = redis === null ? null : (await redis.calls()) - callsBefore
  const figures = {
    cpuPercent,
    peakRssBytes,
    longestTurnMs,
    liveBytes,
    waitedPercent,
    honestWaitedPercent,
    redisCalls,
  }
  return { ...experience, ...figures }
}

/** Some megabytes a second. */
async function writeLargeRows(database: BenchDatabase, isOver: () => boolean): Promise<void> {
  for (let n = 0; !isOver(); n += 1) {
    const note = `jsonb_build_object('note', repeat('x', ${LARGE_ROW_BYTES}), 'n', ${n})`
    await database.query(
      `UPDATE orders SET details = ${note} WHERE id BETWEEN ${n % 100} AND ${(n % 100) + 4}`,
    )
    await delay(20)
  }
}

/** Some rows in each of fifty transactions a second, and now and then a thousand in one. */
async function changeComments(database: BenchDatabase, isOver: () => boolean): Promise<void> {
  for (let n = 0; !isOver(); n += 1) {
    const [first, last] = n % 100 === 99 ? [19_000, 20_000] : [19_900 - (n % 800), 19_904 - (n % 800)]
    await database.query(`UPDATE "Comment" SET body = 'Changed ${n}' WHERE id BETWEEN ${first} AND ${last}`)
    await delay(20)
  }
}

const WRITERS: Readonly<Record<Traffic, typeof writeLargeRows>> = {
  async none() {},
  'large rows': writeLargeRows,
  comments: changeComments,
}

export const hostile: Benchmark = {
  name: 'hostile',
  about: 'an honest client beside a hostile one: latency, health, CPU and memory',
  async run(context) {
    const book = new RunBook()
    await using processors = await arrangeProcessors([await context.postgresPid()])
    context.note(processors.text)
    const attacks = CASES.filter(({ name }) => (context.isSmoke ? SMOKE.has(name) : context.isWanted(name)))
    for (let round = 0; round < context.rounds; round += 1) {
      for (const attack of attacks) {
        context.note(`${attack.name}, round ${round + 1} of ${context.rounds}`)
        await measure({ context, processors }, book, attack, round)
      }
    }
    return { runs: book.runs, ratios: CASES.flatMap(({ name }) => ratiosOf(book, name)) }
  },
}

function ratiosOf(book: RunBook, name: string): readonly Ratio[] {
  return [
    ...book.ratio(name, 'delivery p99 ms', 'attacked', 'idle', '≤ 3, or ≤ 50 ms'),
    ...book.ratio(name, 'health p99 ms', 'attacked', 'idle', '≤ 3, or ≤ 50 ms'),
  ]
}
