/** Positions of different kinds of records are different positions. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compareEntryIds, messageEntryId } from '../../src/broker/entry-id.ts'
import { idBefore } from '../../src/broker/epoch.ts'
import { toLsn } from '../../src/wire/lsn.ts'

/** PostgreSQL begins records at multiples of eight bytes. */
const recordLsn = fc.bigInt({ min: 10n, max: (1n << 61n) - 1n }).map((n) => toLsn(n * 8n))

it('a message outside a transaction stands before a commit that begins where it ends, and after one that ended before it', () => {
  fc.assert(
    fc.property(recordLsn, fc.nat(), fc.nat(), (lsn, sequence, length) => {
      const message = messageEntryId(lsn)
      expect(compareEntryIds(message, { lsn, sequence })).toBeLessThan(0)
      const earlier = toLsn(lsn - 8n * BigInt(1 + (length % 3)))
      expect(compareEntryIds({ lsn: earlier, sequence }, message)).toBeLessThan(0)
      // Confirmed up to its end, it is not sent again; confirmed up to its beginning, it is.
      expect(compareEntryIds(message, idBefore(lsn))).toBeLessThan(0)
      expect(compareEntryIds(message, idBefore(toLsn(lsn - 8n)))).toBeGreaterThan(0)
    }),
  )
})
