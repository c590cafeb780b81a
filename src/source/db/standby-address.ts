/** Stage 5, source. The address of a standby that sends the changes of a database. */
import { RowcastError } from '../../errors.ts'
import { type ConnectionTarget, parseConnectionTarget } from './database-address.ts'

/** The database with its standby, where there is an address of one. @throws CONFIG_BAD_DATABASE_URL */
export function withStandby(target: ConnectionTarget, url: string | undefined): ConnectionTarget {
  if (url === undefined) return target
  const standby = parseConnectionTarget(url)
  if (standby.choice !== undefined)
    throw unusable(
      'It names several hosts, and the slot is on one of them.',
      'Name the standby that has the slot.',
    )
  if (standby.database !== target.database)
    throw unusable(`It names database ${standby.database}, and the database address ${target.database}.`)
  return { ...target, standby }
}

function unusable(fault: string, hint?: string): RowcastError {
  return new RowcastError('CONFIG_BAD_DATABASE_URL', `\`replicationUrl\` cannot be used. ${fault}`, { hint })
}
