/** Stage 5, source. Asks which database cluster an address leads to. */
import type { DriverTarget } from '../../wire/driver-target.ts'
import { withDatabaseSession } from './sql.ts'

const IDENTIFIER_SQL = 'SELECT system_identifier::pg_catalog.text AS id FROM pg_catalog.pg_control_system()'

/**
 * The identifier that a cluster was given by initdb; its standbys and its physical copies have the same.
 * Source: PostgreSQL manual, "Control Data Functions".
 */
export async function readSystemIdentifier(target: DriverTarget): Promise<string> {
  const [row] = await withDatabaseSession(target, (sql) => sql.query<{ id: string }>(IDENTIFIER_SQL))
  return row?.id ?? ''
}
