/** The messages of a replication slot as they arrive, through the driver alone: nothing of src/ reads the socket. */
import pg from 'pg'
import { quoteIdentifier, quoteLiteral } from '../../../src/wire/quote.ts'

/** A replication connection that only listens. */
export interface ReplicationTap extends AsyncDisposable {
  /** pgoutput's messages so far, without the frames around them. */
  readonly payloads: readonly Buffer[]
  /** Messages so far with this tag. */
  count(tag: string): number
  /** Resolves once the condition holds; it is tested after every message. Rejects when the stream ends. */
  until(condition: () => boolean): Promise<void>
}

/** What the driver has and its types leave out. */
interface CopyConnection {
  on(event: 'copyData', listener: (message: { readonly chunk: Buffer }) => void): void
  once(event: 'replicationStart', listener: () => void): void
}

const XLOG_DATA = 0x77 // 'w'
const XLOG_DATA_HEADER_BYTES = 25

/** Starts replication of a slot; it is too short-lived to answer keepalives. */
export async function openReplicationTap(
  url: string,
  slot: string,
  options: Readonly<Record<string, string>>,
): Promise<ReplicationTap> {
  const config: pg.ClientConfig & { readonly replication: string } = {
    connectionString: url,
    replication: 'database',
  }
  const client = new pg.Client(config)
  await client.connect()
  const connection: CopyConnection = Reflect.get(client, 'connection')
  const payloads: Buffer[] = []
  let wake: () => void = () => {}
  connection.on('copyData', ({ chunk }) => {
    if (chunk[0] !== XLOG_DATA) return
    payloads.push(Buffer.from(chunk.subarray(XLOG_DATA_HEADER_BYTES)))
    wake()
  })
  const ended = new Promise<never>((_, reject) => {
    client.on('error', reject)
    const list = Object.entries(options).map(
      ([name, value]) => `${quoteIdentifier(name)} ${quoteLiteral(value)}`,
    )
    client
      .query(`START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL 0/0 (${list.join(', ')})`)
      .then(() => reject(new Error('The replication stream ended.')), reject)
  })
  ended.catch(() => {})
  await Promise.race([new Promise<void>((resolve) => connection.once('replicationStart', resolve)), ended])

  return {
    payloads,
    count: (tag) => payloads.filter((payload) => payload[0] === tag.charCodeAt(0)).length,
    until(condition) {
      const reached = new Promise<void>((resolve) => {
        wake = () => {
          if (condition()) resolve()
        }
        wake()
      })
      return Promise.race([reached, ended])
    },
    [Symbol.asyncDispose]: () => client.end(),
  }
}
