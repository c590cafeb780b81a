/** What a session sees, for tests that know each transaction: of what committed before those there is nothing that it does not see. */
import type { IsVisible } from '../../src/source/db/visibility.ts'

export function seeing(judge: (xid: number) => boolean): IsVisible {
  return Object.assign((xid: number) => judge(xid), { seesAllBefore: () => true })
}
