/** A stream in a broker's log, written as a tap would, from messages as PostgreSQL sends them. Model Tag. */
import { Buffer } from 'node:buffer'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { type EntryBounds, EntryBuilder } from '../../src/broker/entry-builder.ts'
import type { EntryLog } from '../../src/broker/entry-log.ts'
import { type Epoch, idBefore } from '../../src/broker/epoch.ts'
import { EpochStore } from '../../src/broker/epoch-store.ts'
import { endsOfGaps, LastPositions } from '../../src/broker/last-positions.ts'
import { StreamWriter } from '../../src/broker/stream-writer.ts'
import { formatTableStates } from '../../src/broker/table-states.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import type { ModelTableState } from '../../src/source/setup/model-tables.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'
import { encodeMessage, type MessageSpec, text } from './message-builder.ts'

const FLOOR = toLsn(100n)
const TAG = 16_400

export const newTagRegistry = () => createRelationRegistry({ catalog, models: [catalog.models.Tag] })

/** The stream's only epoch. */
export const EPOCH: Epoch = {
  ...{ id: 'one', systemId: '7', timeline: 1, floor: idBefore(FLOOR), serverLsn: FLOOR },
  ...{ kind: 'refilled', previous: null, reason: null, isOpen: true },
}

/** Begins it, or another one in its stead. */
export async function createEpoch(log: EntryLog, slot: string, epoch = EPOCH): Promise<EpochStore> {
  const store = new EpochStore('rowcast', slot)
  store.useSystem(EPOCH.systemId)
  const mark = { lsn: FLOOR, last: EPOCH.floor, writer: 'tap', tables: null }
  await store.take(log, 'tap', async () => store.beginning(epoch, mark, 1))
  return store
}

/** A transaction that inserts a row of each name. */
export function insertTag(commitLsn: Lsn, ...names: readonly string[]): readonly MessageSpec[] {
  const columns = [
    { name: 'id', typeOid: 23, typeModifier: -1, isKey: true },
    { name: 'name', typeOid: 1043, typeModifier: 64, isKey: true },
    { name: 'color', typeOid: 1042, typeModifier: 11, isKey: true },
  ]
  const table = { oid: TAG, schema: 'public', table: 'Tag', replicaIdentity: 'full', columns } as const
  const rowOf = (name: string) =>
    ({ relationOid: TAG, oldKind: 'none', old: null, new: [text('1'), text(name), null] }) as const
  return transactionOf(commitLsn, [
    { kind: 'relation', streamXid: null, ...table },
    ...names.map((name): MessageSpec => ({ kind: 'insert', streamXid: null, ...rowOf(name) })),
  ])
}

/** A transaction of rows of Tag, and of messages where there is no name. */
export function insertTagAndMessages(
  commitLsn: Lsn,
  names: readonly (string | null)[],
): readonly MessageSpec[] {
  const content = Buffer.from('{}')
  const message = {
    kind: 'message',
    streamXid: null,
    isTransactional: true,
    lsn: commitLsn,
    prefix: 'other',
    content,
  } as const
  const rows = [...insertTag(commitLsn, ...names.flatMap((name) => name ?? []))]
  const [begin, relation] = rows.splice(0, 2) as [MessageSpec, MessageSpec]
  const changes = names.map((name): MessageSpec => (name === null ? message : (rows.shift() as MessageSpec)))
  return [begin, relation, ...changes, ...rows]
}

/** A transaction that writes a message of rowcast's own. */
export function ownMessage(commitLsn: Lsn, content: string): readonly MessageSpec[] {
  const message = { isTransactional: true, lsn: commitLsn, prefix: 'rowcast', content: Buffer.from(content) }
  return transactionOf(commitLsn, [{ kind: 'message', streamXid: null, ...message }])
}

function transactionOf(commitLsn: Lsn, messages: readonly MessageSpec[]): readonly MessageSpec[] {
  const endLsn = toLsn(commitLsn + 8n)
  return [
    { kind: 'begin', finalLsn: commitLsn, committedAtMicros: 5n, xid: 7 },
    ...messages,
    { kind: 'commit', commitLsn, endLsn, committedAtMicros: 5n },
  ]
}

/** Writes the first batch of an epoch: tables, relations, entries and a mark; resolves once the broker has it. */
export function writeBatch(
  log: EntryLog,
  store: EpochStore,
  tables: readonly ModelTableState[],
  messages: readonly MessageSpec[],
  { id, floor, bounds }: Pick<Epoch, 'id' | 'floor'> & { readonly bounds?: EntryBounds } = EPOCH,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const keys = store.keys.epoch(id)
    const writer = new StreamWriter({
      ...{ log, keys, writerKey: store.writerKey, writerId: 'tap', last: floor },
      onAccepted: () => resolve(),
      onPressure() {},
      onFailure: reject,
    })
    const builder = new EntryBuilder(
      newTagRegistry(),
      {
        ...{ onBegin() {}, onDrift() {}, onRecovery() {} },
        onRelation: ({ digest, bytes }) =>
          writer.addWrite({ kind: 'fields', name: keys.relations, fields: new Map([[digest, bytes]]) }),
        onOwnMessageRead: (message) => writer.addLasts(endsOfGaps(message, store.slot, new Set(['Tag']))),
        onEntry: (entry) => writer.addEntry(entry),
        onCommit: (lsn) => writer.addMark(lsn),
      },
      bounds,
    )
    builder.reset(keys.changes, floor)
    writer.addTables(formatTableStates(tables))
    for (const spec of messages) {
      const bytes = Buffer.from(encodeMessage(spec))
      builder.accept(bytes, 0, bytes.length)
    }
    LastPositions.read(log, keys).then((lasts) => writer.release(lasts), reject)
  })
}
