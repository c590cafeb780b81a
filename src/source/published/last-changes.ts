/**
 * Stage 5, source. Where models changed last, for the process that starts next: its slot has forgotten what lies before the
 * confirmed position, and a cursor from there is good all the same where nothing of its model came after it. It is written
 * with each barrier, and says only what the stream has shown by then: nothing of a model committed after its position and
 * before `upTo`. It is of use where the slot begins no later than that, and the barrier holds the slot there.
 */
import type { RelationRegistry } from '../../catalog/relation-registry.ts'
import type { ChangePosition, StreamOrigin } from '../../changes/change-position.ts'
import { hasMembers } from '../../member-of.ts'
import { type Lsn, toLsn } from '../../wire/lsn.ts'

/** What one process has seen of quiet models. */
export interface LastChanges {
  /** Whose positions these are. */
  readonly origin: StreamOrigin
  /** Everything that committed before it had been read. */
  readonly upTo: Lsn
  /** By model: nothing of it came after the position. */
  readonly models: ReadonlyMap<string, ChangePosition>
}

/** Who keeps them while the process lives. */
export interface LastChangesKeeper {
  /** After which position nothing of the model has come, cuts included; null before the first stream. */
  lastOf(model: string): ChangePosition | null
  /** What a process before this one knew. */
  recall(known: LastChanges): void
  /** Nothing more comes from before. */
  endRecall(): void
}

/** What a barrier of this process says of them. */
export function describeLastChanges(
  keeper: LastChangesKeeper,
  { system, safeLsn }: { readonly system: StreamOrigin | null; readonly safeLsn: Lsn },
  models: readonly string[],
): LastChanges | null {
  if (system === null) return null
  const lasts = models.flatMap((model) => {
    const last = keeper.lastOf(model)
    return last === null ? [] : [[model, last] as const]
  })
  return { origin: system, upTo: safeLsn, models: new Map(lasts) }
}

/**
 * Those of the models whose changes are read here: of others nobody knows which came. Barriers carry on what is published of
 * models that the process before had, and this one has not.
 */
export function readableModels(
  models: Iterable<string>,
  tables: readonly { readonly model: string }[],
  { faults }: Pick<RelationRegistry, 'faults'>,
): readonly string[] {
  const own = new Set(tables.map(({ model }) => model))
  return [...models].filter((model) => own.has(model) && !faults.has(model))
}

/** Formats them for JSON. */
export function formatLastChanges({ origin, upTo, models }: LastChanges): unknown {
  const positions = [...models].map(([model, { commitLsn, index }]) => [model, `${commitLsn}-${index}`])
  return { ...origin, upTo: String(upTo), models: Object.fromEntries(positions) }
}

/** Parses them; null where anything is not as it is written. */
export function parseLastChanges(raw: unknown): LastChanges | null {
  if (!hasMembers(raw)) return null
  const { systemId, timeline, upTo, models } = raw
  if (typeof systemId !== 'string' || typeof timeline !== 'number') return null
  if (typeof upTo !== 'string' || !/^\d{1,20}$/.test(upTo)) return null
  if (typeof models !== 'object' || models === null) return null
  const positions = Object.entries(models).map(([model, text]) => [model, parsePosition(text)] as const)
  const known = positions.flatMap(([model, position]) =>
    position === null ? [] : [[model, position] as const],
  )
  return { origin: { systemId, timeline }, upTo: toLsn(BigInt(upTo)), models: new Map(known) }
}

function parsePosition(text: unknown): ChangePosition | null {
  const match = typeof text === 'string' ? /^(\d{1,20})-(\d{1,10})$/.exec(text) : null
  if (match === null) return null
  return { commitLsn: toLsn(BigInt(match[1] ?? '')), index: Number(match[2]) }
}
