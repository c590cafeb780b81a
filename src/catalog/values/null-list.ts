/**
 * Stage 3, catalog. A NULL in a list column is shown as an empty list, as Prisma Client shows it; filters still have to
 * know which it was, because SQL answers null to whatever is asked of a NULL. It is remembered beside the row.
 */
const nullLists = new WeakSet<object>()

/** An empty list that stands for NULL. */
export function createNullList(): unknown[] {
  const list: unknown[] = []
  nullLists.add(list)
  return list
}

/** Whether the list of a row stands for NULL. */
export function isNullList(value: object): boolean {
  return nullLists.has(value)
}
