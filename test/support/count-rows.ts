/** Counts the rows that a pool of connections gets from PostgreSQL, and their bytes. */
import pg from 'pg'

/** A count that goes on. */
export interface RowCount {
  /** Rows since the last reset. */
  readonly rows: number
  /** Their bytes since the last reset. */
  readonly bytes: number
  /** Statements since the beginning. */
  readonly statements: number
  reset(): void
  /** A pool whose rows are counted. */
  poolFor(connectionString: string): pg.Pool
  end(): Promise<void>
}

/** Begins at 0. */
export function countRows(): RowCount {
  let rows = 0
  let bytes = 0
  let statements = 0
  const pools: pg.Pool[] = []
  return {
    get rows() {
      return rows
    },
    get bytes() {
      return bytes
    },
    get statements() {
      return statements
    },
    reset() {
      rows = 0
      bytes = 0
    },
    poolFor(connectionString) {
      const pool = new pg.Pool({ connectionString })
      pool.on('connect', (client) => {
        // Typed as a public part of the driver nowhere: each DataRow message as it comes from the socket.
        const { connection } = client as pg.PoolClient & { readonly connection: NodeJS.EventEmitter }
        connection.on('commandComplete', () => {
          statements += 1
        })
        connection.on('dataRow', ({ length }: { readonly length: number }) => {
          rows += 1
          bytes += length
        })
      })
      pools.push(pool)
      return pool
    },
    end: async () => {
      await Promise.all(pools.map((pool) => pool.end()))
    },
  }
}
