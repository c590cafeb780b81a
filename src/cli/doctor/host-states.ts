/** Beside the spine, cli. What each of several servers in one address says of itself. Changes nothing. */
import { isRowcastError, type RowcastError } from '../../errors.ts'
import { withDatabaseSession } from '../../source/db/sql.ts'
import { SERVER_LSN_SQL, type ServerFacts, serverFactsSql } from '../../source/facts/server-facts.ts'
import { parseSlot, type RawSlot, type SlotState, slotSql } from '../../source/facts/slot-state.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import type { ServerAddress } from '../../wire/server-choice.ts'

/** One server: why it does not let us in, or what it is. */
export type HostState =
  | { readonly server: ServerAddress; readonly refusal: RowcastError }
  | ({ readonly server: ServerAddress; readonly refusal: null; readonly slot: SlotState | null } & HostFacts)

type HostFacts = Pick<ServerFacts, 'isInRecovery' | 'walLevel'>

/** Asks all of them; none where the address names one. */
export async function readHosts(target: DriverTarget, slot: string): Promise<readonly HostState[]> {
  const { choice } = target
  if (choice === undefined) return []
  const asked = choice.servers.map(async (server): Promise<HostState> => {
    try {
      return await readHost({ ...target, ...server, choice: undefined }, server, slot)
    } catch (error) {
      if (isRowcastError(error)) return { server, refusal: error }
      throw error
    }
  })
  return Promise.all(asked)
}

async function readHost(target: DriverTarget, server: ServerAddress, slot: string): Promise<HostState> {
  const sql = `SELECT ${serverFactsSql(['isInRecovery', 'walLevel'])}, ${slotSql(quoteLiteral(slot), SERVER_LSN_SQL)} AS "slot"`
  const [row] = await withDatabaseSession(target, (session) =>
    session.query<HostFacts & { readonly slot: RawSlot | null }>(sql),
  )
  if (row === undefined) throw new Error('The query for a host returned no row.')
  return { ...row, server, refusal: null, slot: row.slot && parseSlot(row.slot, row.isInRecovery) }
}
