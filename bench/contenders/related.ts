/** The bus with many subscriptions that follow relations, beside plain ones: what a change costs, and what a set takes. */
import { setImmediate as turn } from 'node:timers/promises'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { HeldPages } from '../../src/sets/held-pages.ts'
import { SetsBus } from '../../src/sets/sets-bus.ts'
import { StreamFollower } from '../../src/sets/stream-follower.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { insertOf, joinOf, ORIGIN, POST, postFilter, readTeams, SET_MODELS, TEAMS_CATALOG } from '../teams.ts'

/** Who subscribes. */
export interface RelatedRequest {
  readonly subscriptions: number
  /** Those of one audience ask for the same. */
  readonly audiences: number
  readonly keysEach: number
  /** Changes. */
  readonly published: number
  /** By the team of a post, or by its members. */
  readonly follows: 'foreign key' | 'relation'
}

/** 100,000 viewers with two sets of ten keys are at the default, and those who become members go beyond it. */
const ALL_KEYS_MAX = 4_000_000

/** Changes between two turns of the loop: so that nobody is far behind. */
const BATCH = 50

const inner = createMemoryBus({ models: TEAMS_CATALOG.models })
const follower = new StreamFollower({
  ...{ bus: inner, look: async () => SEES_ALL, monotonicMs: () => 0, wait: () => turn() },
})
let bus: SetsBus
let events = 0
let reads = 0
let lastId = 1

async function count(changes: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of changes) events += 1
}

function subscribeOne(request: RelatedRequest, n: number): void {
  const userId = n % request.audiences
  if (request.follows === 'foreign key') {
    const filter = postFilter({ teamId: userId * request.keysEach })
    void count(bus.subscribe({ model: 'Post', filter }))
    return
  }
  const filter = postFilter({ team: { members: { some: { userId } } } })
  void count(bus.subscribeRelated({ model: POST, filter, setModels: SET_MODELS, asksForRows: true }))
}

/** Bytes of the heap that they took. */
async function subscribe(request: RelatedRequest): Promise<number> {
  bus = new SetsBus({
    ...{ bus: inner, follower, guard: createGuard(silentLogger) },
    reading: {
      ...{ readRows: counting(readTeams(request.keysEach)), held: new HeldPages(1e9), bytesOf: () => 0 },
      limits: { allKeysMax: ALL_KEYS_MAX },
    },
  })
  bus.open({ ...ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  const before = heapBytes()
  for (let n = 0; n < request.subscriptions; n++) {
    subscribeOne(request, n)
    if (n % 1_000 === 0) await turn()
  }
  for (let left = 20; left > 0; left--) await turn()
  return heapBytes() - before
}

function counting<Asked, Answer>(read: (asked: Asked) => Answer): (asked: Asked) => Answer {
  return (asked) => {
    reads += 1
    return read(asked)
  }
}

/** Makes somebody a member of a new team, again and again, and waits until the sets have it: of one viewer after the other. */
async function join({ audiences, published }: RelatedRequest) {
  const readsBefore = reads
  const parts = Array.from({ length: published }, (_, n) =>
    joinOf(lastId + n + 1, n % audiences, 100_000_000 + lastId + n),
  )
  lastId += published
  const before = process.cpuUsage()
  for (const part of parts) {
    bus.publish(part)
    await turn()
  }
  for (let left = 20; left > 0; left--) await turn()
  const { user, system } = process.cpuUsage(before)
  // Its team, and the posts of that: nobody else asks for anything.
  if (reads - readsBefore !== 2 * published)
    throw new Error(`${reads - readsBefore} reads, and not ${2 * published}.`)
  return { cpuMicros: user + system, changes: published }
}

function heapBytes(): number {
  gc?.()
  return process.memoryUsage().heapUsed
}

/** Publishes posts, each of one team of one audience, and waits until all have them. */
async function publish({ audiences, keysEach, subscriptions, published }: RelatedRequest) {
  const eventsBefore = events
  const parts = Array.from({ length: published }, (_, n) => {
    const id = lastId + n + 1
    return insertOf(id, (n % audiences) * keysEach)
  })
  lastId += published
  const before = process.cpuUsage()
  for (const [n, part] of parts.entries()) {
    bus.publish(part)
    if (n % BATCH === BATCH - 1) await turn()
  }
  for (let left = 5; left > 0; left--) await turn()
  const { user, system } = process.cpuUsage(before)
  const expected = published * (subscriptions / audiences)
  if (events - eventsBefore !== expected)
    throw new Error(`${events - eventsBefore} events, and not ${expected}.`)
  return { cpuMicros: user + system, changes: published }
}

export const commands = { subscribe, publish, join }
