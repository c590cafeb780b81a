/**
 * Beside the spine, sets. The first rows of a list as they are read: in pages, so that a list of rows that are large ends before it has taken
 * the memory for all of them.
 */
import type { AnyRow } from '../changes/change.ts'
import type { FindMany } from './fence.ts'
import { PAGE_BYTES } from './held-pages.ts'
import { PageSizes } from './page-sizes.ts'

/** As many as a usual list has: it is one query. */
const FIRST_ROWS = 64
/** What Prisma Client makes of one is made in one go: others wait no longer than for so many. */
const PAGE_ROWS_MAX = 128

/** What bounds the read. */
export interface WindowBounds {
  readonly rowsMax: number
  readonly bytesMax: number
  readonly bytesOf: (rows: readonly AnyRow[]) => number
}

/** The rows, and what they take in memory by estimate: where that is more than the bound, not all of them. */
export async function readWindow(
  findMany: FindMany,
  query: object,
  { rowsMax, bytesMax, bytesOf }: WindowBounds,
): Promise<{ readonly rows: readonly AnyRow[]; readonly bytes: number }> {
  const sizes = new PageSizes(
    Math.min(rowsMax, PAGE_ROWS_MAX),
    () => Math.min(PAGE_BYTES, bytesMax),
    FIRST_ROWS,
  )
  const rows: AnyRow[] = []
  let bytes = 0
  while (rows.length < rowsMax) {
    const take = Math.min(sizes.next, rowsMax - rows.length)
    const page = await findMany({ ...query, skip: rows.length, take })
    const weight = bytesOf(page)
    sizes.note(page.length, weight)
    bytes += weight
    rows.push(...page)
    if (page.length < take || bytes > bytesMax) break
  }
  return { rows, bytes }
}
