/**
 * An application beside the test: its own sessions run the four kinds of statement on a table, over and over. None of them
 * may fail, and none waits for a lock longer than `lock_timeout`: what would make the application wait makes it fail here.
 */
import pg from 'pg'
import type { TestDatabase } from './database.ts'

/** An application that runs until the test is over. */
export interface TestApplication extends AsyncDisposable {
  /** What went wrong so far. */
  readonly failures: readonly string[]
  /** Resolves when each kind of statement has been run `times` more. */
  ran(times: number): Promise<void>
}

/** Far above what set-up may cause, far below what made applications suffer. */
const LOCK_TIMEOUT = '1500ms'

/** Starts one on a table with an `id` and a `note`; statements are SQL over `$1`, a number of its own. */
export async function openApplication(
  { target }: TestDatabase,
  statements: readonly string[] = [
    `INSERT INTO items (id, note) VALUES ($1, 'a')`,
    'SELECT count(*), max($1::int) FROM items',
    `UPDATE items SET note = note || 'b' WHERE id = $1`,
    'DELETE FROM items WHERE id = $1',
  ],
): Promise<TestApplication> {
  const config: pg.ClientConfig = { ...target, application_name: 'the application' }
  const failures: string[] = []
  const waiting = new Set<() => void>()
  let rounds = 0
  let isOver = false

  async function work(worker: number): Promise<void> {
    const client = new pg.Client(config)
    await client.connect()
    await client.query(`SET lock_timeout = '${LOCK_TIMEOUT}'`)
    while (!isOver) {
      for (const statement of statements) {
        await client.query(statement, [1_000 + worker]).catch((error: unknown) => {
          failures.push(`${statement}: ${error instanceof Error ? error.message : String(error)}`)
        })
      }
      rounds += 1
      for (const check of waiting) check()
      // Others run on this machine, too.
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await client.end()
  }

  const workers = Promise.all([work(1), work(2)])
  return {
    failures,
    ran(times) {
      const goal = rounds + 2 * times
      return new Promise((resolve) => {
        const check = () => {
          if (rounds < goal) return
          waiting.delete(check)
          resolve()
        }
        waiting.add(check)
      })
    },
    async [Symbol.asyncDispose]() {
      isOver = true
      await workers
    },
  }
}
