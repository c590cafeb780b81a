/** Beside the bus, broker. Whether the broker may throw the stream away by itself. */
import type { Logger } from '../logger.ts'
import type { EntryLog } from './entry-log.ts'

/** Where the broker may drop things to make room, the stream may go at any moment. */
export async function warnOfEviction(log: EntryLog, logger: Logger): Promise<void> {
  const policy = await log.readEvictionPolicy()
  if (policy === null) return
  logger.warn('Redis may evict the stream: its maxmemory-policy is not noeviction.', {
    policy,
    hint: 'CONFIG SET maxmemory-policy noeviction',
  })
}
