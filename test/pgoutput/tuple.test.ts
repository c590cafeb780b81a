/** Stage 2, pgoutput: a tuple's columns, listed. */
import { describe, expect, it } from 'vitest'
import { type Tuple, tupleColumns, UNCHANGED } from '../../src/pgoutput/tuple.ts'
import { fromHex } from '../support/message-builder.ts'

describe('tupleColumns', () => {
  const bytes = fromHex('ffff | 6e | 75 | 74 00000002 6162 | 62 00000000 | ffff')
  const tuple: Tuple = { bytes, start: 2, end: bytes.length - 2, columnCount: 4 }

  it('distinguishes NULL, unchanged, text and binary', () => {
    expect(tupleColumns(tuple)).toEqual([
      null,
      UNCHANGED,
      { format: 'text', bytes: Uint8Array.of(0x61, 0x62) },
      { format: 'binary', bytes: new Uint8Array(0) },
    ])
  })

  it('gives views, not copies', () => {
    const [, , value] = tupleColumns(tuple)
    bytes[9] = 0x7a
    expect(value).toEqual({ format: 'text', bytes: Uint8Array.of(0x7a, 0x62) })
  })

  it('lists nothing for a table without columns', () => {
    expect(tupleColumns({ bytes, start: 2, end: 2, columnCount: 0 })).toEqual([])
  })
})
