/**
 * Stage 5, source. The barrier: a message of ours in the WAL, which says what is published of which models, and of
 * which of them changes may be missing before it. In the WAL it stands among the changes in its place, for every
 * reader of the slot and of the broker alike, and is read again after a restart as long as older cursors are. PostgreSQL
 * sends it to all slots of the database: it names its own, whose readers alone it is for.
 * Source: PostgreSQL manual, "Replication Management Functions", pg_logical_emit_message. Pure.
 */

import type { EmittedMessage } from '../../changes/emitted-message.ts'
import type { RowcastError } from '../../errors.ts'
import { hasMembers, jsonOf } from '../../member-of.ts'
import { type Lsn, toLsn } from '../../wire/lsn.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import { HEARTBEAT_PREFIX } from '../db/heartbeat.ts'
import { createMissedError } from './gap-notices.ts'
import { formatLastChanges, type LastChanges, parseLastChanges } from './last-changes.ts'
import { type PublishedModel, parsePublishedModel } from './published-tables.ts'

/**
 * A message beyond that is none of ours, and is not decoded: any role may write one (pg_logical_emit_message), and what it says is
 * carried on by ours. What ours carry of others' models has its own bound: publication-ledger.ts.
 */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024

/** What one barrier says. */
export interface Barrier {
  /** What is published from here on, by model. */
  readonly published: ReadonlyMap<string, PublishedModel>
  /** Models of which changes may be missing: no cursor from before is good any more. */
  readonly cut: readonly string[]
  /** From here on none was missing: whoever began here or later has missed nothing. */
  readonly cleanFrom: Lsn
  /** It cuts what a transaction wrote that was given up, and says nothing of what is published. @default false */
  readonly isSkip?: boolean | undefined
  /** Where models changed last before it, for the process that starts next. @default nothing is known of it */
  readonly lasts?: LastChanges | null | undefined
  /** All that committed before it was visible to queries when the barrier was written. @default that is not known */
  readonly seen?: Lsn | undefined
}

/** What ends subscriptions of a model that a barrier cuts. */
export function missedBy({ isSkip }: Barrier, model: string): RowcastError {
  return createMissedError(model, isSkip === true ? 'transaction-skipped' : 'publication-changed')
}

/** Whether a message is between processes of rowcast, and not for the application. */
export function isOwnMessage({ prefix }: { readonly prefix: string }): boolean {
  return prefix === HEARTBEAT_PREFIX
}

/** The statement that writes a barrier for the readers of a slot; its transaction is its own. */
export function barrierSql(barrier: Barrier, slot: string): string {
  const text = barrierText(barrier, slot)
  return `SELECT pg_catalog.pg_logical_emit_message(true, ${quoteLiteral(HEARTBEAT_PREFIX)}, ${quoteLiteral(text)})`
}

/** Whether its readers take it: tables of more than some 100,000 partitions make one too large. */
export function isReadable(barrier: Barrier, slot: string): boolean {
  return new TextEncoder().encode(barrierText(barrier, slot)).length <= MESSAGE_BYTES_MAX
}

function barrierText(barrier: Barrier, slot: string): string {
  const { published, cut, cleanFrom, isSkip, lasts, seen } = barrier
  return JSON.stringify({
    barrier: 1,
    slot,
    published: Object.fromEntries(published),
    cut,
    cleanFrom: String(cleanFrom),
    skip: isSkip,
    lasts: lasts == null ? undefined : formatLastChanges(lasts),
    seen: seen === undefined ? undefined : String(seen),
  })
}

/**
 * The barrier that a message is for the readers of a slot; null for every other message, and for what the readers of
 * another slot know: they may have another publication, and have missed other changes. Whoever may write to the database
 * may write one: it can end subscriptions with RESYNC_REQUIRED, and have what it says is published taken for what was, so
 * that a gap of that moment goes unnoticed, or have old cursors go on. It brings no row to anybody. REVOKE EXECUTE ON FUNCTION
 * pg_logical_emit_message keeps roles from it.
 */
export function parseBarrier(
  message: Pick<EmittedMessage, 'prefix' | 'content' | 'transaction'>,
  slot: string,
): Barrier | null {
  if (!isOwnMessage(message) || message.transaction === null || message.content.length === 0) return null
  if (message.content.length > MESSAGE_BYTES_MAX) return null
  const raw = jsonOf(new TextDecoder().decode(message.content))
  if (!hasMembers(raw)) return null
  const { barrier, slot: of, published, cut, cleanFrom, skip, lasts, seen } = raw
  if (barrier !== 1 || of !== slot) return null
  if (!Array.isArray(cut) || typeof published !== 'object' || published === null) return null
  const [lsn, seenLsn] = [parsePlainLsn(cleanFrom), parsePlainLsn(seen)]
  if (lsn === null) return null
  const models = Object.entries(published).flatMap(([model, value]) => {
    const tables = parsePublishedModel(value)
    return tables === null ? [] : [[model, tables] as const]
  })
  const named = cut.filter((each) => typeof each === 'string')
  const known = parseLastChanges(lasts)
  const said = {
    ...{ published: new Map(models), cut: named, cleanFrom: lsn },
    ...(known && { lasts: known }),
    ...(seenLsn !== null && { seen: seenLsn }),
  }
  return skip === true ? { ...said, isSkip: true } : said
}

function parsePlainLsn(value: unknown): Lsn | null {
  return typeof value === 'string' && /^\d{1,20}$/.test(value) ? toLsn(BigInt(value)) : null
}
