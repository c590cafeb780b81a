/** pg-logical-replication with its PgoutputPlugin and its own defaults. */
import { LogicalReplicationService, PgoutputPlugin } from 'pg-logical-replication'
import { PUBLICATION } from '../database.ts'
import { readAllFields } from '../orders.ts'
import { type DrainRequest, measureDrain } from './drain.ts'

interface RowMessage {
  readonly tag: string
  readonly new?: object | null
  readonly old?: object | null
}

async function drain({ url, slot, changes }: DrainRequest) {
  const service = new LogicalReplicationService({ connectionString: url })
  const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: [PUBLICATION] })
  const answer = await measureDrain(
    () =>
      new Promise<void>((resolve, reject) => {
        let rest = changes
        service.on('data', (_lsn: string, message: RowMessage) => {
          if (message.tag !== 'insert' && message.tag !== 'update') return
          readAllFields(message.new ?? null)
          readAllFields(message.old ?? null)
          rest -= 1
          if (rest === 0) resolve()
        })
        service.on('error', reject)
        service.subscribe(plugin, slot).catch(reject)
      }),
  )
  await service.destroy()
  return answer
}

export const commands = { drain }
