/** A list that the server keeps, at a client: what patches make of it, and what happens to one that does not fit. */
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { ChangeClient, ChangeSink } from '../../src/client/change-client.ts'
import { followList } from '../../src/client/followed-list.ts'
import { createLiveList } from '../../src/client/live-list.ts'
import { type PatchOperation, patchList } from '../../src/client/patch-list.ts'
import { listOperations } from '../../src/sets/list-operations.ts'
import type { WindowRow } from '../../src/sets/ordered-window.ts'

interface Row {
  readonly id: string
  readonly version: number
}

const KEY = { key: 'id' } as const
const kept = ([id, version]: readonly [number, number]): WindowRow => ({
  id: String(id),
  key: { id },
  row: { id: String(id), version },
  bytes: 64,
  revision: 0,
  related: null,
})
const shown = (rows: readonly WindowRow[]) => rows.map(({ row }) => row as unknown as Row)
/** As the server writes them. */
const written = (from: readonly WindowRow[], to: readonly WindowRow[]) =>
  listOperations(from, to).map(({ kind, index, row }): PatchOperation<Row> => {
    const [own] = shown([row])
    return { kind, index, key: { rowId: row.id }, row: kind === 'REMOVE' ? null : own }
  })
const lists = fc
  .uniqueArray(fc.tuple(fc.nat(12), fc.nat(1)), { selector: ([id]) => id, maxLength: 10 })
  .map((rows) => rows.map(kept))

describe('patches', () => {
  it('lead through all that the server shows', () => {
    fc.assert(
      fc.property(fc.array(lists, { minLength: 2, maxLength: 6 }), (states) => {
        let rows: readonly Row[] | null = shown(states[0] ?? [])
        for (const [index, state] of states.entries()) {
          const before = states[index - 1]
          if (before === undefined || rows === null) continue
          const [given, copy] = [rows, [...rows]]
          rows = patchList(rows, written(before, state), KEY)
          expect(rows).toEqual(shown(state))
          expect(given).toEqual(copy)
        }
      }),
      { numRuns: process.env['ROWCAST_LONG'] === undefined ? 100 : 10_000 },
    )
  })

  it('that do not fit are refused', () => {
    const rows = shown([kept([1, 0]), kept([2, 0])])
    const row = (id: string) => ({ id, version: 1 })
    const misfits: Readonly<Record<string, PatchOperation<Row>>> = {
      'inserted twice': { kind: 'INSERT', index: 0, key: { rowId: '1' }, row: row('1') },
      'inserted beyond the end': { kind: 'INSERT', index: 3, key: { rowId: '3' }, row: row('3') },
      'inserted before the beginning': { kind: 'INSERT', index: -1, key: { rowId: '3' }, row: row('3') },
      'without its row': { kind: 'INSERT', index: 0, key: { rowId: '3' }, row: null },
      'a row of another key': { kind: 'UPDATE', index: 0, key: { rowId: '1' }, row: row('2') },
      'updated elsewhere': { kind: 'UPDATE', index: 1, key: { rowId: '1' }, row: row('1') },
      'updated and not there': { kind: 'UPDATE', index: 0, key: { rowId: '3' }, row: row('3') },
      'moved and not there': { kind: 'MOVE', index: 0, key: { rowId: '3' }, row: row('3') },
      'moved beyond the end': { kind: 'MOVE', index: 2, key: { rowId: '1' }, row: row('1') },
      'removed elsewhere': { kind: 'REMOVE', index: 1, key: { rowId: '1' }, row: null },
      'removed and not there': { kind: 'REMOVE', index: 0, key: { rowId: '3' }, row: null },
      'without a key': { kind: 'REMOVE', index: 0, key: {}, row: null },
    }
    for (const [what, misfit] of Object.entries(misfits))
      expect([what, patchList(rows, [misfit], KEY)]).toEqual([what, null])
    const ofNumbers = [{ id: 1 }, { id: 2 }]
    const moved = [{ kind: 'MOVE', index: 1, key: { rowId: '1' }, row: { id: 1 } }] as never
    expect(patchList<{ id: number }>(ofNumbers, moved, KEY)).toEqual([{ id: 2 }, { id: 1 }])
  })
})

/** A server that says what the test says. */
function openScripted(key: 'id' | 'version' = 'id') {
  const sinks: ChangeSink<unknown>[] = []
  const client: ChangeClient = {
    subscribe(_payload, sink) {
      sinks.push(sink as ChangeSink<unknown>)
      return () => undefined
    },
  }
  const failed: unknown[] = []
  const list = followList<Row>({
    ...{ client, request: { query: '' }, key },
    onFailure: ({ error }) => failed.push(error.code),
  })
  const rounds = (count: number) => expect.poll(() => sinks.length, { timeout: 20_000 }).toBe(count)
  const give = (event: object, errors?: readonly { message: string; extensions: object }[]) =>
    sinks.at(-1)?.next({
      data: { list: { cursor: 'x', totalCount: 9, ...event } },
      ...(errors && { errors }),
    } as never)
  const rows = (wanted: readonly Row[]) => expect.poll(() => list.state.rows).toEqual(wanted)
  return { client, sinks, failed, list, rounds, give, rows }
}

const [one, two] = shown([kept([1, 0]), kept([2, 0])]) as [Row, Row]
const remove = (index: number, rowId: string) => ({
  operations: [{ kind: 'REMOVE', index, key: { rowId }, row: null }],
})
const failure = { message: 'no', extensions: { code: 'CHANGE_UNDELIVERABLE', cursor: 'y' } }

describe('a list that is followed', () => {
  it('is had whole again after a patch that does not fit, and keeps its rows meanwhile', async () => {
    const { list, rounds, give, rows } = openScripted()
    await rounds(1)
    give({ rows: [one, two] })
    await rows([one, two])
    expect(list.state).toMatchObject({ status: 'live', totalCount: 9, error: null })
    give(remove(1, '1'))
    give(remove(0, '1'))
    await rounds(2)
    expect(list.state).toMatchObject({ status: 'reconnecting', rows: [one, two] })
    give(remove(0, '1'))
    await rounds(3)
    give({ rows: [two] })
    await rows([two])
    expect(list.state.status).toBe('live')
    list.stop()
    expect(list.state).toMatchObject({ status: 'ended', error: null })
  })

  it('is had whole again where a patch is lost, and after errors that want it', async () => {
    const { list, sinks, failed, rounds, give, rows } = openScripted()
    await rounds(1)
    give({ rows: [one, two] })
    sinks.at(-1)?.next({ data: null, errors: [failure] })
    await rounds(2)
    expect(failed).toEqual(['CHANGE_UNDELIVERABLE'])
    // What fails in part is shown, and says so.
    give({ rows: [one] }, [failure])
    await rows([one])
    expect(list.state.error).toMatchObject({ code: 'CHANGE_UNDELIVERABLE' })
    let round = 2
    for (const code of ['RESYNC_REQUIRED', 'FIRST_ROWS_FAILED', 'SUBSCRIBER_TOO_SLOW', 'SERVER_STOPPING']) {
      sinks.at(-1)?.error([{ message: 'no', extensions: { code } }] as never)
      round += 1
      await rounds(round)
      give({ rows: [two] })
      await rows([two])
    }
    expect(list.state).toMatchObject({ status: 'live', error: null })
    sinks.at(-1)?.error([{ message: 'no', extensions: { code: 'FORBIDDEN' } }] as never)
    await expect.poll(() => list.state).toMatchObject({ status: 'ended', error: { code: 'FORBIDDEN' } })
  })

  it('ends where it is longer than the server delivers, and is had whole where a patch was', async () => {
    const { list, sinks, rounds, give, rows } = openScripted()
    const fail = () =>
      sinks.at(-1)?.error([{ message: 'no', extensions: { code: 'LIST_TOO_LARGE' } }] as never)
    await rounds(1)
    give({ rows: [one, two] })
    await rows([one, two])
    fail()
    await rounds(2)
    expect(list.state).toMatchObject({ status: 'reconnecting', rows: [one, two] })
    give({ rows: [two] })
    await rows([two])
    fail()
    await rounds(3)
    fail()
    await expect.poll(() => list.state).toMatchObject({ status: 'ended', error: { code: 'LIST_TOO_LARGE' } })
    expect(sinks).toHaveLength(3)
  })

  it.each([
    { asked: {}, pauses: [5, 10, 20, 40, 80, 160, 300, 300] },
    { asked: { retryAfterMs: 12_000 }, pauses: [12, 12, 20, 40, 80, 160, 300, 300] },
  ])(
    'that costs too much is asked for less and less often, whatever comes of it meanwhile, and says why: $asked',
    async ({ asked, pauses }) => {
      vi.useFakeTimers()
      onTestFinished(() => void vi.useRealTimers())
      const { list, sinks, give } = openScripted()
      await vi.advanceTimersByTimeAsync(0)
      const openedAfterMs: number[] = []
      for (let round = 1; round < 9; round += 1) {
        const isEmpty = round === 1
        if (!isEmpty) {
          give({ rows: [one, two] })
          give(remove(0, '1'))
          await vi.advanceTimersByTimeAsync(20)
          expect(list.state).toMatchObject({ status: 'live', rows: [two], error: null })
        }
        const extensions = { code: 'LIST_TOO_COSTLY', ...asked }
        sinks.at(-1)?.error([{ message: 'no', extensions }] as never)
        const endedAtMs = performance.now()
        await vi.advanceTimersByTimeAsync(0)
        const status = isEmpty ? 'loading' : 'reconnecting'
        expect(list.state).toMatchObject({ status, error: { code: 'LIST_TOO_COSTLY' } })
        while (sinks.length === round) await vi.advanceTimersByTimeAsync(1_000)
        openedAfterMs.push(performance.now() - endedAtMs)
      }
      expect(openedAfterMs.map((ms) => ms / 1_000)).toEqual(pauses)
      list.stop()
    },
  )

  it('is not live where the connection went right behind what came', async () => {
    const { list, sinks, rounds, give, rows } = openScripted()
    await rounds(1)
    give({ rows: [one, two] })
    sinks.at(-1)?.lost?.()
    await rows([one, two])
    expect(list.state.status).toBe('reconnecting')
    sinks.at(-1)?.connected?.()
    expect(list.state.status).toBe('reconnecting')
    give({ rows: [one, two] })
    await expect.poll(() => list.state.status).toBe('live')
    give(remove(0, '1'))
    sinks.at(-1)?.lost?.()
    await rows([two])
    expect(list.state.status).toBe('reconnecting')
    // By another connection a list begins whole.
    give(remove(0, '2'))
    await rounds(2)
    expect(list.state).toMatchObject({ status: 'reconnecting', rows: [two] })
    list.stop()
  })

  it.each(['MODEL_UNAVAILABLE', 'SERVER_STOPPING'])(
    'is not live while the server has ended it: %s',
    async (code) => {
      const { list, sinks, rounds, give, rows } = openScripted()
      await rounds(1)
      give({ rows: [one] })
      await rows([one])
      sinks.at(-1)?.error([{ message: 'no', extensions: { code, retryAfterMs: 200 } }] as never)
      await expect.poll(() => list.state).toMatchObject({ status: 'reconnecting', rows: [one] })
      await rounds(2)
      give({ rows: [two] })
      await rows([two])
      expect(list.state.status).toBe('live')
      list.stop()
    },
  )

  it('waits as long as the server asks, whatever came before', async () => {
    const { list, sinks, rounds, give, rows } = openScripted()
    await rounds(1)
    give({ rows: [one, two] })
    await rows([one, two])
    give(remove(0, '1'))
    const stopping = { code: 'SERVER_STOPPING', retryAfterMs: 400 }
    sinks.at(-1)?.error([{ message: 'no', extensions: stopping }] as never)
    await rows([two])
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(sinks).toHaveLength(1)
    await rounds(2)
    list.stop()
  })

  it('says that a field failed for as long as it shows the row', async () => {
    const { list, rounds, give, rows } = openScripted()
    await rounds(1)
    give({ rows: [one, two] }, [failure])
    await rows([one, two])
    give(remove(0, '1'))
    await rows([two])
    expect(list.state.error).toMatchObject({ code: 'CHANGE_UNDELIVERABLE' })
    const row = { id: '2', version: 1 }
    give({ operations: [{ kind: 'UPDATE', index: 0, key: { rowId: '2' }, row }] })
    await rows([row])
    expect(list.state.error).toBeNull()
    list.stop()
  })

  it('ends where its key does not distinguish the rows', async () => {
    const { list, rounds, give } = openScripted('version')
    await rounds(1)
    give({ rows: [one, two] })
    await expect.poll(() => list.state.status).toBe('ended')
    expect(String(list.state.error)).toContain('same `key`')
  })

  it('says what is not selected, and ends', async () => {
    for (const [event, why] of [
      [{ rows: [{ version: 1 }] }, 'keys'],
      [{ operations: [{ kind: 'REMOVE', index: 0, row: null }] }, 'keys'],
      [{}, 'operations'],
      [{ operations: [{ index: 0, key: { rowId: '1' }, row: one }] }, '`kind`'],
      [{ operations: [{ kind: 'UPDATE', key: { rowId: '1' }, row: one }] }, '`index`'],
      [{ operations: [{ kind: 'UPDATE', index: 0, key: { rowId: '1' } }] }, '`row`'],
    ] as const) {
      const { list, rounds, give } = openScripted()
      await rounds(1)
      if ('operations' in event) give({ rows: [one] })
      give(event)
      await expect.poll(() => list.state.status).toBe('ended')
      expect(String(list.state.error)).toContain(why)
    }
  })

  it('calls back as a framework calls for it, as lists of changes do', async () => {
    const { client, list, rounds, give } = openScripted()
    const load = () => Promise.resolve([])
    const other = createLiveList<Row>({ client, load, request: { query: '' }, key: 'id' })
    let calls = 0
    for (const { listen, state } of [list, other]) {
      expect(state.status).toBe('loading')
      listen(() => (calls += 1))
    }
    await rounds(2)
    other.stop()
    await expect.poll(() => calls).toBe(1)
    list.stop()
    give({ rows: [one] })
    await expect.poll(() => calls).toBe(2)
    expect(list.state.rows).toEqual([])
  })

  it('calls all who listen, whatever one of them does', async () => {
    const { client, list, rounds } = openScripted()
    const load = () => Promise.resolve([])
    const other = createLiveList<Row>({ client, load, request: { query: '' }, key: 'id' })
    await rounds(2)
    const uncaught: unknown[] = []
    const seen = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => uncaught.push(error.message))
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException')
      for (const each of seen) process.on('uncaughtException', each)
    })
    const calls: string[] = []
    for (const { listen, stop } of [list, other].map((each) => ({
      listen: each.listen,
      stop: () => each.stop(),
    }))) {
      listen(() => {
        throw new Error('a listener')
      })
      let forget = () => {}
      listen(() => {
        forget()
        calls.push('called')
      })
      forget = listen(() => calls.push('taken out'))
      stop()
    }
    await expect.poll(() => uncaught).toEqual(['a listener', 'a listener'])
    expect(calls).toEqual(['called', 'called'])
  })
})
