/** Subscriptions that follow relations, at a bus without a database. */

import { expect, it } from 'vitest'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { ALWAYS } from '../../src/bus/filter/condition.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import { Account } from '../../src/bus/holdings.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { formatCursor, INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import type { Rights } from '../../src/sets/rights.ts'
import { SetsBus } from '../../src/sets/sets-bus.ts'
import { StreamFollower } from '../../src/sets/stream-follower.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { LSN_ZERO, toLsn } from '../../src/wire/lsn.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { heldRows } from '../support/held-rows.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const model = buildModel([buildField('id', 'Int')])
const catalog: ModelCatalog = { formatVersion: 1, models: { Thing: model }, enums: {}, joinTables: [] }
const START = {
  ...PLAIN_ORIGIN,
  isFirst: true,
  floorLsn: toLsn(10n),
  serverLsn: toLsn(100n),
  mayRecall: true,
}
const LOST = new RowcastError('RESYNC_REQUIRED', 'Changes are missing.')
const cursorAt = (commit: number) => formatCursor(PLAIN_ORIGIN, toLsn(BigInt(commit)), INDEX_AFTER_ALL)

function openBus() {
  const guard = createGuard(silentLogger)
  const bus = createMemoryBus({ guard })
  const follower = new StreamFollower({
    ...{ bus, look: async () => SEES_ALL, monotonicMs: () => 0, wait: async () => {} },
  })
  const reading = { readRows: async () => [], whenVisible: async () => {}, ...heldRows() }
  const sets = new SetsBus({ bus, follower, guard, reading })
  sets.open(START)
  const filter = createChangeFilter({ where: parseWhere(model, catalog, { id: { gt: 0 } }) })
  if (filter === null) throw new Error('There is no filter.')
  const subscribe = (after?: string, rights?: Rights, setModels: ReadonlySet<string> = new Set()) => {
    const taken: string[] = []
    const subscription = sets.subscribeRelated({
      ...{ model, filter, setModels, after, rights, asksForRows: true },
    })
    const end = (async () => {
      for await (const event of subscription)
        if (event.kind === 'written') taken.push(String(event.change.new?.['id']))
    })().then(
      () => null,
      (error: unknown) => error,
    )
    return { taken, end, subscription }
  }
  return { sets, filter, subscribe }
}

const publish = (sets: SetsBus, commit: number, model = 'Thing') => {
  const transaction = plainTransaction(commit)
  const row = { id: commit }
  const change = plainChange({ ...{ model, action: 'INSERT', transaction }, new: row, key: row })
  sets.publish({ transaction, changes: [change], isFinal: true, byteLength: 0 })
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

it('a cursor of the process before is given nothing until it is known whether something is missing', async () => {
  const { sets, subscribe } = openBus()
  const [good, bad] = [subscribe(cursorAt(20)), subscribe(cursorAt(20))]
  publish(sets, 30)
  await settled()
  expect(good.taken).toEqual([])
  await bad.subscription.return()
  expect(await bad.end).toBe(null)
  sets.lastChanges.endRecall()
  publish(sets, 40)
  await settled()
  expect(good.taken).toEqual(['30', '40'])
})

it('counts included relations for the budgets of filters, by the columns they are looked up by', () => {
  const { sets, filter } = openBus()
  const account = new Account({ filterCostMax: filter.cost + 2 })
  const related = { model, fields: ['thingId'], domains: [] }
  const include = { name: 'parts', filter: null, fields: ['id'], domains: [], related }
  const open = (count: number) =>
    sets.subscribeRelated({
      ...{ model, filter, account, setModels: new Set<string>(), asksForRows: true },
      include: Array<typeof include>(count).fill(include),
    })
  expect(() => open(3)).toThrow('FILTER_TOO_COSTLY')
  void open(2).return()
})

it('ends with what is missing, and nothing that came after it was given', async () => {
  const { sets, subscribe } = openBus()
  const waiting = subscribe(cursorAt(20))
  publish(sets, 30)
  await settled()
  sets.cut('Thing', { position: null, cleanFrom: LSN_ZERO, error: LOST })
  sets.lastChanges.endRecall()
  expect(await waiting.end).toBe(LOST)
  expect(waiting.taken).toEqual([])
  const late = subscribe(cursorAt(20))
  expect(await late.end).toMatchObject({ code: 'RESYNC_REQUIRED' })
})

it('a cursor from before the log goes on where the process before knew that nothing was missed', async () => {
  const { sets, subscribe } = openBus()
  const waiting = subscribe(cursorAt(5))
  publish(sets, 30)
  const models = new Map([['Thing', { commitLsn: toLsn(3n), index: INDEX_AFTER_ALL }]])
  sets.lastChanges.recall({ origin: PLAIN_ORIGIN, upTo: toLsn(10n), models })
  sets.lastChanges.endRecall()
  await settled()
  expect(waiting.taken).toEqual(['30'])
})

it('rights that depend on rows of its own model, as the catalog of the schema has it', async () => {
  const { sets, filter, subscribe } = openBus()
  const dependency = { model: { ...model }, condition: parseWhere(model, catalog, { id: 7 }) }
  const waiting = subscribe(undefined, { dependencies: [dependency, dependency], ask: async () => filter })
  await settled()
  publish(sets, 110)
  await settled()
  publish(sets, 120)
  await settled()
  expect(waiting.taken).toEqual(['110', '120'])
  await waiting.subscription.return()
  expect(await waiting.end).toBe(null)
})

it.each([
  ['waits for the next answer where nothing is to be judged', new Set<string>()],
  ['ends where its conditions ask rows of that model', new Set(['Limit'])],
])('a right that is written once more before it is known: %s', async (_, setModels) => {
  const { sets, filter, subscribe } = openBus()
  const limit = buildModel([buildField('id', 'Int')], { name: 'Limit' })
  const dependency = { model: limit, condition: ALWAYS }
  const asked: (() => void)[] = []
  const ask = () => new Promise<typeof filter>((resolve) => asked.push(() => resolve(filter)))
  const waiting = subscribe(undefined, { dependencies: [dependency], ask }, setModels)
  const answer = async () => {
    await settled()
    asked.shift()?.()
    await settled()
  }
  await answer()
  publish(sets, 110, 'Limit')
  await settled()
  publish(sets, 120, 'Limit')
  await answer()
  await answer()
  publish(sets, 130)
  await settled()
  const mayWait = setModels.size === 0
  expect(waiting.taken).toEqual(mayWait ? ['130'] : [])
  await waiting.subscription.return()
  const end = await waiting.end
  if (mayWait) expect(end).toBe(null)
  else expect(end).toMatchObject({ code: 'RESYNC_REQUIRED' })
})
