/** Beside the bus, broker. Whether Redis may throw the stream away by itself. Source: Redis documentation, "Key eviction". */
import type { Logger } from '../../log.ts'
import type { RedisConnection } from './redis-connection.ts'

/** Where Redis may drop keys to make room, the stream may go at any moment. */
export async function warnOfEviction(connection: RedisConnection, logger: Logger): Promise<void> {
  const info = await connection.send(['INFO', 'memory']).catch(() => '')
  const prefix = 'maxmemory_policy:'
  const line = String(info)
    .split('\r\n')
    .find((each) => each.startsWith(prefix))
  const policy = line?.slice(prefix.length)
  if (policy === undefined || policy === 'noeviction') return
  logger.warn('Redis may evict the stream: its maxmemory-policy is not noeviction.', {
    policy,
    hint: 'CONFIG SET maxmemory-policy noeviction',
  })
}
