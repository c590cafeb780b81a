/** Rows of the sample schema's simplest model, written and taken by name, for tests that care only who gets them. */
import type { TestDatabase } from './database.ts'
import { takeChanges } from './live-rowcast.ts'

let tagNumber = 0

/** Inserts a row of its own transaction. @returns its name, which no other has unless it was given */
export async function insertTag(database: TestDatabase, name = `tag ${++tagNumber}`): Promise<string> {
  await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])
  return name
}

/** Inserts several, one after the other. */
export async function insertTags(database: TestDatabase, count: number): Promise<string[]> {
  const names: string[] = []
  while (names.length < count) names.push(await insertTag(database))
  return names
}

/** Names of the next new rows. */
export async function takeNames(
  changes: Parameters<typeof takeChanges>[0],
  count: number,
): Promise<unknown[]> {
  return (await takeChanges(changes, count)).map((change) => (change.new as { name?: string } | null)?.name)
}

/** Polls until it holds; the test's own time limit bounds the wait. */
export async function until(isMet: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isMet())) await new Promise((resolve) => setTimeout(resolve, 25))
}

/** What a promise fails with; null: it does not. */
export function failureOf(next: Promise<unknown>): Promise<unknown> {
  return next.then(
    () => null,
    (error: unknown) => error,
  )
}
