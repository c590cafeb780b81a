/** What an assembler packs where a log keeps it: nothing is copied to be kept, and whoever gets a change has its own bytes. */
import { Buffer } from 'node:buffer'
import { expect, it } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { createTransactionAssembler } from '../../src/changes/assembler.ts'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { buildField, buildModel, buildRelation } from '../support/catalog-builder.ts'
import { encodeMessage, type MessageSpec, text } from '../support/message-builder.ts'
import { PLAIN_EPOCH } from '../support/plain-change.ts'

const THING = buildModel([buildField('id', 'Int'), buildField('body', 'String')])
const TABLE = buildRelation({ id: 23, body: 25 })
/** Larger than what a slab has left over, smaller than a slab. */
const BODY_BYTES = 150_000
const TRANSACTIONS = 12
const ROWS = 3

/** A body that no other row has. */
const bodyOf = (id: number): string => String.fromCharCode(65 + (id % 26)).repeat(BODY_BYTES + (id % 7))

function openStream(logBytesMax: number) {
  const bus = createMemoryBus({
    ...{ models: { Thing: THING }, queueLengthMax: 4, queueBytesMax: 1e9, heldBytesMax: 1e9 },
    log: { bytesMax: logBytesMax },
  })
  const registry = createRelationRegistry({ catalog: { enums: {} }, models: [THING] })
  const assembler = createTransactionAssembler(
    registry,
    {
      publish: (part) => bus.publish(part),
      onBegin() {},
      onCommit: (endLsn) => bus.passed(endLsn),
      onDrift(_, drift) {
        throw drift
      },
    },
    { areKept: true },
  )
  const begin = (): void => {
    bus.open({ ...PLAIN_EPOCH, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) })
    assembler.reset(PLAIN_EPOCH)
  }
  const send = (message: MessageSpec): void => {
    const bytes = Buffer.from(encodeMessage(message))
    assembler.take(decodeMessage(bytes, 0, bytes.length), bytes.length)
    // As the socket's own buffer, which is used again.
    bytes.fill(0)
  }
  let lastId = 0
  const commit = (): void => {
    const lsn = toLsn(BigInt(lastId + 1) * 100n)
    send({ kind: 'begin', finalLsn: lsn, committedAtMicros: 0n, xid: lastId + 1 })
    for (let row = 0; row < ROWS; row += 1) {
      lastId += 1
      const columns = [text(String(lastId)), text(bodyOf(lastId))]
      send({
        ...{ kind: 'insert', streamXid: null, relationOid: TABLE.oid, oldKind: 'none', old: null },
        new: columns as never,
      })
    }
    send({ kind: 'commit', commitLsn: lsn, endLsn: toLsn(lsn + 50n), committedAtMicros: 0n })
  }
  begin()
  send({ kind: 'begin', finalLsn: toLsn(50n), committedAtMicros: 0n, xid: 1 })
  send(TABLE)
  send({ kind: 'commit', commitLsn: toLsn(50n), endLsn: toLsn(60n), committedAtMicros: 0n })
  return { bus, commit, begin }
}

it.each([
  ['keeps nothing', 0],
  ['keeps a little', 2_000_000],
])(
  'a change that waits is what was sent, however much has come since, in a log that %s',
  async (_, bytes) => {
    const { bus, commit } = openStream(bytes)
    const live = bus.subscribe({ model: 'Thing' })
    const changes = []
    for (let sent = 0; sent < TRANSACTIONS; sent += 1) {
      commit()
      for (let row = 0; row < ROWS; row += 1) changes.push((await live.next()).value?.change)
    }
    // None has been decoded yet.
    const rows = changes.map((change) => change?.new)
    expect(rows.map((row) => row?.['id'])).toEqual(changes.map((_change, at) => at + 1))
    expect(rows.filter((row) => row?.['body'] !== bodyOf(Number(row?.['id'])))).toEqual([])
    await live.return()
  },
)

it('whoever reads the log has what was sent, also behind a gap', async () => {
  const { bus, commit, begin } = openStream(2_000_000)
  for (let sent = 0; sent < TRANSACTIONS / 2; sent += 1) commit()
  const late = bus.subscribe({ model: 'Thing', after: 'earliest' })
  const before = (await late.next()).value?.change
  bus.gap(new Error('Lost.') as never)
  begin()
  for (let sent = 0; sent < TRANSACTIONS / 2; sent += 1) commit()
  const after = bus.subscribe({ model: 'Thing', after: 'earliest' })
  const first = (await after.next()).value?.change
  for (let sent = 0; sent < TRANSACTIONS / 2; sent += 1) commit()
  for (const change of [before, first])
    expect(change?.new?.['body']).toBe(bodyOf(Number(change?.new?.['id'])))
  await after.return()
})
