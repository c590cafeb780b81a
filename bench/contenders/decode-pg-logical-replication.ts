/** pg-logical-replication's PgoutputPlugin, from captured bytes to rows. */
import { PgoutputPlugin } from 'pg-logical-replication'
import { PUBLICATION } from '../database.ts'
import { readAllFields } from '../orders.ts'
import { type DecodeRequest, measureCpu, readMessages } from './decode.ts'

function decode({ file, passes }: DecodeRequest) {
  const messages = readMessages(file)
  const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: [PUBLICATION] })
  let changes = 0
  return measureCpu(() => {
    for (let pass = 0; pass < passes; pass++) {
      for (const bytes of messages) {
        const message = plugin.parse(bytes)
        if (message.tag === 'insert') readAllFields(message.new)
        else if (message.tag === 'update') {
          readAllFields(message.new)
          readAllFields(message.old)
        } else continue
        changes += 1
      }
    }
    return changes
  })
}

export const commands = { decode }
