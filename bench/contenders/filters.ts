/** The bus with many filtered subscriptions: what a change costs when one of them matches. */
import { parseChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { createTransactionAssembler } from '../../src/changes/assembler.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { ORDER, ORDERS_CATALOG } from '../orders.ts'
import { measureCpu, readMessages } from './decode.ts'

/** How many subscriptions, on the keys 1, 2, 3, …; the captured inserts have them, too. */
interface FilterRequest {
  readonly file: string
  readonly subscriptions: number
}

const PUBLISHED = 40_000
/** As a source would: what one turn may offer has a bound, and what is beyond it waits in the log. */
const PUBLISHED_A_TURN = 4_000
/** First byte of the message. */
const INSERT = 'I'.charCodeAt(0)
const EPOCH = { systemId: '1', timeline: 1 }
const bus = createMemoryBus({ models: ORDERS_CATALOG.models })
let matches = 0

async function listen(id: number): Promise<void> {
  const filter = parseChangeFilter(ORDER, ORDERS_CATALOG, { where: { id } })
  for await (const { change } of bus.subscribe({ model: 'Order', filter }))
    if (change.key !== null) matches += 1
}

/**
 * Transactions of one change each, on the keys that are subscribed to, in turns: captured bytes are parts of one. Every
 * one is new: a change that was published before would have its key decoded already, the more often the fewer there are.
 */
function partsOf({ file, subscriptions }: FilterRequest): TransactionPart[] {
  const parts: TransactionPart[] = []
  const registry = createRelationRegistry({ catalog: ORDERS_CATALOG, models: [ORDER] })
  const assembler = createTransactionAssembler(registry)
  assembler.reset(EPOCH)
  const take = (bytes: Buffer): void => {
    for (const event of assembler.accept(decodeMessage(bytes, 0, bytes.length), bytes.length)) {
      if (event.kind === 'drift') throw event.drift
      if (event.kind !== 'part') continue
      const { transaction, changes } = event.part
      for (const change of changes)
        parts.push({ transaction, changes: [change], isFinal: true, byteLength: 300 })
      assembler.handedOn(event)
    }
  }
  const messages = readMessages(file)
  const isInsert = (bytes: Buffer) => bytes[0] === INSERT
  const inserts = messages.filter(isInsert).slice(0, subscriptions)
  // The relation and what begins the transaction; it never ends.
  for (const bytes of messages.slice(0, messages.findIndex(isInsert))) take(bytes)
  for (let n = 0; n < PUBLISHED; n++) take(inserts[n % inserts.length] as Buffer)
  return parts
}

function subscribe({ subscriptions }: FilterRequest): void {
  bus.open({ ...EPOCH, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  for (let id = 1; id <= subscriptions; id++) void listen(id)
}

async function publish(request: FilterRequest) {
  const parts = partsOf(request)
  const before = matches
  let cpuMicros = 0
  for (let first = 0; first < parts.length; first += PUBLISHED_A_TURN) {
    const turn = parts.slice(first, first + PUBLISHED_A_TURN)
    cpuMicros += measureCpu(() => {
      for (const part of turn) bus.publish(part)
      return turn.length
    }).cpuMicros
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { cpuMicros, changes: parts.length, matches: matches - before }
}

export const commands = { subscribe, publish }
