/** Past one machine: what the way through Redis costs, and how deliveries grow with gateways. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BASE_SLOT, type Backlog, writeInserts, writeUpdates } from './backlog.ts'
import { type BenchContext, type Benchmark, RunBook } from './benchmark.ts'
import { captureMessages } from './capture.ts'
import { openChild } from './child.ts'
import type { CodecAnswer } from './contenders/broker-codec.ts'
import type { RoleRequest } from './contenders/broker-rowcast.ts'
import { drainOnce } from './drain.ts'
import { fire, openFleet } from './fleet.ts'
import { measure as measureLatency } from './latency.ts'
import { type LiveServer, openClients, serveRowcast } from './live-servers.ts'
import { type BenchRedis, openRedis } from './redis.ts'

const OURS = 'rowcast: tap, Redis, gateway'
const ALONE = 'rowcast alone'
const PEER = 'pg-logical-replication, redis-event-target'

/** A backlog through a tap's process, Redis, and a reader's process. */
async function drainThrough(module: string, backlog: Backlog, redis: BenchRedis) {
  const { database, changes } = backlog
  await redis.flush()
  return database.withSlotCopy(`${BASE_SLOT}_${database.name}`, async (slot) => {
    await using tap = await openChild(module)
    await using gateway = await openChild(module)
    const request: RoleRequest = { url: database.url, slot, redisUrl: redis.url }
    const drained = gateway.call('drain', { ...request, changes })
    // PUBLISH keeps nothing: the reader has to be there first.
    await redis.hasReader()
    const sentBefore = await redis.sentBytes()
    const before = await Promise.all([tap.usage(), gateway.usage(), redis.cpuMicros()])
    const startedMs = performance.now()
    await tap.call('startTap', request)
    await drained
    const wallMs = performance.now() - startedMs
    const after = await Promise.all([tap.usage(), gateway.usage(), redis.cpuMicros()])
    await Promise.all([tap.call('stop'), gateway.call('stop')])
    return {
      'changes/s': (changes / wallMs) * 1_000,
      'tap CPU µs/change': (after[0].cpuMicros - before[0].cpuMicros) / changes,
      'gateway CPU µs/change': (after[1].cpuMicros - before[1].cpuMicros) / changes,
      'Redis CPU µs/change': (after[2] - before[2]) / changes,
      'Redis bytes out/change': ((await redis.sentBytes()) - sentBefore) / changes,
    }
  })
}

async function drainAll(
  context: BenchContext,
  book: RunBook,
  redis: BenchRedis,
  scenario: string,
  backlog: Backlog,
) {
  for (let round = 0; round < context.rounds; round++) {
    const alone = await drainOnce('contenders/drain-rowcast', backlog, 'read')
    book.add(scenario, ALONE, { 'changes/s': (backlog.changes / alone.wallMs) * 1_000 })
    book.add(scenario, OURS, await drainThrough('contenders/broker-rowcast', backlog, redis))
    book.add(scenario, PEER, await drainThrough('contenders/broker-yoga', backlog, redis))
  }
}

async function compareForms(context: BenchContext, book: RunBook, scenario: string, backlog: Backlog) {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-bench-'))
  try {
    const file = join(folder, scenario)
    await captureMessages(backlog, file, true)
    await using child = await openChild('contenders/broker-codec')
    for (let round = 0; round < context.rounds; round++) {
      for (const [name, command] of [
        ['entries of PostgreSQL’s bytes', 'entries'],
        ['JSON of rows', 'json'],
      ] as const) {
        const answer = await child.call<CodecAnswer>(command, { file })
        book.add(`form of ${scenario}`, name, {
          'bytes/change': answer.bytesPerChange,
          'encode CPU µs/change': answer.encodeMicros,
          'decode CPU µs/change': answer.decodeMicros,
        })
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The same clients, spread over more and more gateways. */
async function growFleet(context: BenchContext, book: RunBook, redis: BenchRedis): Promise<void> {
  const clients = context.size(1_000, 8)
  const changes = 10
  const transactions = context.size(10, 1)
  await using database = await context.openDatabase('broker_fleet')
  await using swarm = await openChild('clients/swarm')
  for (const count of [1, 2, 4]) {
    await using fleet = await openFleet(database, redis, count, `fleet_${count}`)
    const groups = fleet.gateways.map(({ name }) => name)
    for (const gateway of fleet.gateways) await openClients(swarm, gateway, gateway.name, clients / count)
    const deliver = async () => {
      for (const group of groups) await swarm.call('reset', { group })
      await fire(database, changes)
      const target = (clients / count) * changes
      for (const group of groups) {
        if (!(await swarm.call<boolean>('reach', { group, count: target, timeoutMs: 60_000 })))
          throw new Error(`${group} did not deliver all of ${target}.`)
      }
    }
    for (let n = 0; n < transactions; n++) await deliver()
    for (let round = 0; round < context.rounds; round++) {
      const before = await Promise.all(fleet.gateways.map(({ child }) => child.usage()))
      const startedMs = performance.now()
      for (let n = 0; n < transactions; n++) await deliver()
      const seconds = (performance.now() - startedMs) / 1_000
      const after = await Promise.all(fleet.gateways.map(({ child }) => child.usage()))
      const deliveries = clients * changes * transactions
      const cpuMicros = after.reduce(
        (sum, { cpuMicros: used }, index) => sum + used - (before[index]?.cpuMicros ?? 0),
        0,
      )
      book.add(
        `${clients} clients, 10 changes a transaction`,
        count === 1 ? '1 gateway' : `${count} gateways`,
        {
          'deliveries/s': deliveries / seconds,
          'gateway CPU µs/delivery': cpuMicros / deliveries,
          'RSS MB/gateway': (after[0]?.rssBytes ?? 0) / 1e6,
        },
      )
    }
    for (const group of groups) await swarm.call('close', { group })
  }
}

/** What a gateway weighs, what each subscriber adds (one round), and what a single change to all of them costs it. */
async function weighGateway(context: BenchContext, book: RunBook, redis: BenchRedis): Promise<void> {
  const few = context.size(100, 4)
  // Below 10,000: a process may have 20,000 files open at most on many machines.
  const many = context.size(9_400, 40)
  const transactions = context.size(6, 1)
  await using database = await context.openDatabase('broker_weight')
  await using swarm = await openChild('clients/swarm')
  // Memory is read after a collection: what counts is what is kept.
  await using fleet = await openFleet(database, redis, 1, 'weight', ['--expose-gc'])
  const gateway = fleet.gateways[0] as LiveServer
  await openClients(swarm, gateway, 'few', few)
  const before = await gateway.child.usage()
  await openClients(swarm, gateway, 'many', many)
  const full = await gateway.child.usage()
  const bytesEach = (full.rssBytes - before.rssBytes) / many
  const scenario = `a gateway with ${few + many} subscribers`
  book.add(scenario, OURS, {
    'RSS MB without them': (before.rssBytes - few * bytesEach) / 1e6,
    'RSS kB/subscriber': bytesEach / 1e3,
  })
  const deliver = async () => {
    for (const group of ['few', 'many']) await swarm.call('reset', { group })
    await fire(database, 1)
    for (const [group, count] of [
      ['few', few],
      ['many', many],
    ] as const) {
      if (!(await swarm.call<boolean>('reach', { group, count, timeoutMs: 60_000 })))
        throw new Error(`Not all of ${few + many} clients got a change.`)
    }
  }
  for (let n = 0; n < transactions; n++) await deliver()
  for (let round = 0; round < context.rounds; round++) {
    const idle = await gateway.child.usage()
    for (let n = 0; n < transactions; n++) await deliver()
    const cpuMicros = (await gateway.child.usage()).cpuMicros - idle.cpuMicros
    book.add(`a change to ${few + many} subscribers`, OURS, {
      'gateway CPU µs/delivery': cpuMicros / (transactions * (few + many)),
    })
  }
}

/** From commit to a WebSocket client, alone and through Redis. */
async function compareLatency(context: BenchContext, book: RunBook, redis: BenchRedis): Promise<void> {
  await using aloneDatabase = await context.openDatabase('broker_latency_alone')
  await using database = await context.openDatabase('broker_latency')
  await using swarm = await openChild('clients/swarm')
  await using alone = await serveRowcast(aloneDatabase)
  await using fleet = await openFleet(database, redis, 1, 'latency')
  const gateway = fleet.gateways[0] as LiveServer
  await openClients(swarm, alone, alone.name, 1)
  await openClients(swarm, gateway, gateway.name, 1)
  let firstId = 1_000_000
  for (let round = 0; round < context.rounds; round++) {
    for (const rate of [100, 1_000]) {
      const count = context.size(rate, 20)
      const contenders = [
        [ALONE, alone, aloneDatabase],
        [OURS, gateway, database],
      ] as const
      for (const [name, server, where] of contenders) {
        const write = { url: where.url, firstId, count, rate }
        book.add(`${rate} transactions/s`, name, await measureLatency(where, swarm, server, write))
      }
      firstId += count
    }
  }
}

export const broker: Benchmark = {
  name: 'broker',
  about: 'through Redis: changes/s, the form of entries, 1, 2 and 4 gateways, memory of one, added latency',
  async run(context) {
    const book = new RunBook()
    const redis = await openRedis()
    if (redis === null) {
      context.note('There is no redis-server on PATH: left out.')
      return { runs: [], ratios: [] }
    }
    await using _redis = redis
    {
      await using inserts = await writeInserts(
        context,
        'broker_inserts',
        context.size(120_000, 1_000),
        context.size(1_000, 100),
      )
      await drainAll(context, book, redis, 'inserts', inserts)
      await compareForms(context, book, 'inserts', inserts)
    }
    {
      await using updates = await writeUpdates(context, 'broker_updates', context.size(50_000, 500))
      await drainAll(context, book, redis, 'updates', updates)
      await compareForms(context, book, 'updates', updates)
    }
    await growFleet(context, book, redis)
    await weighGateway(context, book, redis)
    await compareLatency(context, book, redis)
    const rate = 'changes/s'
    return {
      runs: book.runs,
      ratios: [
        ...['inserts', 'updates'].flatMap((scenario) => [
          ...book.ratio(scenario, rate, OURS, ALONE, null),
          ...book.ratio(scenario, rate, OURS, PEER, null),
        ]),
        ...book.ratio('100 transactions/s', 'p50 ms', OURS, ALONE, null),
        ...book.ratio('1000 transactions/s', 'p50 ms', OURS, ALONE, null),
      ],
    }
  },
}
