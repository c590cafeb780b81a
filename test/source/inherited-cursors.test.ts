/** Cursors of the process before, once it is known that a model's tables were published otherwise than it knew. */
import { expect, it } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { formatCursor, INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import { createCut } from '../../src/source/session/relay-feed.ts'
import { endInheritance } from '../../src/source/watch/inherited-cursors.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

it.each([20, 50, 89])(
  'one of a quiet model that stands at %i ends, though no change of this process has come so far',
  async (at) => {
    const bus = createMemoryBus()
    const onCut = createCut(
      { relay: undefined, onCut: (model, cut) => bus.cut(model, cut), onPassed: (lsn) => bus.passed(lsn) },
      () => null,
      // The last record of the WAL was a commit of no model: no keepalive has come yet.
      () => toLsn(90n),
    )
    bus.open({ ...PLAIN_ORIGIN, isFirst: true, mayRecall: true, floorLsn: toLsn(10n), serverLsn: toLsn(90n) })
    const after = formatCursor(PLAIN_ORIGIN, toLsn(BigInt(at)), INDEX_AFTER_ALL)
    const subscription = bus.subscribe({ model: 'Tag', after })
    const nobody = { onDrift() {}, onRecovery() {}, onTables() {}, onEvidence() {}, onProgress() {} }
    endInheritance(['Tag'], { ...nobody, onCut, lastChanges: bus.lastChanges })
    expect(subscription.pull?.isEnded).toBe(true)
    await expect(subscription.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  },
)
