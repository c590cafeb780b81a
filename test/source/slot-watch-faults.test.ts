/** A watch of the slot in which something of rowcast's own fails at the end of a look: it looks again. */
import { expect, it } from 'vitest'
import { createGuard, type Guard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { createSlotWatch } from '../../src/source/slot/slot-watch.ts'

/** Where what is done under one name throws, once. */
function failingAt(name: string): Guard {
  const guard = createGuard(silentLogger)
  let faults = 1
  return {
    ...guard,
    wrap(what, callback, onFailure) {
      const failing: typeof callback = (...args) => {
        if (what === name && faults-- > 0) throw new TypeError('a fault')
        return callback(...args)
      }
      return guard.wrap(what, failing, onFailure)
    },
  }
}

it.each(['end a look at the slot', 'report a failed look at the slot', 'look at the slot'])(
  'what fails as it is to %s keeps it from no other look',
  async (name) => {
    let looks = 0
    const watch = createSlotWatch({
      // Nobody listens there: each look fails.
      target: { host: '127.0.0.1', port: 1, user: 'nobody', database: 'nothing' },
      goal: { slot: 'none', publication: 'none', tables: [] },
      ...{ intervalMs: 20, guard: failingAt(name), onFacts: () => null },
      onFailedLook() {
        looks += 1
      },
      ...{ settle: async () => false, beat: async () => {} },
    })
    watch.start()
    await expect.poll(() => looks).toBeGreaterThan(1)
    watch.stop()
  },
)
