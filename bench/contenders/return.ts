/** The bus with a full log: what the cursor for now costs, and a storm of subscribers that come back with cursors of before. */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { parseSnapshot } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { plainChange, plainTransaction } from '../../test/support/plain-change.ts'
import { seeing } from '../../test/support/seeing.ts'

interface StormRequest {
  readonly clients: number
  /** How many of the latest transactions the one that was away the longest has missed. */
  readonly missed: number
}

/** Transactions that are published: more than the default log keeps. */
const PUBLISHED = 120_000
const EPOCH = { systemId: '7000000000000000001', timeline: 1 }

/** A bus with as many transactions of one change each. */
function fullBus(published = PUBLISHED) {
  const bus = createMemoryBus()
  bus.open({ ...EPOCH, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  // As behind the first look of a process: what committed before it is visible.
  bus.history?.earlier.reaches(toLsn(1n))
  const cursors: string[] = []
  for (let xid = 10; xid < published; xid += 1) {
    const transaction = plainTransaction(xid)
    const change = plainChange({ model: 'Order', action: 'INSERT', transaction, key: { id: xid } })
    bus.publish({ transaction, changes: [change], isFinal: true, byteLength: 200 })
    cursors.push(change.cursor)
  }
  return { bus, cursors }
}

/** Microseconds of one call that blocks and gives a cursor. What was left by filling the log is collected before it. */
function blockedMicros(run: () => string | null): number {
  globalThis.gc?.()
  const startedMs = performance.now()
  const cursor = run()
  const micros = (performance.now() - startedMs) * 1_000
  if (cursor === null) throw new Error('It gave no cursor: nothing was measured.')
  return micros
}

async function storm({ clients, missed }: StormRequest) {
  // Compiled once, as in a server that has run for a while.
  for (let warmUp = 0; warmUp < 20; warmUp++) fullBus(5_000).bus.cursorBefore(parseSnapshot('7:5001:7'))
  const { bus, cursors } = fullBus()
  const { bus: fullLog } = fullBus()
  // Nobody has asked yet; one transaction has run since long ago.
  const isVisible = parseSnapshot(`7:${PUBLISHED + 1}:7`)
  const firstMicros = blockedMicros(() => bus.cursorBefore(isVisible))
  const walk = parseSnapshot(`7:${PUBLISHED + 1}:7`)
  const walkMicros = blockedMicros(() => fullLog.cursorBefore(seeing((xid) => walk(xid))))
  const nextMicros = blockedMicros(() => bus.cursorBefore(isVisible))
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const before = process.cpuUsage()
  const startedMs = performance.now()
  const comeBack = async (client: number) => {
    if (bus.cursorBefore(isVisible) === null) throw new Error('It gave no cursor.')
    const away = Math.ceil((missed * (client + 1)) / clients)
    const changes = bus.subscribe({ model: 'Order', after: cursors.at(-1 - away) as string })
    for (let count = 0; count < away; count += 1) await changes.next()
    await changes.return()
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => comeBack(client)))
  const ms = performance.now() - startedMs
  delays.disable()
  const { user, system } = process.cpuUsage(before)
  return {
    firstMicros,
    nextMicros,
    walkMicros,
    ms,
    pauseMs: delays.max / 1e6,
    cpuMicros: (user + system) / clients,
  }
}

export const commands = { storm }
