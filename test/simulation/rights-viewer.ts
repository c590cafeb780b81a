/**
 * A client that has a set of rows, of which code says which it may see: a Red whose `n` is below that of the Blue with the key 1, and none
 * where there is none. Its answer depends on that row.
 */
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { EventSubscription } from '../../src/sets/row-subscription.ts'
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

  /** Between two writes of what the right depends on nobody knows what it is, as long as there is nothing to judge. */
  protected override differenceAt(database: Database, lsn: bigint): string | null {
    const difference = super.differenceAt(database, lsn)
    const openLsn = difference === null || lsn === NEWEST ? null : openRightAt(database, lsn)
    return openLsn === null ? difference : super.differenceAt(database, openLsn - 1n)
  }
}

/** The first of the writes in a row between two of which a position stands; null where it stands between none. */
function openRightAt(database: Database, lsn: bigint): bigint | null {
  const [reds, blues] = ['Red', 'Blue'].map((model) => database.entriesOf(model)) as [Entries, Entries]
  const limits = blues.filter(
    ({ action, old, new: row }) => action === 'TRUNCATE' || (row ?? old)?.['id'] === 1,
  )
  if (firstAt(limits, lsn + 1n) === limits.length) return null
  const judgedLsn = reds[firstAt(reds, lsn + 1n) - 1]?.commitLsn ?? 0n
  return limits.find(({ commitLsn }) => commitLsn > judgedLsn && commitLsn <= lsn)?.commitLsn ?? null
}

type Entries = readonly LedgerEntry[]

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
