/**
 * Those who ask for writes by `old` and `new` that follow relations: of each write the row before it is judged by what the tables had before its
 * transaction, the row after it by what they have after it; a row that the transaction wrote before, by what they have after it.
 */
import { expect } from 'vitest'
import { compileCondition } from '../../src/bus/filter/compile-condition.ts'
import type { Condition } from '../../src/bus/filter/condition.ts'
import { TRUE } from '../../src/bus/filter/outcome.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { isRowcastError } from '../../src/errors.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import { WrittenRows } from '../../src/sets/written-rows.ts'
import { naiveKeys, type Tables } from './naive-keys.ts'
import type { AnyObject } from './where-arbitrary.ts'

/** A write, as anybody is given it. */
export interface GivenWrite {
  readonly action: string
  readonly index: number
  readonly cursor: string
  readonly old: AnyRow | null
  readonly new: AnyRow | null
  readonly transaction: { readonly commitLsn: bigint }
}

/** What somebody asks for; null for nothing. */
export interface AskedWrite {
  readonly model: ModelSpec
  readonly old: AnyObject | null
  readonly new: AnyObject | null
}

/** What one was given. */
export interface FollowedWrites extends AskedWrite {
  /** Everything behind it was asked for. */
  readonly from: bigint
  readonly given: readonly GivenWrite[]
  readonly hasEnded: boolean
}

/** Follows until the row that is written last is written once more. */
export async function followWrites(
  reader: () => Rowcast,
  asked: AskedWrite,
  { from, after: begun, isEnd }: WritesBeginning,
): Promise<FollowedWrites> {
  const given: GivenWrite[] = []
  const { model, old, new: wanted } = asked
  for (let after = begun; ; ) {
    const options = { after, ...(old && { old }), ...(wanted && { new: wanted }) }
    try {
      for await (const event of reader().subscribe(model.name, options as never)) {
        const write = event as unknown as GivenWrite
        if (write.action === 'UPDATE' && isEnd(write.new)) return { ...asked, from, given, hasEnded: false }
        given.push(write)
        after = write.cursor
      }
    } catch (error) {
      if (isRowcastError(error, 'SERVER_STOPPING')) continue
      if (!isRowcastError(error, 'RESYNC_REQUIRED')) throw error
      return { ...asked, from, given, hasEnded: true }
    }
  }
}

/** Where one begins and ends. */
export interface WritesBeginning {
  readonly from: bigint
  readonly after: string
  readonly isEnd: (row: AnyRow | null) => boolean
}

interface History {
  /** All writes of the model, in commit order. */
  readonly writes: readonly GivenWrite[]
  readonly tablesAfter: (commitLsn: bigint) => Tables
  readonly tablesBefore: (commitLsn: bigint) => Tables
  readonly parse: (where: AnyObject) => Condition
  /** Of the row that is written last. */
  readonly isEnd: (row: AnyRow | null) => boolean
}

const positionOf = ({ transaction, index }: GivenWrite) => `${transaction.commitLsn}/${index}`

/** Whether it was given what it asked for, up to where it ended. Returns how many writes were judged. */
export function checkWrites(followed: FollowedWrites, { writes, parse, isEnd, ...tables }: History): number {
  const { model, from, given, hasEnded } = followed
  const [old, after] = [followed.old, followed.new].map((where) => where && parse(where))
  const holds = (condition: Condition | null | undefined, row: AnyRow | null, at: Tables) => {
    if (condition == null) return true
    return row !== null && compileCondition(condition, naiveKeys(at))(row) === TRUE
  }
  const expected: string[] = []
  let written = new WrittenRows(model)
  let lsn = 0n
  const end = writes.findIndex((write) => write.action === 'UPDATE' && isEnd(write.new))
  const due = writes.slice(0, end).filter(({ transaction }) => transaction.commitLsn > from)
  for (const write of due) {
    const { commitLsn } = write.transaction
    if (commitLsn !== lsn) written = new WrittenRows(model)
    lsn = commitLsn
    // It says nothing of any row.
    if (write.action === 'TRUNCATE') continue
    const isFirst = written.note(write as never)
    const now = tables.tablesAfter(commitLsn)
    const isOld = holds(old, write.old, isFirst ? tables.tablesBefore(commitLsn) : now)
    if (isOld && holds(after, write.new, now)) expected.push(positionOf(write))
  }
  const has = given.map(positionOf)
  const text = `${model.name} old ${JSON.stringify(followed.old)} new ${JSON.stringify(followed.new)}`
  expect(has, text).toEqual(hasEnded ? expected.slice(0, has.length) : expected)
  return due.length
}
