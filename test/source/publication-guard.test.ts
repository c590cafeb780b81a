/** What becomes of a gap that is found, where the database does not take the barrier. */
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { AFTER_EARLIEST, type BusSubscription, type Delivery } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import type { EmittedMessage } from '../../src/changes/emitted-message.ts'
import { RowcastError } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import type { RunQuery } from '../../src/source/db/run-query.ts'
import { barrierSql, parseBarrier } from '../../src/source/published/barrier-message.ts'
import type { PublishedTable } from '../../src/source/published/published-tables.ts'
import type { FoundTable } from '../../src/source/setup/model-tables.ts'
import { ConfirmCeiling } from '../../src/source/slot/confirm-ceiling.ts'
import { PublicationGuard } from '../../src/source/watch/publication-guard.ts'
import { LSN_ZERO, toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const published: PublishedTable = {
  ...{ oid: 1, evidence: 'before', fileNode: 1, toastOid: 7, parts: [], rewriteMeans: 'nothing' },
}
const found = (evidence: string): readonly FoundTable[] => [
  {
    ...{ model: 'Tag', schema: 'public', table: 'Tag', doesExist: true, isPublished: true },
    ...{ unpublishedColumns: [], isOlderThanSlot: true, published: { ...published, evidence } },
  },
]

const STARTED = { writers: { byModel: new Map(), lsn: LSN_ZERO }, known: 'own' as const, isFresh: true }

/** A guard that knows the first state, and how often it has cut the model. */
function openGuard(ceiling = new ConfirmCeiling(), logger = silentLogger, before: readonly string[] = []) {
  const standings: string[] = []
  const cuts: string[] = []
  const evidence: string[] = []
  /** How far the stream is read. */
  const read = { upTo: toLsn(20n) }
  const guard = new PublicationGuard({
    registry: createRelationRegistry({ catalog, models: [catalog.models.Tag] }),
    ...{ publication: 'rowcast', slot: 'rowcast', logger, ceiling },
    reachedNow: () => read.upTo,
    lastChanges: (models) => ({
      ...{ origin: { systemId: '1', timeline: 1 }, ...read },
      models: new Map(models.map((model) => [model, { commitLsn: toLsn(10n), index: 0 }])),
    }),
    listener: {
      ...{ onDrift() {}, onRecovery() {}, onProgress() {} },
      onTables: (tables) => standings.push(...tables.map(({ standing }) => standing)),
      onEvidence: () => evidence.push('look'),
      onCut: (model) => cuts.push(model),
    },
  })
  guard.begin({ ...STARTED, found: found('before') })
  for (const text of before) guard.takeMessage(messageOf(text))
  guard.noteProgress(false)
  return { guard, cuts, evidence, read, standings }
}

/** The message that a barrier's statement becomes in the stream. */
function messageOf(text: string, lsn = toLsn(15n)): EmittedMessage {
  const origin = { systemId: '1', timeline: 1 }
  const transaction = { xid: 1, commitLsn: lsn, committedAt: new Date(0), origin, metadata: null }
  const content = new TextEncoder().encode(/'(\{.*\})'/.exec(text)?.[1] ?? '')
  return { prefix: 'rowcast', content, lsn, transaction, index: 0 }
}

/** A database that refuses the barrier with these, one after the other. */
function createDatabase(...sqlstates: string[]) {
  const taken: string[] = []
  const query = (async (text: string) => {
    if (!text.includes('pg_logical_emit_message')) return []
    const sqlstate = sqlstates.shift()
    if (sqlstate !== undefined)
      throw new RowcastError('SOURCE_SQL_FAILED', 'Refused.', { details: { sqlstate } })
    taken.push(text)
    return []
  }) as RunQuery
  return { query, taken }
}

it.each(['57P01', '53200', '40001', '08006', '25P03'])(
  'a barrier that a server in trouble (%s) has not taken is written again',
  async (sqlstate) => {
    const { guard, cuts } = openGuard()
    const { query, taken } = createDatabase(sqlstate)
    guard.look(found('after'), LSN_ZERO)
    await expect(guard.settle(query)).rejects.toThrow('Refused.')
    // A restart would know nothing of the gap.
    expect([cuts, taken.length]).toEqual([[], 0])
    await guard.settle(query)
    expect(taken.length).toBe(1)
  },
)

it.each(['25006', '42501', '42883'])(
  'a server that never takes one (%s) holds up nobody',
  async (sqlstate) => {
    const { guard, cuts } = openGuard()
    guard.look(found('after'), LSN_ZERO)
    expect(await guard.settle(createDatabase(sqlstate).query)).toBe(false)
    expect(cuts).toEqual(['Tag'])
  },
)

it('a server that is known to take none is not asked; once it may be, it is', async () => {
  const { guard, cuts } = openGuard()
  const { query, taken } = createDatabase()
  guard.look(found('after'), LSN_ZERO)
  expect(await guard.settle(query, false)).toBe(false)
  expect([cuts, taken]).toEqual([['Tag'], []])
  guard.look(found('once more'), LSN_ZERO)
  await guard.settle(query, true)
  expect(taken).toHaveLength(1)
})

it('a gap that is written nowhere is over where the stream has come to its end, and not before', async () => {
  const { guard, cuts, read } = openGuard()
  const query = (async (text: string) => (text.includes('AS lsn') ? [{ lsn: '0/100' }] : [])) as RunQuery
  guard.look(found('after'), LSN_ZERO)
  // A standby that lags, or a long backlog: the rows of the gap are still to come.
  expect(await guard.settle(query, false)).toBe(true)
  expect(cuts).toEqual([])
  // Of another stream it is due again.
  guard.begin({ ...STARTED, found: found('after') })
  expect(await guard.settle(query, false)).toBe(true)
  expect(cuts).toEqual([])
  read.upTo = toLsn(0x100n)
  expect(await guard.settle(query, false)).toBe(false)
  expect(cuts).toEqual(['Tag'])
})

it('a gap that a server refuses to write down is reported once and cut once, however often it is looked at before it is read', async () => {
  const lines: string[] = []
  const logger = { ...silentLogger, warn: (line: string) => lines.push(line) }
  const { guard, cuts, read } = openGuard(undefined, logger)
  const { query } = createDatabase(...Array.from({ length: 5 }, () => '42501'))
  const behind = (async (text: string) =>
    text.includes('AS lsn') ? [{ lsn: '0/100' }] : query(text)) as RunQuery
  guard.look(found('after'), LSN_ZERO)
  for (let look = 0; look < 3; look += 1) expect(await guard.settle(behind)).toBe(true)
  read.upTo = toLsn(0x100n)
  for (let look = 0; look < 2; look += 1) expect(await guard.settle(behind)).toBe(false)
  expect([lines.filter((line) => line.includes('A gap')).length, cuts]).toEqual([1, ['Tag']])
})

it('a barrier that its readers would not take is not written: the process knows of the gap, and says so once', async () => {
  const lines: string[] = []
  const logger = { ...silentLogger, warn: (line: string) => lines.push(line) }
  const { guard, cuts } = openGuard(undefined, logger)
  const { query, taken } = createDatabase()
  // As large as a hundred thousand partitions make it.
  guard.look(found('x'.repeat(5 * 1024 * 1024)), LSN_ZERO)
  for (let look = 0; look < 3; look += 1) expect(await guard.settle(query)).toBe(false)
  expect([lines.filter((line) => line.includes('A gap')).length, cuts, taken]).toEqual([1, ['Tag'], []])
  // The slot is moved by a message that says nothing.
  await guard.beat(query)
  expect(taken.map((text) => text.length < 200)).toEqual([true])
})

it('a barrier that the stream brings before its statement has an answer is renewed later all the same', async () => {
  const ceiling = new ConfirmCeiling()
  const { guard, read } = openGuard(ceiling)
  read.upTo = toLsn(999_000n)
  const written: string[] = []
  const query = (async (text: string) => {
    if (!text.includes('pg_logical_emit_message')) return []
    written.push(text)
    guard.takeMessage(messageOf(text, toLsn(BigInt(written.length) * 1_000_000n)))
    return []
  }) as RunQuery
  for (const safe of [1_000_100n, 1_900_000n]) {
    await guard.settle(query)
    ceiling.apply(toLsn(safe), toLsn(safe))
  }
  await guard.settle(query)
  expect(written.length).toBe(2)
})

it('says nothing of where models changed last that this process does not have, though the one before it had them', async () => {
  const known = [{ ...published, evidence: 'before' }]
  const before = { cut: [], cleanFrom: LSN_ZERO }
  const both = new Map([
    ['Tag', known],
    ['Post', [{ ...published, oid: 2 }]],
  ])
  const { guard } = openGuard(undefined, undefined, [barrierSql({ ...before, published: both }, 'rowcast')])
  const { query, taken } = createDatabase()
  await guard.beat(query)
  const written = parseBarrier(messageOf(taken[0] ?? ''), 'rowcast')
  // What is published of it is as known as before; its changes have come to nobody here.
  expect([...(written?.published.keys() ?? [])]).toEqual(['Tag', 'Post'])
  expect([...(written?.lasts?.models.keys() ?? [])]).toEqual(['Tag'])
})

it('compares looks again where a stream begins behind a process that knew no model to be complete', async () => {
  const { guard } = openGuard()
  const known = { verified: new Map(), models: new Set<string>() }
  const writers = { byModel: new Map(), lsn: LSN_ZERO }
  guard.begin({ found: found('before'), writers, known, isFresh: false })
  guard.noteProgress(false)
  const { query, taken } = createDatabase()
  guard.look(found('after'), LSN_ZERO)
  await guard.settle(query)
  expect(taken).toHaveLength(1)
})

const NOTHING_OPEN = { byModel: new Map(), lsn: LSN_ZERO }
const ALL_KNOWN = {
  verified: new Map([['Tag', [{ ...published, evidence: 'before' }]]]),
  models: new Set(['Tag']),
}

it.each([
  ['nothing', null],
  ['that it had the model', { verified: new Map<string, never>(), models: new Set(['Tag']) }],
])(
  'where the stream begins is known %s: nothing is verified before the first look behind all barriers, which cuts',
  async (_, known) => {
    const { guard, standings } = openGuard()
    const { query, taken } = createDatabase()
    for (let ended = 0; ended < 2; ended += 1) {
      standings.length = 0
      const now = found('before').map((each) => ({ ...each, isOlderThanSlot: false }))
      guard.begin({ found: now, writers: NOTHING_OPEN, known, isFresh: false })
      const barrier = { published: ALL_KNOWN.verified, cut: [], cleanFrom: LSN_ZERO }
      if (ended === 0) guard.takeMessage(messageOf(barrierSql(barrier, 'rowcast')))
      // It ends before it has come to the end of the barriers.
      expect(new Set(standings)).toEqual(new Set(['unknown']))
    }
    guard.noteProgress(false)
    await guard.settle(query)
    expect(taken.map((text) => text.includes('"cut":["Tag"]'))).toEqual([true])
  },
)

it('where what was published there is known, this process goes on without a gap', async () => {
  const { guard, standings } = openGuard()
  const { query, taken } = createDatabase()
  guard.begin({ found: found('before'), writers: NOTHING_OPEN, known: ALL_KNOWN, isFresh: false })
  expect(standings.at(-1)).toBe('verified')
  guard.noteProgress(false)
  await guard.settle(query)
  expect(taken.filter((text) => text.includes('"cut":["Tag"]'))).toEqual([])
})

it('is a process that has just come where the stream brings again what it has read: rows of a table that was replaced since are no gap', async () => {
  const { guard, cuts, evidence } = openGuard()
  const { query, taken } = createDatabase()
  guard.look(found('after'), LSN_ZERO)
  await guard.settle(query)
  const swapped = { ...published, oid: 2, evidence: 'after' }
  const barrier = { published: new Map([['Tag', [swapped]]]), cut: ['Tag'], cleanFrom: LSN_ZERO }
  guard.takeMessage(messageOf(barrierSql(barrier, 'rowcast')))
  evidence.length = 0
  const writers = { byModel: new Map(), lsn: LSN_ZERO }
  const now = found('after').map((each) => ({ ...each, published: swapped, isOlderThanSlot: false }))
  guard.begin({ found: now, writers, known: 'own' as const, isFresh: true, isRewound: true })
  guard.seeTable('Tag', published.oid)
  expect(evidence).toEqual([])
  guard.takeMessage(messageOf(barrierSql(barrier, 'rowcast')))
  guard.noteProgress(false)
  await guard.settle(query)
  // One for the change, and one each time that the barrier passes; none was written for it again.
  expect([cuts, taken.length]).toEqual([['Tag', 'Tag'], 1])
})

it('looks as soon as rows come from a table that is not the known one, once', () => {
  const { guard, evidence } = openGuard()
  evidence.length = 0
  guard.seeTable('Tag', published.oid)
  expect(evidence).toEqual([])
  guard.seeTable('Tag', 99)
  guard.seeTable('Tag', 99)
  expect(evidence).toEqual(['look'])
})

it('says for how many transactions a model waits once, however often it looks', async () => {
  const lines: string[] = []
  const logger = { ...silentLogger, info: (line: string) => lines.push(line) }
  const { guard } = openGuard(new ConfirmCeiling(), logger)
  const query = (async () => [{ model: 'Tag', writer: '3/1', lsn: '0/10' }]) as RunQuery
  guard.look(found('after'), LSN_ZERO)
  for (let look = 0; look < 5; look += 1) await guard.settle(query)
  expect(lines.filter((line) => line.includes('open transactions'))).toHaveLength(1)
})

it.each([
  ['as the process before this one left them', 'before', [1, 2], null],
  ['otherwise', 'after', [], 'RESYNC_REQUIRED'],
])(
  'who comes with a cursor of before gets nothing until it is known how the tables stood then, and who wants all there is is ended by that: %s',
  async (_title, now, got, code) => {
    const bus = createMemoryBus({ models: { Tag: catalog.models.Tag } })
    const guard = new PublicationGuard({
      registry: createRelationRegistry({ catalog, models: [catalog.models.Tag] }),
      ...{ publication: 'rowcast', slot: 'rowcast', logger: silentLogger },
      listener: {
        ...{ onDrift() {}, onRecovery() {}, onTables() {}, onProgress() {}, onEvidence() {} },
        ...{ onCut: (model, cut) => bus.cut(model, cut), lastChanges: bus.lastChanges },
      },
    })
    bus.open({ ...PLAIN_ORIGIN, isFirst: true, mayRecall: true, floorLsn: toLsn(10n), serverLsn: toLsn(90n) })
    guard.begin({
      ...{ found: found(now), known: 'own' as const, isFresh: true },
      // Somebody still writes to the table, for hours.
      writers: { byModel: new Map([['Tag', new Set(['1/1'])]]), lsn: toLsn(90n) },
    })
    const earlier = bus.subscribe({ model: 'Tag', actions: [], filter: null, after: cursorAt(10) })
    const subscribeAll = () =>
      bus.subscribe({ model: 'Tag', actions: [], filter: null, after: AFTER_EARLIEST })
    const everything = subscribeAll()
    const live = bus.subscribe({ model: 'Tag', actions: [], filter: null })
    const knew = {
      published: new Map([['Tag', [{ ...published, evidence: 'before' }]]]),
      ...{ cut: [], cleanFrom: LSN_ZERO },
    }
    guard.takeMessage(messageOf(barrierSql(knew, 'rowcast')))
    const publish = (id: number): void => {
      const transaction = plainTransaction(10 + id * 10)
      const changes = [plainChange({ model: 'Tag', transaction, new: { id } })]
      bus.publish({ transaction, changes, isFinal: true, byteLength: 0 })
    }
    publish(1)
    publish(2)
    expect(earlier.pull?.take()).toBeUndefined()
    // Who wants all there is has nothing that what comes could contradict, and reads while the backlog does.
    const first = await everything.next()
    expect(first).toMatchObject({ value: { change: { new: { id: 1 } } } })
    guard.noteProgress(false)
    expect(await idsOf(earlier)).toEqual({ got, code })
    expect(await idsOf(everything)).toEqual({ got: [2], code })
    // What it was given is no cursor to go on after, across the gap; all there is begins behind it.
    const after = (first.value as Delivery).change.cursor
    const again = bus.subscribe({ model: 'Tag', actions: [], filter: null, after })
    expect(await idsOf(again)).toEqual(code === null ? { got: [2], code } : { got: [], code })
    const behind = subscribeAll()
    publish(3)
    expect(await idsOf(behind)).toEqual({ got: [...got, 3], code: null })
    expect(live.pull?.isEnded).toBe(false)
    bus.close()
  },
)

it('who comes with a cursor of before waits for nobody whose end fails, and goes past no gap for it', async () => {
  const { Tag, User } = catalog.models
  const bus = createMemoryBus({ models: { Tag, User } })
  let failures = 0
  const fail = (): void => {
    failures += 1
    throw new Error('of a socket')
  }
  const guard = new PublicationGuard({
    registry: createRelationRegistry({ catalog, models: [Tag, User] }),
    ...{ publication: 'rowcast', slot: 'rowcast', logger: silentLogger },
    listener: {
      ...{ onDrift() {}, onRecovery() {}, onTables() {}, onProgress() {}, onEvidence() {} },
      onCut(model, cut) {
        bus.cut(model, cut)
        fail()
      },
      lastChanges: bus.lastChanges,
    },
  })
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, mayRecall: true, floorLsn: toLsn(10n), serverLsn: toLsn(90n) })
  const both = ['Tag', 'User'].flatMap((model) => found('after').map((table) => ({ ...table, model })))
  guard.begin({
    ...{ found: both, known: 'own' as const, isFresh: true },
    writers: { byModel: new Map(['Tag', 'User'].map((model) => [model, new Set(['1/1'])])), lsn: toLsn(90n) },
  })
  const tables = [{ ...published, evidence: 'before' }]
  const knew = {
    published: new Map([
      ['Tag', tables],
      ['User', tables],
    ]),
    ...{ cut: [], cleanFrom: LSN_ZERO },
  }
  guard.takeMessage(messageOf(barrierSql(knew, 'rowcast')))
  const waiting = ['Tag', 'User'].map((model) =>
    bus.subscribe({ model, actions: [], filter: null, after: cursorAt(10) }),
  )
  bus.passed(toLsn(90n))
  expect(() => guard.noteProgress(false)).toThrow('of a socket')
  expect(failures).toBe(2)
  for (const subscription of waiting)
    expect(await idsOf(subscription)).toEqual({ got: [], code: 'RESYNC_REQUIRED' })
})

const cursorAt = (lsn: number): string => formatCursor(PLAIN_ORIGIN, toLsn(BigInt(lsn)), 0)

/** What a subscription gets in the next turns, and the code it ends with. */
async function idsOf(subscription: BusSubscription): Promise<{ got: unknown[]; code: string | null }> {
  const { pull } = subscription
  const got: unknown[] = []
  for (let turns = 0; turns < 5; turns += 1) {
    for (let delivery = pull?.take(); delivery !== undefined; delivery = pull?.take())
      got.push(delivery.change.new?.['id'])
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (pull?.isEnded !== true) return { got, code: null }
  const code = await subscription.next().then(
    () => null,
    (error: unknown) => (error instanceof RowcastError ? error.code : String(error)),
  )
  return { got, code }
}
