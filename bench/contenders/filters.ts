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

const EPOCH = { systemId: '1', timeline: 1 }
const bus = createMemoryBus({ models: ORDERS_CATALOG.models })
let matches = 0

async function listen(id: number): Promise<void> {
  const filter = parseChangeFilter(ORDER, ORDERS_CATALOG, { where: { id } })
  for await (const { change } of bus.subscribe({ model: 'Order', filter }))
    if (change.key !== null) matches += 1
}

/** Transactions of one change each: captured bytes are parts of one. */
function partsOf(file: string): TransactionPart[] {
  const parts: TransactionPart[] = []
  const registry = createRelationRegistry({ catalog: ORDERS_CATALOG, models: [ORDER] })
  const assembler = createTransactionAssembler(registry, {
    publish({ transaction, changes }) {
      for (const change of changes)
        parts.push({ transaction, changes: [change], isFinal: true, byteLength: 300 })
    },
    onCommit() {},
    onBegin() {},
    onDrift(_model, drift) {
      throw drift
    },
  })
  assembler.reset(EPOCH)
  for (const bytes of readMessages(file)) assembler.take(decodeMessage(bytes, 0, bytes.length), bytes.length)
  return parts
}

function subscribe({ subscriptions }: FilterRequest): void {
  bus.open({ ...EPOCH, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
  for (let id = 1; id <= subscriptions; id++) void listen(id)
}

async function publish({ file, subscriptions }: FilterRequest) {
  const parts = partsOf(file).slice(0, subscriptions)
  const before = matches
  const answer = measureCpu(() => {
    for (let n = 0; n < PUBLISHED; n++) bus.publish(parts[n % parts.length] as TransactionPart)
    return PUBLISHED
  })
  await new Promise((resolve) => setImmediate(resolve))
  return { ...answer, matches: matches - before }
}

const PUBLISHED = 20_000

export const commands = { subscribe, publish }
