/** What each engine of a broker has to do. A new one is a row in test/support/broker-engines.ts. */
import { Buffer } from 'node:buffer'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EntryId, formatEntryId } from '../../src/broker/entry-id.ts'
import type { EntryLog, LogWrite, RawEntry } from '../../src/broker/entry-log.ts'
import { LSN_ZERO, toLsn } from '../../src/wire/lsn.ts'
import { TESTED_ENGINES, type TestBroker } from '../support/broker-engines.ts'

const STREAM = 'stream'
const MARKS = 'marks'
const WRITER = 'writer'

const idOf = (lsn: number, sequence = 0): EntryId => ({ lsn: toLsn(BigInt(lsn)), sequence })
const ZERO: EntryId = { lsn: LSN_ZERO, sequence: 0 }

function entryAt(lsn: number, beside: string | null = null): LogWrite {
  return { kind: 'entry', stream: STREAM, id: idOf(lsn), payload: Buffer.from(`of ${lsn}`), beside }
}

const FLOOR: LogWrite = { kind: 'floor', stream: STREAM, id: idOf(10) }
const takenBy = (text: string): LogWrite => ({ kind: 'text', name: WRITER, text })
const markOf = (text: string): LogWrite => ({ kind: 'mark', stream: MARKS, text })

/** Writes as the tap whose stream it is. */
async function commit(log: EntryLog, ...writes: readonly LogWrite[]) {
  const writer = log.openWriter(WRITER, 'tap')
  await writer.ready()
  return writer.commit(STREAM, writes)
}

const idsOf = (entries: readonly RawEntry[]) => entries.map(({ id }) => formatEntryId(id))
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing thrown',
    (error: { readonly code?: unknown }) => error.code,
  )

describe.each(TESTED_ENGINES)('a log in $name', ({ start }) => {
  let broker: TestBroker
  beforeAll(async () => {
    broker = await start()
  })
  afterAll(() => broker[Symbol.asyncDispose]())

  /** A stream that a tap has begun and taken. */
  async function begin() {
    await broker.flush()
    await broker.write(FLOOR, takenBy('tap'))
    const log = await broker.open('tap')
    return { broker, log, [Symbol.dispose]: () => log.destroy() }
  }

  it('gives entries back as they were, in their order, from wherever it is asked', async () => {
    using begun = await begin()
    const { log } = begun
    expect(await commit(log, entryAt(20, 'lasts'), entryAt(30), entryAt(40))).toEqual({
      kind: 'accepted',
      refused: new Set(),
    })
    const all = await log.readEntries(STREAM, {})
    expect(idsOf(all)).toEqual(['10-0', '20-0', '30-0', '40-0'])
    expect(all.map(({ field, value, beside }) => [field, value.toString(), beside])).toEqual([
      ['floor', '', null],
      ['b', 'of 20', 'lasts'],
      ['b', 'of 30', null],
      ['b', 'of 40', null],
    ])
    expect(idsOf(await log.readEntries(STREAM, { after: idOf(20), count: 1 }))).toEqual(['30-0'])
    expect(idsOf(await log.readEntries(STREAM, { from: idOf(20) }))).toEqual(['20-0', '30-0', '40-0'])
    expect(idsOf(await log.readBackwards(STREAM, null, 2))).toEqual(['40-0', '30-0'])
    expect(idsOf(await log.readBackwards(STREAM, idOf(20), 5))).toEqual(['10-0'])
    expect(await log.countEntries(STREAM)).toBe(4)
    expect(await log.measureEntries(STREAM)).toBeGreaterThan(15)
  })

  it('refuses an entry that is not behind all that the stream has had, also what is gone, and takes the rest', async () => {
    using begun = await begin()
    const { broker, log } = begun
    await commit(log, entryAt(20), entryAt(30))
    await broker.trim(STREAM, null)
    const late = entryAt(25) as Extract<LogWrite, { kind: 'entry' }>
    const committed = await commit(log, late, entryAt(40), markOf('of 40'))
    expect(committed).toEqual({ kind: 'accepted', refused: new Set([late.id]) })
    expect(idsOf(await log.readEntries(STREAM, {}))).toEqual(['40-0'])
    expect(formatEntryId(await log.readNewestId(STREAM))).toBe('40-0')
  })

  it('takes no entry for a stream that is gone', async () => {
    using begun = await begin()
    await begun.broker.drop(STREAM)
    expect(await commit(begun.log, entryAt(20))).toEqual({ kind: 'lost' })
    expect(await begun.log.has(STREAM)).toBe(false)
  })

  it('takes nothing of a batch of whom somebody else has taken the stream from, and distinguishes a flush', async () => {
    using begun = await begin()
    const { broker, log } = begun
    const writer = log.openWriter(WRITER, 'tap')
    await writer.ready()
    await broker.write(takenBy('another'))
    const writes = [entryAt(20), { kind: 'text', name: 'text', text: 'x' }, markOf('m')] as const
    expect(await writer.commit(STREAM, writes)).toEqual({ kind: 'contested' })
    expect(idsOf(await log.readEntries(STREAM, {}))).toEqual(['10-0'])
    expect([await log.has('text'), await log.has(MARKS)]).toEqual([false, false])
    expect(await codeOf(writer.ready())).toBe('BROKER_STREAM_CONTESTED')
    await broker.write(takenBy('tap'))
    const next = log.openWriter(WRITER, 'tap')
    await next.ready()
    await broker.flush()
    expect(await next.commit(STREAM, writes)).toEqual({ kind: 'lost' })
    expect(await codeOf(log.openWriter(WRITER, 'tap').ready())).toBe('BROKER_STREAM_LOST')
  })

  it('writes what was decided by a look unless that has changed meanwhile', async () => {
    using begun = await begin()
    const { broker, log } = begun
    const text = (value: string): LogWrite => ({ kind: 'text', name: 'seen', text: value })
    expect(await log.update(['seen'], async () => [text('first')])).toBe(true)
    const late = log.update(['other', 'seen'], async () => {
      await broker.write(text('meanwhile'))
      return [text('late'), markOf('late')]
    })
    expect([await late, await log.readText('seen'), await log.has(MARKS)]).toEqual([
      false,
      'meanwhile',
      false,
    ])
    // What is no reason of the decision may change.
    const beside = log.update(['other'], async () => {
      await broker.write(text('beside'))
      return [markOf('written')]
    })
    expect([await beside, await log.readText('seen')]).toEqual([true, 'beside'])
    expect(await log.update(['seen'], async () => null)).toBe(true)
    const failing = log.update(['seen'], () => Promise.reject(new TypeError('of the decision')))
    await expect(failing).rejects.toThrow('of the decision')
    await broker.write(text('after'))
    expect(await log.update(['other'], async () => [text('last')])).toBe(true)
  })

  it('decides one thing after the other on one connection', async () => {
    using begun = await begin()
    const { broker, log } = begun
    const text = (value: string): LogWrite => ({ kind: 'text', name: 'seen', text: value })
    const [first, second] = await Promise.all([
      log.update(['seen'], async () => {
        await broker.write(text('meanwhile'))
        return [text('first')]
      }),
      log.update(['seen'], async () => [text(`after ${await log.readText('seen')}`)]),
    ])
    expect([first, second, await log.readText('seen')]).toEqual([false, true, 'after meanwhile'])
  })

  it('brings what follows, and the newest mark alone, as soon as it is there', async () => {
    using begun = await begin()
    const { log, broker } = begun
    const reader = await broker.open('reader')
    const position = { changes: STREAM, marks: MARKS, after: idOf(10), afterMark: ZERO }
    expect(await reader.follow(position, 8, 0)).toEqual({ entries: [], mark: null })
    const waiting = reader.follow(position, 8, 60_000)
    await commit(log, entryAt(20))
    expect(idsOf((await waiting).entries)).toEqual(['20-0'])
    await commit(log, markOf('old'), markOf('new'), entryAt(30), entryAt(40))
    const { entries, mark } = await reader.follow(position, 2, 0)
    expect([idsOf(entries), mark?.value.toString()]).toEqual([['20-0', '30-0'], 'new'])
    const known = { ...position, after: idOf(40), afterMark: mark?.id ?? ZERO }
    expect(await reader.follow(known, 8, 1)).toEqual({ entries: [], mark: null })
    // By the engine's clock, which orders them.
    expect(Number(mark?.id.lsn)).toBeGreaterThan((await log.readClockMs()) - 60_000)
    expect(Number(mark?.id.lsn)).toBeLessThanOrEqual(await log.readClockMs())
  })

  it('keeps texts and fields, and has nothing where nothing was written', async () => {
    using begun = await begin()
    const { log } = begun
    const fields = (...pairs: [string, string | Buffer][]): LogWrite => ({
      ...{ kind: 'fields', name: 'fields', fields: new Map(pairs) },
    })
    await commit(log, fields(['', '1'], ['a', Buffer.from([0, 255])]), fields(['b', 'é']))
    await commit(log, { kind: 'text', name: 'text', text: 'é' })
    expect(await log.readFields('fields', ['b', 'none', 'a'])).toEqual([
      Buffer.from('é'),
      null,
      Buffer.from([0, 255]),
    ])
    expect([...(await log.readAllFields('fields')).keys()].sort()).toEqual(['', 'a', 'b'])
    expect([await log.readText('text'), await log.measureText('text')]).toEqual(['é', 2])
    expect([await log.readText('none'), await log.measureText('none')]).toEqual([null, 0])
    expect([await log.readFields('none', ['a']), (await log.readAllFields('none')).size]).toEqual([[null], 0])
    expect([await log.readEntries('none', {}), await log.countEntries('none')]).toEqual([[], 0])
    expect(await log.measureEntries('none')).toBe(0)
  })

  it('lets go of what may go', async () => {
    using begun = await begin()
    const { log } = begun
    await commit(log, entryAt(20), entryAt(30), markOf('m'), { kind: 'text', name: 'text', text: 'x' })
    await commit(
      log,
      { kind: 'expire', name: 'text', seconds: 60 },
      { kind: 'expire', name: 'none', seconds: 60 },
    )
    // An engine may keep more than it must.
    await commit(log, { kind: 'trim', stream: STREAM, before: idOf(30) })
    await commit(log, { kind: 'shorten', stream: STREAM, count: 1 })
    expect(idsOf(await log.readEntries(STREAM, {})).at(-1)).toBe('30-0')
    expect(await log.has('text')).toBe(true)
    await commit(log, { kind: 'expire', name: 'text', seconds: 0 })
    expect(await log.has('text')).toBe(false)
  })

  it('ends a batch with a typed error where something of another kind is kept, whichever write it is', async () => {
    using begun = await begin()
    const { broker, log } = begun
    const strange: LogWrite = { kind: 'fields', name: 'strange', fields: new Map([['a', 'b']]) }
    const text: LogWrite = { kind: 'text', name: 'taken', text: 'x' }
    await broker.write(strange, text)
    const wrong: readonly LogWrite[] = [
      { kind: 'entry', stream: 'strange', id: idOf(20), payload: Buffer.alloc(1), beside: null },
      { kind: 'floor', stream: 'strange', id: idOf(20) },
      { kind: 'mark', stream: 'strange', text: 'm' },
      { kind: 'announcement', stream: 'strange', text: 'e' },
      { kind: 'fields', name: 'taken', fields: new Map([['a', 'b']]) },
      { kind: 'trim', stream: 'strange', before: idOf(20) },
      { kind: 'shorten', stream: 'strange', count: 1 },
    ]
    for (const write of wrong) {
      expect(await codeOf(commit(log, write, markOf('m'))), write.kind).toBe('BROKER_REFUSED')
      expect(await codeOf(log.update(['nothing'], async () => [write])), write.kind).toBe('BROKER_REFUSED')
    }
    const position = { changes: 'strange', marks: MARKS, after: ZERO, afterMark: ZERO }
    const reads = [
      log.readEntries('strange', {}),
      log.readBackwards('strange', null, 1),
      log.follow(position, 1, 0),
      log.readNewestId('strange'),
      log.countEntries('strange'),
      log.readText('strange'),
      log.measureText('strange'),
      log.readFields('taken', ['a']),
      log.readAllFields('taken'),
    ]
    for (const read of reads) expect(await codeOf(read)).toBe('BROKER_REFUSED')
    // The connection is as good as before.
    expect((await commit(log, entryAt(50))).kind).toBe('accepted')
  })

  it('answers nothing once it has ended, and says so once', async () => {
    using begun = await begin()
    const { broker } = begun
    let ends = 0
    const stopping = new AbortController()
    const log = await broker.engine.open({
      ...{ name: 'ending', signal: stopping.signal },
      onEnd: () => {
        ends += 1
      },
    })
    const position = { changes: STREAM, marks: MARKS, after: idOf(10), afterMark: ZERO }
    const waiting = codeOf(log.follow(position, 1, 60_000))
    stopping.abort()
    expect(await waiting).toBe('BROKER_LOST')
    expect(await codeOf(log.readText(WRITER))).toBe('BROKER_LOST')
    log.destroy()
    expect([log.isOpen, ends]).toEqual([false, 1])
    expect(await codeOf(broker.engine.open({ name: 'late', signal: stopping.signal }))).toBe(
      'BROKER_UNREACHABLE',
    )
  })

  it('can be written to, and counts the replicas that have what was written', async () => {
    using begun = await begin()
    await begun.log.checkWritable('probe', 'x')
    expect(await begun.log.countReplicas('probe', 0)).toBeGreaterThanOrEqual(0)
    expect(await begun.log.readEvictionPolicy()).toBe(null)
  })
})
