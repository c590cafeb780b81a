/** Stage 2, pgoutput: integers in network byte order, with DataView as the oracle. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readInt32, readInt64, readUint16, readUint32, readUint64 } from '../../src/pgoutput/big-endian.ts'

it('reads what a DataView reads, at any offset', () => {
  const eightBytes = fc.uint8Array({ minLength: 8, maxLength: 8 })
  fc.assert(
    fc.property(fc.nat({ max: 9 }), eightBytes, (offset, value) => {
      const bytes = new Uint8Array(offset + 8)
      bytes.set(value, offset)
      const view = new DataView(bytes.buffer)
      expect(readUint16(bytes, offset)).toBe(view.getUint16(offset))
      expect(readInt32(bytes, offset)).toBe(view.getInt32(offset))
      expect(readUint32(bytes, offset)).toBe(view.getUint32(offset))
      expect(readUint64(bytes, offset)).toBe(view.getBigUint64(offset))
      expect(readInt64(bytes, offset)).toBe(view.getBigInt64(offset))
    }),
  )
})
