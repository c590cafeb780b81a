/** Deliberate faults, which worlds have to find: in a file of the sources, one text for another. */

/** One fault. */
export interface PlantedFault {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
}

export const PLANTED_FAULTS: readonly PlantedFault[] = [
  {
    name: 'more is confirmed than was delivered',
    file: 'src/wire/connection.ts',
    from: 'const confirmed = this.#handler.confirmedLsn()',
    to: 'const confirmed = (this.#handler.confirmedLsn() + 4096n) as Lsn',
  },
  {
    name: 'a stream begins a little later than it ended',
    file: 'src/source/published/continuity.ts',
    from: '  let floorLsn = past.safeLsn\n',
    to: '  let floorLsn = (past.safeLsn + 64n) as typeof past.safeLsn\n',
  },
  {
    name: 'positions are compared as signed numbers',
    file: 'src/changes/cursor.ts',
    from: 'export function comparePositions(a: ChangePosition, b: ChangePosition): number {\n',
    to: 'export function comparePositions(a: ChangePosition, b: ChangePosition): number {\n  if (a.commitLsn !== b.commitLsn) return Number(BigInt.asIntN(64, a.commitLsn) - BigInt.asIntN(64, b.commitLsn))\n',
  },
  {
    name: 'cursors of the process before do not wait for the barriers',
    file: 'src/bus/memory-bus.ts',
    from: 'if (!isShared && cursor !== null && this.lastChanges.waits(subscriber, cursor, again)) return',
    to: '',
  },
  {
    name: 'a server that took over is followed whatever it lacks',
    file: 'src/source/published/continuity.ts',
    from: "    if (past.deliveredLsn >= end) return gap('timeline-diverged')\n",
    to: '',
  },
  {
    name: 'a server that took over is followed from where the stream ended',
    file: 'src/source/published/continuity.ts',
    from: '    if (end < floorLsn) floorLsn = end\n',
    to: '',
  },
  {
    name: 'cursors of a timeline that was given up are good',
    file: 'src/bus/history.ts',
    from: 'if (range.end !== null && comparePositions(cursor.position, range.end) > 0) {',
    to: 'if (range.end === null && comparePositions(cursor.position, cursor.position) > 0) {',
  },
  {
    name: 'gaps of a timeline that was given up are gaps of the next one',
    file: 'src/bus/history.ts',
    from: '    this.#retreatCuts()\n',
    to: '',
  },
  {
    name: 'what was visible on a timeline that was given up is visible on the next one',
    file: 'src/bus/history.ts',
    from: '    this.earlier.retreatTo(start.sharedLsn ?? start.floorLsn)\n',
    to: '',
  },
  {
    name: 'a barrier ends no subscription',
    file: 'src/bus/memory-bus.ts',
    from: 'if (upTo !== undefined && cut !== undefined) this.#roster.endWhoMissed(model, cut, upTo)',
    to: '',
  },
  {
    name: 'a cut leaves older cursors good',
    file: 'src/bus/history.ts',
    from: '      this.#cuts.set(model, newest)\n      // What',
    to: '      // What',
  },
  {
    name: 'the tables are taken for the same however they differ',
    file: 'src/source/published/published-tables.ts',
    from: '  if (before.oid !== now.oid || before.evidence !== now.evidence) return false\n',
    to: '',
  },
  {
    name: 'no barrier waits for writers',
    file: 'src/source/published/publication-ledger.ts',
    from: 'const isSent = suspect.cleanFrom !== null || isOver',
    to: 'const isSent = true',
  },
  {
    name: 'a tap takes its own barriers for those of another',
    file: 'src/source/published/publication-ledger.ts',
    from: 'if (!this.#isComplete && !isSince && this.#inherited?.has(model) === false) continue',
    to: 'if (!this.#isComplete && this.#inherited?.has(model) === false) continue',
  },
  {
    name: 'a subscription falls behind and forgets what it could not take',
    file: 'src/bus/subscriber.ts',
    from: '    this.#onBehind(this, positionBefore(held.change))\n    return false',
    to: '    this.#onBehind(this, positionOf(held.change))\n    return false',
  },
  {
    name: 'who waits for its process goes on where it began to wait',
    file: 'src/bus/older-reader.ts',
    from: 'if (compareAfter(at.after, end) < 0) at.after = end',
    to: '',
  },
  {
    name: 'a message outside transactions and a commit have one position',
    file: 'src/broker/entry-id.ts',
    from: 'return { lsn: toLsn(endLsn > 0n ? endLsn - 1n : 0n), sequence: 0 }',
    to: 'return { lsn: endLsn, sequence: 0 }',
  },
  {
    name: 'an entry that the broker refuses is taken for written',
    file: 'src/broker/stream-writer.ts',
    from: 'if (committed.refused.has(id)) await this.#checkIsThere(id, payload)',
    to: 'if (committed.refused.has(id)) this.entryCount += 0',
  },
  {
    name: 'what was handed over is confirmed before the broker has it',
    file: 'src/broker/tap-session.ts',
    from: '    this.feed.onHandedOver(lsn)\n',
    to: '    this.feed.onHandedOver(lsn)\n    this.feed.onWritten(lsn)\n    this.feed.onAccepted(lsn)\n',
  },
  {
    name: 'a tap never says that its stream was lost',
    file: 'src/broker/stream-writer.ts',
    from: "if (committed.kind === 'lost')",
    to: "if (committed.kind === 'lost' && this.#hasEnded)",
  },
  {
    name: 'a gap begins no epoch',
    file: 'src/broker/tap-past.ts',
    from: '    return this.#owed\n',
    to: '    return null\n',
  },
  {
    name: 'the new epoch forgets what the last one had',
    file: 'src/broker/tap-relay.ts',
    from: 'const last = isNew || found === null ? epoch.floor : found.last',
    to: 'const last = epoch.floor',
  },
  {
    name: 'a cursor older than what is retained is good',
    file: 'src/bus/history.ts',
    from: 'if (comparePositions(cursor.position, this.log.floorOf(model)) < 0)',
    to: 'if (comparePositions(cursor.position, this.log.floorOf(model)) < -1)',
  },
  {
    name: 'a slot that was made again is followed',
    file: 'src/source/published/continuity.ts',
    from: "  if (slotFloor > floorLsn) return gap('slot-recreated')\n",
    to: '',
  },
  {
    name: 'a bookmark stands behind a change that is held back',
    file: 'src/bus/memory-bus.ts',
    from: 'return isLive && !isHolding ?',
    to: 'return isLive ?',
  },
  {
    name: 'a position that is asked for takes all that has come for visible',
    file: 'src/bus/history.ts',
    from: 'this.#visibleUpTo = log.seekUnseen(this.#visibleUpTo, isVisible)',
    to: 'this.#visibleUpTo = log.end',
  },
  {
    name: 'a queue takes whatever comes',
    file: 'src/bus/subscription-queue.ts',
    from: 'if (!this.#fits(delivery.weight?.bytes ?? 0)) {',
    to: 'if (this.isEnded) {',
  },
  {
    name: 'who has read all that waited is not given more',
    file: 'src/bus/memory-bus.ts',
    from: 'onHungry: () => this.#readers?.wake(subscriber),',
    to: 'onHungry: () => {},',
  },
  {
    name: 'a keepalive is confirmed while a transaction is under way',
    file: 'src/source/session/ack-tracker.ts',
    from: 'if (!this.#isInTransaction && this.#pending.length === 0) this.#raise(walEnd)',
    to: 'this.#raise(walEnd)',
  },
  {
    name: 'a silent link is waited for for ever',
    file: 'src/wire/liveness.ts',
    from: 'return timings.deadAfterMs !== null && silentMs > timings.deadAfterMs',
    to: 'return timings.deadAfterMs !== null && silentMs > 1e12',
  },
  {
    name: 'the log lets nothing go',
    file: 'src/bus/retained-log.ts',
    from: '    this.#trim(arrivedMs)\n',
    to: '',
  },
  {
    name: 'the change at the cursor comes again',
    file: 'src/bus/retained-log.ts',
    from: 'if (comparePositions(endOf(entry), position) <= 0) low = middle + 1',
    to: 'if (comparePositions(endOf(entry), position) < 0) low = middle + 1',
  },
  {
    name: 'a write is judged by the keys after its transaction',
    file: 'src/sets/live-rows.ts',
    from: 'isFirst ? this.#before : this.#after',
    to: 'this.#after',
  },
  {
    name: 'keys of later transactions count too early',
    file: 'src/sets/counted-keys.ts',
    from: 'if ((entry.toggles[index] as number) <= at) break',
    to: 'if (at > 0) break',
  },
  {
    name: 'a list keeps what has left it',
    file: 'src/sets/set-step.ts',
    from: "action !== 'DELETE' && transition !== 'LEFT' && !hidesNew",
    to: "action !== 'DELETE' && !hidesNew",
  },
  {
    name: 'a list applies again what it was read with',
    file: 'src/sets/kept-set.ts',
    from: 'const isRead = this.#fence?.sees(transaction) === true',
    to: 'const isRead = this.#fence?.sees(transaction) === undefined',
  },
  {
    name: 'a transaction is given before all of its models have come',
    file: 'src/bus/merged-subscription.ts',
    from: 'return this.#isAllThere({ ...this.#current, index: INDEX_AFTER_ALL }) ? this.#give(true) : null',
    to: 'return this.#give(true)',
  },
  {
    name: 'a set forgets a TRUNCATE',
    file: 'src/sets/key-set.ts',
    from: 'this.isCleared = true',
    to: '',
  },
  {
    name: 'of what is read of related rows, what came later is not taken back',
    file: 'src/sets/rows-at.ts',
    from: 'await later()',
    to: '[]',
  },
  {
    name: 'related rows are read before all up to the transaction can be seen',
    file: 'src/sets/related-row-reader.ts',
    from: '    await this.whenVisible(ordinal, name)\n',
    to: '',
  },
  {
    name: 'what the snapshot of first rows does not see is not added to them',
    file: 'src/sets/row-read.ts',
    from: 'at !== null && !ranges.fenceOf(at).sees(transaction)',
    to: 'at !== null && ranges.fenceOf(at).endLsn < 0n',
  },
  {
    name: 'a gap of a related model ends nobody',
    file: 'src/sets/sets-bus.ts',
    from: 'if (model === undefined || subscription.models.has(model)) subscription.end(error)',
    to: 'if (model === undefined || subscription.model === model) subscription.end(error)',
  },
  {
    name: 'sets outlive the server that they were read on',
    file: 'src/sets/sets-bus.ts',
    from: "      this.#endAll(cannotGoOn('another server has taken over'))\n      this.graph = null\n",
    to: '',
  },
  {
    name: 'what ends a session is not seen in the stream',
    file: 'src/sets/row-watch.ts',
    from: 'this.#forgetOldest()\n    for (const watcher of [...(this.#watched.get(id) ?? [])]) {',
    to: 'this.#forgetOldest()\n    for (const watcher of [] as Watcher[]) {',
  },
  {
    name: 'what came while a session was looked for is forgotten',
    file: 'src/sets/row-watch.ts',
    from: 'if (recent !== undefined && recent.sequence > sequence) return',
    to: 'if (recent !== undefined && recent.sequence < 0) return',
  },
  {
    name: 'sessions are not looked for again when changes may be missing',
    file: 'src/sets/row-watch.ts',
    from: '    this.#check(LOOKS_AFTER_LOSS)\n',
    to: '',
  },
]
