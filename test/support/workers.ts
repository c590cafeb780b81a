import { availableParallelism } from 'node:os'

/** How many test files run at once; each of these processes has a PostgreSQL of its own, so more would take memory for little. */
export const WORKERS = Math.min(availableParallelism(), 4)
