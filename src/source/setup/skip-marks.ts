/**
 * Stage 5, source. A mark says that the readers of a slot are to pass over one transaction. It stands beside the slot, as a
 * physical slot that keeps no WAL: it is durable, whoever may read a slot may make it, and the slot itself stays where it
 * is, with what it retains for cursors.
 */
import { createHash } from 'node:crypto'
import { type Lsn, toLsn } from '../../wire/lsn.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import type { RunQuery } from '../db/run-query.ts'

/** Names of the marks of a slot begin with it. */
export function skipMarkPrefix(slot: string): string {
  return `rowcast_skip_${createHash('sha256').update(slot).digest('hex').slice(0, 8)}_`
}

/** Name of the mark behind the transaction that commits right before `to`. */
export function skipMarkName(slot: string, to: Lsn): string {
  return `${skipMarkPrefix(slot)}${to.toString(16).padStart(16, '0')}`
}

/** The positions of marks by their names; other names are nobody's. */
export function parseSkipMarks(slot: string, names: readonly string[]): readonly Lsn[] {
  const prefix = skipMarkPrefix(slot)
  return names.flatMap((name) => {
    const digits = name.startsWith(prefix) ? name.slice(prefix.length) : ''
    return /^[0-9a-f]{16}$/.test(digits) ? [toLsn(BigInt(`0x${digits}`))] : []
  })
}

/** An array of the names of a slot's marks. */
export function skipMarksSql(slot: string): string {
  return `ARRAY(SELECT slot_name::text FROM pg_replication_slots
                 WHERE slot_type = 'physical' AND starts_with(slot_name::text, ${quoteLiteral(skipMarkPrefix(slot))}))`
}

/** Drops all marks of a slot that is gone. */
export async function dropAllSkipMarks(query: RunQuery, slot: string): Promise<void> {
  await query(`SELECT pg_drop_replication_slot(name) FROM unnest(${skipMarksSql(slot)}) AS mark(name)`)
}

/** Drops marks; one that is gone already is none. */
export async function dropSkipMarks(query: RunQuery, slot: string, marks: readonly Lsn[]): Promise<void> {
  if (marks.length === 0) return
  const names = marks.map((mark) => quoteLiteral(skipMarkName(slot, mark))).join(', ')
  await query(
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name IN (${names}) AND NOT active`,
  )
}
