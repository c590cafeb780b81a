/** Beside the bus, broker. What is written, as commands of Redis. Source: Redis documentation, "XADD", "XTRIM". */
import type { Buffer } from 'node:buffer'
import { formatEntryId } from '../entry-id.ts'
import { ENTRY_FIELD, FLOOR_FIELD, LASTS_FIELD, type LogWrite } from '../entry-log.ts'

/** A command and its arguments. */
export type RedisCommand = readonly (string | Buffer)[]

/** Epochs are few: one for each gap and each failover. */
const EPOCHS_MAX = 100

/** The command that writes it. */
export function commandOf(write: LogWrite): RedisCommand {
  switch (write.kind) {
    case 'entry': {
      const beside = write.beside === null ? [] : [LASTS_FIELD, write.beside]
      const id = formatEntryId(write.id)
      return ['XADD', write.stream, 'NOMKSTREAM', id, ENTRY_FIELD, write.payload, ...beside]
    }
    case 'floor':
      return ['XADD', write.stream, formatEntryId(write.id), FLOOR_FIELD, '']
    case 'mark':
      return ['XADD', write.stream, 'MAXLEN', '1', '*', 'm', write.text]
    case 'announcement':
      return ['XADD', write.stream, 'MAXLEN', '~', String(EPOCHS_MAX), '*', 'e', write.text]
    case 'text':
      return ['SET', write.name, write.text]
    case 'fields':
      return ['HSET', write.name, ...[...write.fields].flat()]
    // Approximately, which is cheap: Redis drops whole nodes.
    case 'trim':
      return ['XTRIM', write.stream, 'MINID', '~', formatEntryId(write.before)]
    case 'shorten':
      return ['XTRIM', write.stream, 'MAXLEN', '~', String(write.count)]
    case 'expire':
      return ['EXPIRE', write.name, String(write.seconds)]
  }
}
