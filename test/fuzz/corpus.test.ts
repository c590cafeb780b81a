/** What fuzzing has kept goes through again: whatever bytes come, an answer or an error of ours. */
import { Buffer } from 'node:buffer'
import { afterAll, describe, expect, it } from 'vitest'
import { decodeEntry, EntryEncoder, readRecords } from '../../src/broker/entry-codec.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { readCorpus } from './corpus.ts'
import { stopSocketTarget } from './socket-target.ts'
import { TARGETS } from './targets.ts'

afterAll(stopSocketTarget)

describe('what fuzzing has kept', () => {
  it.each(Object.entries(TARGETS))('for %s comes to an answer or an error of ours', async (name, target) => {
    const inputs = [...target.seeds, ...(await readCorpus(name))]
    expect(inputs.length).toBeGreaterThan(0)
    for (const input of inputs) await target.run(input)
  })
})

describe('an entry whose last record is cut', () => {
  const place = { stream: 'rowcast:{cut}:changes', id: { lsn: toLsn(0x5000n), sequence: 0 } }
  const header = {
    ...{ previous: { lsn: toLsn(0n), sequence: 0 }, isFinal: true, isAlone: false, xid: 1 },
    ...{ committedAtMicros: 0n, endLsn: toLsn(0x5008n), firstIndex: 0, firstSequence: 0 },
    metadata: Buffer.alloc(0),
  }
  const nobody = { message() {}, relation() {}, skip() {} }

  it.each([1, 2, 3])('after its kind (%i) is unreadable, with a code', (kind) => {
    const encoder = new EntryEncoder()
    encoder.addSkip(1)
    const whole = decodeEntry(place, encoder.finish(header, place))
    const bytes = Buffer.from(whole.bytes.subarray(0, whole.recordsEnd - 4))
    bytes[bytes.length - 1] = kind
    const cut = { ...whole, bytes, recordsEnd: bytes.length }
    expect(() => readRecords(cut, nobody)).toThrow(
      expect.objectContaining({ code: 'BROKER_ENTRY_UNREADABLE' }),
    )
  })
})
