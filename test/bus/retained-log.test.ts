/** The log against a plain list of all that was appended. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { RetainedLog } from '../../src/bus/retained-log.ts'
import type { AnyChange, ChangePosition } from '../../src/changes/change.ts'
import { comparePositions } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { plainChange, plainTransaction } from '../support/plain-change.ts'

const MODELS = ['User', 'Post', 'Tag', 'Comment'] as const
const FLOOR: ChangePosition = { commitLsn: toLsn(1n), index: 0 }
/** What the log reckons for a part of `changes` without bytes. */
const bytesOf = (changes: readonly AnyChange[]): number => 600 + 40 * changes.length

const parts = fc.array(
  fc.record({
    models: fc.array(fc.constantFrom(...MODELS.slice(0, 3)), { maxLength: 4 }),
    isFinal: fc.boolean(),
    readFrom: fc.option(fc.nat(20), { nil: undefined }),
  }),
  { maxLength: 30 },
)

it('knows for each model what is gone, where the rest is, and keeps to its bounds', () => {
  fc.assert(
    fc.property(parts, fc.nat(8), fc.nat(8), (all, keep, more) => {
      const bytesMax = keep * 700
      const bytesReadMax = bytesMax + more * 700
      let readFrom = Number.POSITIVE_INFINITY
      const log = new RetainedLog(
        FLOOR,
        { bytesMax, bytesReadMax, ageMaxMs: 1e9, monotonicMs: () => 0 },
        () => readFrom,
      )
      const appended: AnyChange[][] = []
      let commit = 10
      let index = 0
      for (const { models, isFinal, readFrom: from } of all) {
        // Only the end of a transaction may be empty.
        if (models.length === 0 && !isFinal) continue
        if (from !== undefined && from >= log.first) {
          readFrom = from
          log.noteReader(from)
        }
        const transaction = plainTransaction(commit)
        const changes = models.map((model) => plainChange({ model, index: index++, transaction }))
        const kept = log.first
        log.append({ transaction, changes, isFinal, byteLength: 0 })
        appended.push(changes)
        if (isFinal) [commit, index] = [commit + 10, 0]

        const present = appended.slice(log.first)
        expect(log.end).toBe(appended.length)
        expect(log.openLsn).toBe(isFinal ? null : transaction.commitLsn)
        expect(log.byteLength).toBe(present.reduce((sum, each) => sum + bytesOf(each), 0))
        expect(log.byteLength).toBeLessThanOrEqual(Math.max(bytesMax, bytesReadMax))
        // Beyond the smaller bound there is only what somebody is still to read.
        if (log.byteLength > bytesMax) expect(log.first).toBeGreaterThanOrEqual(Math.min(readFrom, kept))
        const gone = appended.slice(0, log.first).flat()
        for (const model of MODELS) {
          const last = gone.filter((change) => change.model === model).at(-1)
          expect(log.floorOf(model)).toEqual(last === undefined ? FLOOR : positionOf(last))
          for (let sequence = 0; sequence <= appended.length; sequence += 1) {
            const found = appended.findIndex(
              (each, at) => at >= Math.max(sequence, log.first) && each.some((c) => c.model === model),
            )
            expect(log.seek(model, sequence)).toBe(found < 0 ? appended.length : found)
          }
        }
        for (const change of present.flat()) {
          const from = log.find(positionOf(change))
          const found = appended.slice(from).flat()
          const after = present
            .flat()
            .filter((other) => comparePositions(positionOf(other), positionOf(change)) > 0)
          expect(found.slice(found.length - after.length)).toEqual(after)
          expect(appended.slice(from + 1).flat().length).toBeLessThanOrEqual(after.length)
        }
      }
    }),
    { numRuns: 300 },
  )
})

function positionOf({ transaction, index }: AnyChange): ChangePosition {
  return { commitLsn: transaction.commitLsn, index }
}
