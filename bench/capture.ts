/** Captures the messages of a slot's backlog into a file, in PostgreSQL's binary or text form. */
import { writeFileSync } from 'node:fs'
import { parseConnectionTarget } from '../src/source/db/database-address.ts'
import { openReplicationConnection } from '../src/wire/connection.ts'
import { LSN_ZERO } from '../src/wire/lsn.ts'
import { BASE_SLOT, type Backlog } from './backlog.ts'
import { PUBLICATION } from './database.ts'

const TAG_INSERT = 0x49
const TAG_UPDATE = 0x55
const TAG_COMMIT = 0x43

/** Ends with the commit of the last change. */
export async function captureMessages(backlog: Backlog, file: string, isBinary: boolean): Promise<void> {
  const { database } = backlog
  const parts = await database.withSlotCopy(`${BASE_SLOT}_${database.name}`, async (slot) => {
    const connection = await openReplicationConnection(parseConnectionTarget(database.url), {
      applicationName: 'rowcast bench',
      answerTimeoutMs: 10_000,
    })
    const taken: Buffer[] = []
    let rest = backlog.changes
    const done = new Promise<void>((resolve) => {
      const options = { proto_version: '1', publication_names: PUBLICATION, binary: String(isBinary) }
      void connection.startStream(
        { slot, startLsn: LSN_ZERO, options },
        {
          onWalData(bytes, start, end) {
            const tag = bytes[start]
            const length = Buffer.alloc(4)
            length.writeUInt32BE(end - start)
            taken.push(length, Buffer.from(bytes.subarray(start, end)))
            if (tag === TAG_INSERT || tag === TAG_UPDATE) rest -= 1
            if (tag === TAG_COMMIT && rest <= 0) resolve()
          },
          onKeepalive() {},
          onNotice() {},
          confirmedLsn: () => LSN_ZERO,
        },
      )
    })
    await done
    await connection.close()
    return taken
  })
  writeFileSync(file, Buffer.concat(parts))
}
