import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AckTracker } from '../../src/source/session/ack-tracker.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'

describe('AckTracker', () => {
  it('calls a transaction safe only when it has been accepted', () => {
    const ack = new AckTracker()
    ack.begin()
    ack.commit(toLsn(100n))
    expect(ack.safe).toBe(0n)
    ack.accept(toLsn(100n))
    expect(ack.safe).toBe(100n)
  })

  it('calls a keepalive safe only while nothing is in flight', () => {
    const ack = new AckTracker()
    ack.keepalive(toLsn(10n))
    expect(ack.safe).toBe(10n)
    ack.begin()
    ack.keepalive(toLsn(20n))
    expect(ack.safe).toBe(10n)
    ack.commit(toLsn(30n))
    ack.keepalive(toLsn(40n))
    expect(ack.safe).toBe(10n)
    ack.accept(toLsn(30n))
    ack.keepalive(toLsn(40n))
    expect(ack.safe).toBe(40n)
  })

  /**
   * A model of the stream: transactions lie one after another in the WAL; the server sends them in order and
   * sends again, after a disconnection, what was not confirmed. The tracker must never go past the
   * first transaction that has not been accepted, and never move backwards.
   */
  it('never calls safe what lies past the first transaction that is not accepted, in any interleaving', () => {
    const event = fc.constantFrom('begin', 'commit', 'accept', 'keepalive', 'disconnect')
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), (events) => {
        const ack = new AckTracker()
        let sentEnd = 0n
        let openEnd: bigint | null = null
        const handedOver: bigint[] = []
        let previous: Lsn = ack.safe
        for (const name of events) {
          if (name === 'begin' && openEnd === null) {
            openEnd = sentEnd + 10n
            ack.begin()
          } else if (name === 'commit' && openEnd !== null) {
            ack.commit(toLsn(openEnd))
            handedOver.push(openEnd)
            sentEnd = openEnd
            openEnd = null
          } else if (name === 'accept') {
            const end = handedOver.shift()
            if (end !== undefined) ack.accept(toLsn(end))
          } else if (name === 'keepalive') {
            // While a transaction is being sent, the server's position may already lie beyond its end.
            ack.keepalive(toLsn((openEnd ?? sentEnd) + 3n))
          } else if (name === 'disconnect') {
            openEnd = null
            ack.disconnect()
          }
          const unsafeFrom = handedOver[0] ?? openEnd
          if (unsafeFrom !== null && unsafeFrom !== undefined) expect(ack.safe < unsafeFrom).toBe(true)
          expect(ack.safe >= previous).toBe(true)
          previous = ack.safe
        }
      }),
      { numRuns: 2000 },
    )
  })
})
