/**
 * Stage 5, source. How long whoever waits for changes is left waiting at a process that gets none, as another one reads the slot: a
 * moment, as in a rolling restart, must not bother anybody, and longer than that is silence without an end. It counts only that PostgreSQL
 * says so. Where nobody can ask it, nobody else has the changes either, and all wait.
 */
import type { Logger } from '../../logger.ts'
import type { SourceEvent } from './lifecycle.ts'

/** Since when another process reads the slot. */
export interface StandbySpell {
  /** When PostgreSQL said so first since the last stream of ours; null: it has not. */
  readonly sinceMs: number | null
  /** Whether those who wait here are sent away. */
  readonly isAside: boolean
}

/** No other process is known to read the slot. */
export const NO_SPELL: StandbySpell = { sinceMs: null, isAside: false }

/** PostgreSQL says that another process reads the slot. */
export function whenSlotInUse({ sinceMs }: StandbySpell, nowMs: number, patienceMs: number): StandbySpell {
  const since = sinceMs ?? nowMs
  return { sinceMs: since, isAside: nowMs - since >= patienceMs }
}

/** What happened beside that. The patience is spent once: connections that break again and again must not renew it. */
export function afterEvent(spell: StandbySpell, event: SourceEvent): StandbySpell {
  if (event === 'streamStarted') return NO_SPELL
  return event === 'failed' ? { ...spell, isAside: false } : spell
}

/** What it works with. */
export interface StandbyPatienceOptions {
  readonly standbyPatienceMs?: number | undefined
  readonly onStandAside?: ((isAside: boolean) => void) | undefined
  readonly logger: Logger
}

const PATIENCE_MS = 10_000

/** The spell of one source. */
export class StandbyPatience {
  readonly #options: StandbyPatienceOptions
  #spell = NO_SPELL

  constructor(options: StandbyPatienceOptions) {
    this.#options = options
  }

  /** @param nowMs that never goes back */
  noteSlotInUse(nowMs: number): void {
    this.#follow(whenSlotInUse(this.#spell, nowMs, this.#options.standbyPatienceMs ?? PATIENCE_MS))
  }

  note(event: SourceEvent): void {
    this.#follow(afterEvent(this.#spell, event))
  }

  #follow(spell: StandbySpell): void {
    const { isAside } = this.#spell
    this.#spell = spell
    if (spell.isAside === isAside) return
    const { onStandAside, logger } = this.#options
    if (onStandAside === undefined) return
    if (spell.isAside) logger.warn(SENT_AWAY, { code: 'SERVER_STANDING_BY' })
    onStandAside(spell.isAside)
  }
}

const SENT_AWAY =
  'Subscriptions are sent away, as another process reads the slot: they would get nothing here.'
