import { availableParallelism } from 'node:os'

/**
 * How many test files run at once: one more than there are processors, because tests wait for PostgreSQL, for silent links and for
 * timeouts. Each of these processes has a PostgreSQL of its own, so more would take memory for little.
 */
export const WORKERS = Math.min(availableParallelism() + 1, 4)
