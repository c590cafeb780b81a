/** A stream within its bounds: the newest entry stays, whatever its size, so that whoever reads knows what it has missed. */
import { describe, expect, it } from 'vitest'
import { StreamTrimmer } from '../../src/broker/stream-trimmer.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { TESTED_ENGINES } from '../support/broker-engines.ts'
import { createEpoch, EPOCH, insertTag, writeBatch } from '../support/broker-stream.ts'

/** Beyond what Redis keeps together: it trims whole blocks of entries. */
const LARGE = 'x'.repeat(20_000)

describe.each(TESTED_ENGINES)('in $name', ({ start }) => {
  it('a stream of which each entry is beyond the bound keeps its newest', async () => {
    await using broker = await start()
    const connection = await broker.open('tap')
    const store = await createEpoch(connection, 'slot')
    await writeBatch(
      connection,
      store,
      [],
      [200n, 300n, 400n].flatMap((lsn) => insertTag(toLsn(lsn), LARGE)),
    )
    const keys = store.keys.epoch(EPOCH.id)
    const newest = await connection.readNewestId(keys.changes)
    const trimmer = new StreamTrimmer(keys, { bytes: 10, minutes: 60 }, () => 0)
    await broker.write(...(await trimmer.plan(connection, newest)))
    const left = (await connection.readEntries(keys.changes, {})).map(({ id }) => id)
    expect(left.at(-1)).toEqual(newest)
    expect(left.length).toBeLessThan(3)
    connection.destroy()
  })
})
