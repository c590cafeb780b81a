/**
 * A client that has a set of rows, of which code says which it may see: a Red whose `n` is below that of the Blue with the key 1, and none
 * where there is none. Its answer depends on that row.
 */
import { asksRelatedRows } from '../../src/bus/filter/change-filter.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import type { EventSubscription } from '../../src/sets/row-subscription.ts'
import { laterLsn, toLsn } from '../../src/wire/lsn.ts'
import { type Database, firstAt, type LedgerEntry } from './database.ts'
import { NEWEST } from './folding-client.ts'
import type { ReaderFace } from './reader-face.ts'
import type { Where } from './rows-where.ts'
import { Viewer } from './viewer.ts'

const LIMIT: Where = { id: 1 }
const ASK_TIMEOUT_MS = 5_000

/** The viewer. */
export class RightsViewer extends Viewer {
  protected override open(face: ReaderFace): EventSubscription {
    const { catalog } = this.parts
    const model = catalog.models['Blue'] as ModelSpec
    const rights = {
      dependencies: [{ model, condition: parseWhere(model, catalog, LIMIT, { relations: {} }) }],
      ask: async () => this.filterOf(belowFirst(await findLimits(face))),
    }
    const request = { model: this.model.name, filter: this.filterOf(belowFirst([])), rights }
    const after = this.cursor
    return after === null
      ? face.subscribeRows({ ...request, refused: {}, conditions: [] })
      : face.subscribeRelated({ ...request, after })
  }

  protected override rightsAt(database: Database, lsn: bigint): Where {
    return belowFirst(database.rowsAt('Blue', lsn).filter(({ id }) => id === 1))
  }

  /** Between two writes of what the right depends on nobody has to know what it is, as long as there is nothing to judge. */
  protected override differenceAt(database: Database, lsn: bigint): string | null {
    const difference = super.differenceAt(database, lsn)
    if (difference === null || lsn === NEWEST || this.cursor === null) return difference
    const givenLsn = parseCursor(this.cursor).position.commitLsn as bigint
    const writes = { judged: this.#judgedIn(database), limits: limitsOf(database.entriesOf('Blue')) }
    const knownLsn = lastKnownLsn(writes, { givenLsn, lsn })
    return knownLsn === null ? difference : super.differenceAt(database, knownLsn)
  }

  /** The writes that may have a row judged. */
  #judgedIn(database: Database): readonly Entries[] {
    const models = asksRelatedRows(this.filterOf(null)) ? ['Red', 'Blue'] : ['Red']
    return models.map((model) => database.entriesOf(model))
  }
}

/** Those that may have written the row that the right depends on. */
function limitsOf(blues: Entries): Entries {
  const isLimit = (row: LedgerEntry['new']) => row?.['id'] === 1
  return blues.filter(({ action, old, new: row }) => action === 'TRUNCATE' || isLimit(old) || isLimit(row))
}

/**
 * Where the right was known for certain before a position: where something was judged last, or given; in between each write may have been the
 * last for a while, and then it was known there too, but changed nothing. Null where it has to be known at the position itself: what is
 * judged next, or no other write, comes behind it.
 */
export function lastKnownLsn(
  { judged, limits }: { readonly judged: readonly Entries[]; readonly limits: Entries },
  { givenLsn, lsn }: { readonly givenLsn: bigint; readonly lsn: bigint },
): bigint | null {
  const nextOf = (entries: Entries) => entries[firstAt(entries, lsn + 1n)]?.commitLsn ?? NEWEST
  const lastOf = (entries: Entries) => toLsn(entries[firstAt(entries, lsn + 1n) - 1]?.commitLsn ?? 0n)
  const nextLimitLsn = nextOf(limits)
  if (judged.some((entries) => nextOf(entries) <= nextLimitLsn)) return null
  return judged.map(lastOf).reduce(laterLsn, toLsn(givenLsn))
}

type Entries = readonly Pick<LedgerEntry, 'action' | 'commitLsn' | 'old' | 'new'>[]

function findLimits({ prisma }: ReaderFace): Promise<readonly LimitRow[]> {
  const find = (session: object) => (session as LimitSession).blue.findMany({ where: LIMIT })
  return prisma.$transaction(find, { timeout: ASK_TIMEOUT_MS })
}

function belowFirst([row]: readonly LimitRow[]): Where {
  return { n: { lt: Number(row?.['n'] ?? -1) } }
}

type LimitRow = Readonly<Record<string, unknown>>

interface LimitSession {
  readonly blue: { findMany(query: object): Promise<readonly LimitRow[]> }
}
